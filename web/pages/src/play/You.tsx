/** One's own character, what only one knows, and what one may do. */

import { isObject, type Json, joinPointer } from "@questlog/client";
import { useClient, usePart } from "@questlog/react";
import { useMemo } from "react";
import {
  characterOf,
  charactersOf,
  currentOf,
  entriesOf,
  isCurrent,
  itemsOf,
  label,
  nameOf,
} from "../shared/document.js";
import { Markdown } from "../shared/Markdown.js";
import { Sheet } from "../shared/Sheet.js";
import { Tree } from "../shared/Tree.js";

/** Members of a character that the sheet shows itself. */
const ON_SHEET = new Set(["id", "player", "player_id", "name", "role", "hp", "ac", "conditions"]);
const NOTES = ["notes", "secrets", "knows"];
const OPTIONS = ["options", "actions", "choices"];

export function You({ playerId }: { playerId: string | null }) {
  const characters = usePart("/characters");
  const info = usePart("/turn_info");
  const mine = useMemo(
    () => characterOf(charactersOf(characters), playerId),
    [characters, playerId],
  );
  return (
    <>
      <div className="board">
        <h2>You</h2>
        {mine === null ? (
          <p className="hush">No character of yours is at the table.</p>
        ) : (
          <>
            <Sheet
              name={mine.name}
              value={mine.value}
              turn={isCurrent(mine, currentOf(info))}
              mine
            />
            <Bag value={mine.value.inventory} />
            {Object.entries(mine.value)
              .filter(([member]) => !ON_SHEET.has(member) && member !== "inventory")
              .map(([member, value]) => (
                <Tree key={member} name={member} value={value} />
              ))}
          </>
        )}
      </div>
      {playerId !== null && <Private playerId={playerId} />}
    </>
  );
}

function Bag({ value }: { value: Json | undefined }) {
  const items = itemsOf(value);
  if (items.length === 0) return null;
  return (
    <div>
      <h3 className="small">You carry</h3>
      <ul className="bag">
        {items.map(({ key, name, count }) => (
          <li key={key} dir="auto">
            {name}
            {count !== 1 && <span className="hush"> ×{count}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Private({ playerId }: { playerId: string }) {
  const own = usePart(joinPointer(["private", playerId]));
  if (own === undefined) return null;
  const members: [string, Json][] = isObject(own) ? Object.entries(own) : [["notes", own]];
  return (
    <div className="board private">
      <h2>For your eyes</h2>
      {members.map(([member, value]) => {
        if (OPTIONS.includes(member)) return <Options key={member} value={value} />;
        if (NOTES.includes(member)) return <Notes key={member} value={value} />;
        return <Tree key={member} name={member} value={value} />;
      })}
    </div>
  );
}

function Notes({ value }: { value: Json }) {
  const notes = entriesOf(value);
  if (notes.length === 0) return <p className="hush">No notes.</p>;
  return (
    <ul className="notes tale">
      {notes.map(([key, note]) => (
        <li key={key} dir="auto">
          <Markdown text={nameOf(note) ?? label(key)} />
        </li>
      ))}
    </ul>
  );
}

/** What one may do: chosen, it is proposed to the DM. */
function Options({ value }: { value: Json }) {
  const client = useClient();
  return (
    <ul className="options" aria-label="Your options">
      {entriesOf(value).map(([key, option]) => {
        const text = nameOf(option) ?? label(key);
        return (
          <li key={key}>
            <button type="button" onClick={() => void client?.suggest(text).catch(() => {})}>
              {text}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
