/** Who is at the table. */

import type { Member } from "@questlog/client";
import { useClient, useView } from "@questlog/react";
import { useState } from "react";
import type { Seat } from "../shared/seat.js";

const NOBODY: readonly Member[] = [];
const NONE: Readonly<Record<string, number>> = {};

export function Company({ seat }: { seat: Seat }) {
  const client = useClient();
  const members = useView(view => view.company.members, NOBODY);
  const counts = Object.entries(useView(view => view.company.counts, NONE));
  const [ready, setReady] = useState(false);
  return (
    <div className="board">
      <div className="row">
        <h2>At the table</h2>
        {seat.role === "player" && (
          <button
            type="button"
            aria-pressed={ready}
            onClick={() => {
              client?.sayStatus(ready ? null : "ready");
              setReady(!ready);
            }}
          >
            Ready
          </button>
        )}
      </div>
      <ul className="company">
        {members.map(each => (
          <li key={`${each.role} ${each.player_id}`} className={each.connections > 0 ? "" : "hush"}>
            <span dir="auto">{memberName(each)}</span>
            {each.player_id === seat.playerId && each.role === seat.role && (
              <span className="hush"> (you)</span>
            )}
            <span className="hush small">
              {each.connections > 0 ? (each.status ?? "") : "away for a moment"}
            </span>
          </li>
        ))}
        {counts.map(([role, count]) => (
          <li key={role}>
            {count} {role === "dm" ? "DM" : `${role}s`}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function memberName({ role, player_id }: Pick<Member, "role" | "player_id">): string {
  if (role === "dm")
    return player_id === null || player_id === "dm" ? "The DM" : `${player_id}, DM`;
  return player_id ?? (role === "player" ? "Somebody" : "Spectators");
}
