/** One's own character, what only one knows, and what one may do. */

import { isObject, type Json, joinPointer } from "@questlog/client";
import { useClient, usePart } from "@questlog/react";
import { useMemo } from "react";
import { Bag } from "../shared/Bag.js";
import { characterOf, charactersOf, currentOf, isCurrent } from "../shared/document.js";
import { useFew } from "../shared/few.js";
import { Markdown } from "../shared/Markdown.js";
import { restOfCharacter } from "../shared/rest.js";
import { Points, Sheet } from "../shared/Sheet.js";
import { Tree } from "../shared/Tree.js";
import { Mores } from "../shared/Trees.js";
import { thingsOf } from "../shared/things.js";

const NOTES = ["notes", "secrets", "knows"];
const OPTIONS = ["options", "actions", "choices"];

/** One's own hit points in a line, wherever on the page one is. */
export function OwnPoints({ playerId }: { playerId: string | null }) {
  const characters = usePart("/characters");
  const mine = useMemo(
    () => characterOf(charactersOf(characters), playerId),
    [characters, playerId],
  );
  return mine === null ? null : <Points name={mine.name} value={mine.value} />;
}

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
            <Bag title="You carry" value={mine.value.inventory} />
            {restOfCharacter(mine.value).map(({ member, name, value }) => (
              <Tree key={member} name={name} value={value} />
            ))}
          </>
        )}
      </div>
      {playerId !== null && <Private playerId={playerId} />}
    </>
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
  const [notes, more] = useFew(thingsOf(value));
  if (notes.length === 0) return <p className="hush">No notes.</p>;
  return (
    <>
      <ul className="notes tale">
        {notes.map(({ key, name }) => (
          <li key={key} dir="auto">
            <Markdown text={name} />
          </li>
        ))}
      </ul>
      {more}
      <Mores of={notes} />
    </>
  );
}

/** What one may do: chosen, it is proposed to the DM. */
function Options({ value }: { value: Json }) {
  const client = useClient();
  const [options, more] = useFew(thingsOf(value));
  return (
    <>
      <ul className="options" aria-label="Your options">
        {options.map(({ key, name }) => (
          <li key={key}>
            <button type="button" onClick={() => void client?.suggest(name).catch(() => {})}>
              {name}
            </button>
          </li>
        ))}
      </ul>
      {more}
      <Mores of={options} />
    </>
  );
}
