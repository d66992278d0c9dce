/**
 * The whole document as a tree, in which every value can be changed, added and taken away; each is
 * one commit, which tests that the value is still what was seen.
 */

import {
  equal,
  getAt,
  isObject,
  type Json,
  type JsonObject,
  joinPointer,
  parsePointer,
} from "@questlog/client";
import { useView } from "@questlog/react";
import { type FormEvent, memo, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useStore } from "../shared/store.js";
import { isTooLarge } from "../shared/things.js";
import { edit, insert } from "./actions.js";
import { type Draft, useDesk } from "./desk.js";

/** Of a list longer than this the last are shown, and the others as they are asked for. */
const PAGE = 100;

export function Editor() {
  const document = useView(view => view.document, null);
  const campaignId = useView(view => view.campaignId, null);
  if (document === null) return null;
  return (
    <div className="board editor">
      <h2>Document</h2>
      <p className="hush small">
        A value is JSON: <code>12</code>, <code>"text"</code>, <code>true</code>,{" "}
        <code>{"{…}"}</code>; anything else is taken as text.
      </p>
      <Orphans document={document} />
      {/* Of another campaign, another tree: what is open and written in one is not so in the other. */}
      <Members key={campaignId} pointer="" value={document} depth={0} />
    </div>
  );
}

/** What was being written where nothing is any more: somebody has taken it away. */
function Orphans({ document }: { document: JsonObject }) {
  const desk = useDesk();
  const drafts = useStore(desk.drafts);
  const campaignId = useView(view => view.campaignId, null);
  const gone = drafts.filter(
    each =>
      each.campaignId === campaignId && getAt(document, parsePointer(each.pointer)) === undefined,
  );
  return gone.map(({ pointer, text }) => (
    <div className="field" key={pointer} role="alert">
      <p className="ember small">{pointer} is gone. This is what you were writing there:</p>
      <textarea readOnly aria-label={`What was written at ${pointer}`} value={text} />
      <button type="button" onClick={() => desk.draft(pointer, null)}>
        Leave
      </button>
    </div>
  ));
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
  const desk = useDesk();
  const draft = useDraft(pointer);
  const line = useRef<HTMLDivElement>(null);
  const [left, setLeft] = useState(0);
  useEffect(() => {
    // Whoever has written goes on from where they began.
    if (left > 0) line.current?.querySelector<HTMLElement>("[data-edit]")?.focus();
  }, [left]);
  const begin = () => desk.draft(pointer, { seen: value, text: JSON.stringify(value, null, 2) });
  const done = (): void => {
    desk.draft(pointer, null);
    setLeft(left + 1);
  };
  const inner = Array.isArray(value) || isObject(value);
  const size = inner ? Object.keys(value).length : 0;
  return (
    <div className="node">
      <div className="line" ref={line}>
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
        {draft !== undefined ? (
          <Field pointer={pointer} value={value} draft={draft} done={done} />
        ) : (
          <>
            {!inner && (
              <button
                type="button"
                className="value"
                data-edit
                aria-label={`${JSON.stringify(value)}: change ${pointer}`}
                onClick={begin}
              >
                {JSON.stringify(value)}
              </button>
            )}
            <span className="more">
              {inner && (
                <button type="button" data-edit aria-label={`Edit ${pointer}`} onClick={begin}>
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

function useDraft(pointer: string): Draft | undefined {
  const desk = useDesk();
  return useSyncExternalStore(desk.drafts.subscribe, () => desk.draftAt(pointer));
}

interface Of {
  pointer: string;
  value: Json;
  draft: Draft;
  done: () => void;
}

function Field({ pointer, value, draft, done }: Of) {
  const desk = useDesk();
  // What is replaced is what was seen when it was opened, and nothing that came there since.
  const { seen, text } = draft;
  const setText = (text: string) => desk.draft(pointer, { seen, text });
  const [busy, setBusy] = useState(false);
  const read = readValue(text);
  const inside = isTooLarge(seen);
  async function save(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (read === null || inside || busy) return;
    setBusy(true);
    const { value: after } = read;
    if (equal(after, seen) || (await desk.act(() => edit(pointer, seen, after)))) done();
    else setBusy(false);
  }
  return (
    <form className="field" onSubmit={event => void save(event)}>
      <textarea
        // biome-ignore lint/a11y/noAutofocus: it was opened to be written in
        autoFocus
        aria-label={`The value of ${pointer}`}
        rows={Math.min(12, text.split("\n").length)}
        value={text}
        onChange={event => setText(event.target.value)}
        onKeyDown={event => {
          if (event.key === "Escape") done();
          if (event.key === "Enter" && !event.shiftKey) void save(event);
        }}
      />
      <button type="submit" disabled={read === null || inside || busy}>
        Save
      </button>
      <button type="button" onClick={done}>
        Leave
      </button>
      {read === null && <p className="ember small">This is not JSON yet. A text is put in "".</p>}
      {inside && <p className="ember small">It holds a number that a browser would round.</p>}
      {!busy && !equal(seen, value) && (
        <p className="ember small" role="alert">
          It has changed meanwhile, to {JSON.stringify(value).slice(0, 80)}: leave, and look again.
        </p>
      )}
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
  const read = readValue(text);
  async function save(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (read === null) return;
    const place = pointer + (list ? "/-" : joinPointer([name]));
    if (!(await desk.act(document => insert(document, place, read.value)))) return;
    setOpen(false);
    setName("");
    setText("");
  }
  return (
    <form className="field" onSubmit={event => void save(event)}>
      {!list && (
        <input
          aria-label="The member's name"
          placeholder="name"
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
      <button type="submit" disabled={read === null}>
        Add
      </button>
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
      onClick={() => void desk.act(() => edit(pointer, value, undefined))}
    >
      ×
    </button>
  );
}

/** JSON where it is some; null where it was meant to be; else the text itself, as people write it. */
function readValue(text: string): { value: Json } | null {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return /^\s*[[{"]/.test(text) ? null : { value: text };
  }
}
