/**
 * The whole document as a tree, in which every value can be changed, added and taken away; each is
 * one commit, which tests that the value is still what was seen.
 */

import { isObject, type Json, joinPointer } from "@questlog/client";
import { useView } from "@questlog/react";
import { type FormEvent, memo, useState } from "react";
import { edit } from "./actions.js";
import { useDesk } from "./desk.js";

/** Of a list longer than this the last are shown, and the others as they are asked for. */
const PAGE = 100;

export function Editor() {
  const document = useView(view => view.document, null);
  if (document === null) return null;
  return (
    <div className="board editor">
      <h2>Document</h2>
      <p className="hush small">
        A value is JSON: <code>12</code>, <code>"text"</code>, <code>true</code>,{" "}
        <code>{"{…}"}</code>; anything else is taken as text.
      </p>
      <Members pointer="" value={document} depth={0} />
    </div>
  );
}

const Node = memo(function Node({
  name,
  pointer,
  value,
  depth,
}: {
  name: string;
  pointer: string;
  value: Json;
  depth: number;
}) {
  const [open, setOpen] = useState(false);
  const [editing, setEditing] = useState(false);
  const inner = Array.isArray(value) || isObject(value);
  const size = inner ? Object.keys(value).length : 0;
  return (
    <div className="node">
      <div className="line">
        {inner ? (
          <button
            type="button"
            className="fold"
            aria-expanded={open}
            onClick={() => setOpen(!open)}
          >
            {open ? "▾" : "▸"} {name} <span className="hush small">{size}</span>
          </button>
        ) : (
          <span className="name hush">{name}</span>
        )}
        {editing ? (
          <Field pointer={pointer} value={value} done={() => setEditing(false)} />
        ) : (
          <>
            {!inner && (
              <button
                type="button"
                className="value"
                aria-label={`${JSON.stringify(value)}: change ${pointer}`}
                onClick={() => setEditing(true)}
              >
                {JSON.stringify(value)}
              </button>
            )}
            <span className="more">
              {inner && (
                <button
                  type="button"
                  aria-label={`Edit ${pointer}`}
                  onClick={() => setEditing(true)}
                >
                  Edit
                </button>
              )}
              <Remove pointer={pointer} value={value} />
            </span>
          </>
        )}
      </div>
      {open && inner && <Members pointer={pointer} value={value} depth={depth + 1} />}
    </div>
  );
});

function Members({ pointer, value, depth }: { pointer: string; value: Json; depth: number }) {
  const [count, setCount] = useState(PAGE);
  const list = Array.isArray(value);
  const entries = Object.entries(value as object) as [string, Json][];
  const shown = list ? entries.slice(-count) : entries.slice(0, count);
  const more = entries.length > count && (
    <button type="button" onClick={() => setCount(count + PAGE)}>
      {entries.length - count} more
    </button>
  );
  return (
    <div className={depth === 0 ? "" : "inside"}>
      {list && more}
      {shown.map(([key, each]) => (
        <Node
          key={key}
          name={key}
          pointer={pointer + joinPointer([key])}
          value={each}
          depth={depth}
        />
      ))}
      {!list && more}
      <Add pointer={pointer} list={list} />
    </div>
  );
}

function Field({ pointer, value, done }: { pointer: string; value: Json; done: () => void }) {
  const desk = useDesk();
  const [text, setText] = useState(JSON.stringify(value, null, 2));
  function save(event: FormEvent): void {
    event.preventDefault();
    const after = readValue(text);
    if (JSON.stringify(after) !== JSON.stringify(value)) {
      void desk.act(edit(pointer, value, after));
    }
    done();
  }
  return (
    <form className="field" onSubmit={save}>
      <textarea
        // biome-ignore lint/a11y/noAutofocus: it was opened to be written in
        autoFocus
        aria-label={`The value of ${pointer}`}
        rows={Math.min(12, text.split("\n").length)}
        value={text}
        onChange={event => setText(event.target.value)}
        onKeyDown={event => {
          if (event.key === "Escape") done();
          if (event.key === "Enter" && !event.shiftKey) save(event);
        }}
      />
      <button type="submit">Save</button>
      <button type="button" onClick={done}>
        Leave
      </button>
    </form>
  );
}

function Add({ pointer, list }: { pointer: string; list: boolean }) {
  const desk = useDesk();
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  if (!open) {
    return (
      <button
        type="button"
        className="add small"
        aria-label={`Add to ${pointer || "the document"}`}
        onClick={() => setOpen(true)}
      >
        +
      </button>
    );
  }
  function save(event: FormEvent): void {
    event.preventDefault();
    const place = pointer + (list ? "/-" : joinPointer([name]));
    void desk.act(edit(place, undefined, readValue(text)));
    setOpen(false);
    setName("");
    setText("");
  }
  return (
    <form className="field" onSubmit={save}>
      {!list && (
        <input
          aria-label="The member's name"
          placeholder="name"
          required
          value={name}
          onChange={event => setName(event.target.value)}
        />
      )}
      <input
        aria-label="Its value"
        placeholder="value"
        value={text}
        onChange={event => setText(event.target.value)}
      />
      <button type="submit">Add</button>
      <button type="button" onClick={() => setOpen(false)}>
        Leave
      </button>
    </form>
  );
}

function Remove({ pointer, value }: { pointer: string; value: Json }) {
  const desk = useDesk();
  return (
    <button
      type="button"
      aria-label={`Remove ${pointer}`}
      onClick={() => void desk.act(edit(pointer, value, undefined))}
    >
      ×
    </button>
  );
}

/** JSON where it is some; else the text itself, as people write it. */
function readValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
