/** What changed since this browser was last here. */

import type { JsonObject, View } from "@questlog/client";
import { useView } from "@questlog/react";
import { useMemo, useState } from "react";
import { changesSince } from "../shared/since.js";

export function Since({ playerId }: { playerId: string | null }) {
  const restored = useView(view => view.restored, false);
  const document = useView(view => view.document, null);
  const before = useView(keptOfThis, null);
  const [after, setAfter] = useState<JsonObject | null>(null);
  const [seen, setSeen] = useState(false);
  // Only what was news on coming back is told here; what happens from then on is seen to happen.
  if (!restored && before !== null && after === null && document !== null) setAfter(document);
  const changes = useMemo(
    () => (before === null || after === null || seen ? [] : changesSince(before, after, playerId)),
    [before, after, seen, playerId],
  );
  if (restored) return <p className="notice hush">This is how you left it.</p>;
  if (changes.length === 0) return null;
  return (
    <div className="board since" role="status">
      <div className="row">
        <h2>While you were gone</h2>
        <button type="button" onClick={() => setSeen(true)}>
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

/** What this browser had of the game that is played now. */
function keptOfThis({ kept, campaignId }: View): JsonObject | null {
  return kept?.campaign_id === campaignId ? (kept?.document ?? null) : null;
}
