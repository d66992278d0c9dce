/** What changed since this browser was last here. */

import type { JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { useMemo, useState } from "react";
import { changesSince } from "../shared/since.js";

export function Since() {
  const restored = useView(view => view.restored, false);
  const document = useView(view => view.document, null);
  const [before, setBefore] = useState<JsonObject | null>(null);
  const [after, setAfter] = useState<JsonObject | null>(null);
  if (restored && before === null && document !== null) setBefore(document);
  if (!restored && before !== null && after === null && document !== null) setAfter(document);
  const changes = useMemo(
    () => (before === null || after === null ? [] : changesSince(before, after)),
    [before, after],
  );
  if (restored) return <p className="notice hush">This is how you left it.</p>;
  if (changes.length === 0) return null;
  return (
    <div className="board since" role="status">
      <div className="row">
        <h2>While you were gone</h2>
        <button type="button" onClick={() => setBefore(null)}>
          Seen
        </button>
      </div>
      <ul>
        {changes.map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are told once, and stay as they are
          <li key={index} dir="auto">
            {each}
          </li>
        ))}
      </ul>
    </div>
  );
}
