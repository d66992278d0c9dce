/** The present document: whatever is pressed is blamed. */

import { isObject, type Json, joinPointer } from "@questlog/client";
import { useView } from "@questlog/react";
import { memo, useState } from "react";
import { useDesk } from "./desk.js";
import { inShort } from "./text.js";

/** Entries of a list or object that are drawn at once. */
const PAGE = 100;

export function DocumentBoard() {
  const document = useView(view => view.document, null);
  return (
    <div className="board">
      <h2>The document now</h2>
      <p className="hush small">Press a name or a value to see who set it.</p>
      {document === null ? (
        <p className="hush">There is none yet.</p>
      ) : (
        <Entries value={document} pointer="" />
      )}
    </div>
  );
}

const Entries = memo(function Entries({ value, pointer }: { value: Json; pointer: string }) {
  const [count, setCount] = useState(PAGE);
  const entries = entriesOf(value) ?? [];
  return (
    <ul className="entries">
      {entries.slice(0, count).map(([token, each]) => (
        <Entry key={token} token={token} value={each} above={pointer} />
      ))}
      {entries.length > count && (
        <li>
          <button type="button" className="slim" onClick={() => setCount(count + PAGE)}>
            {entries.length - count} more
          </button>
        </li>
      )}
    </ul>
  );
});

const Entry = memo(function Entry({
  token,
  value,
  above,
}: {
  token: string;
  value: Json;
  above: string;
}) {
  const desk = useDesk();
  const [open, setOpen] = useState(false);
  const inside = entriesOf(value);
  const holds = inside !== null && inside.length > 0;
  const pointer = above + joinPointer([token]);
  return (
    <li>
      <span className="entry">
        {holds ? (
          <button
            type="button"
            className="fold"
            aria-expanded={open}
            aria-label={`Inside ${pointer}`}
            onClick={() => setOpen(!open)}
          >
            <span aria-hidden="true">{open ? "▾" : "▸"}</span>
          </button>
        ) : (
          <span className="fold" aria-hidden="true">
            ·
          </span>
        )}
        <button
          type="button"
          className="place"
          onClick={() => void desk.blame(pointer, desk.client.view.version)}
        >
          <span className="unseen">Blame </span>
          <span className="name" dir="auto">
            {token === "" ? "“”" : token}
          </span>{" "}
          <span className={holds ? "hush" : "value"} dir="auto">
            {holds ? sizeOf(value, inside.length) : inShort(value)}
          </span>
        </button>
      </span>
      {open && holds && <Entries value={value} pointer={pointer} />}
    </li>
  );
});

function entriesOf(value: Json): [string, Json][] | null {
  if (Array.isArray(value)) return value.map((each, index) => [String(index), each]);
  return isObject(value) ? Object.entries(value) : null;
}

function sizeOf(value: Json, count: number): string {
  return Array.isArray(value) ? `[${count}]` : `{${count}}`;
}
