/** How the story goes on, and whatever else the document holds. */

import { usePart, useView } from "@questlog/react";
import { useMemo } from "react";
import { restOf } from "../shared/rest.js";
import { Threads } from "../shared/Threads.js";
import { Tree } from "../shared/Tree.js";

export function Rest({ playerId }: { playerId: string | null }) {
  const document = useView(view => view.document, null);
  const rest = useMemo(
    () => (document === null ? [] : restOf(document, playerId)),
    [document, playerId],
  );
  return (
    <>
      <Threads value={usePart("/story_progression")} />
      {rest.length > 0 && (
        <div className="board">
          <h2>Also here</h2>
          {rest.map(({ member, name, value }) => (
            <Tree key={member} name={name} value={value} />
          ))}
        </div>
      )}
    </>
  );
}
