/** Whose eyes one looks through. */

import { isObject, type JsonObject } from "@questlog/client";
import { useMemo, useState } from "react";
import { charactersOf } from "../shared/document.js";
import type { Session } from "./archive.js";
import { type History, objectOf } from "./history.js";

const OTHER = "other";

export function Viewer({
  as,
  setAs,
  history,
  head,
  sessions,
}: {
  as: string | null;
  setAs: (as: string | null) => void;
  history: History;
  head: number;
  sessions: readonly Session[];
}) {
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState("");
  const known = useMemo(
    () => playersOf(history, objectOf(history.at(head)), sessions),
    [history, head, sessions],
  );
  const asked = as?.startsWith("player:") ? as.slice("player:".length) : null;
  const players = asked === null || known.includes(asked) ? known : [...known, asked];
  return (
    <>
      <label>
        <span className="hush small">Seen as</span>
        <select
          value={asking ? OTHER : (as ?? "dm")}
          onChange={event => {
            const { value } = event.target;
            setAsking(value === OTHER);
            if (value !== OTHER) setAs(value === "dm" ? null : value);
          }}
        >
          <option value="dm">the DM</option>
          {players.map(each => (
            <option key={each} value={`player:${each}`}>
              {each}
            </option>
          ))}
          <option value="player">a player without a name</option>
          <option value="spectator">a spectator</option>
          <option value={OTHER}>another player…</option>
        </select>
      </label>
      {asking && (
        <form
          onSubmit={event => {
            event.preventDefault();
            if (name.trim() === "") return;
            setAs(`player:${name.trim()}`);
            setAsking(false);
          }}
        >
          <input
            aria-label="The player's id"
            placeholder="The player's id"
            value={name}
            autoComplete="off"
            onChange={event => setName(event.target.value)}
          />
        </form>
      )}
    </>
  );
}

/** Whom the log, the document and the sessions know. */
function playersOf(history: History, document: JsonObject, sessions: readonly Session[]): string[] {
  const players = new Set<string>();
  for (const { actor } of history.events) if (actor.role === "player") players.add(actor.member);
  for (const { present } of sessions) {
    for (const { role, player_id } of present) {
      if (role === "player" && player_id !== null) players.add(player_id);
    }
  }
  if (isObject(document.private)) for (const id of Object.keys(document.private)) players.add(id);
  for (const { player } of charactersOf(document.characters)) {
    if (player !== null) players.add(player);
  }
  return [...players].sort();
}
