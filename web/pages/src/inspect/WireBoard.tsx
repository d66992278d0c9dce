/** What this page says to the server and hears from it, newest first. */

import { memo, useState } from "react";
import { useStore } from "../shared/store.js";
import { useDesk } from "./desk.js";
import { pretty } from "./pretty.js";
import { clock, sizeOf } from "./text.js";
import type { Message } from "./wire.js";

const ARROWS = { in: "↓", out: "↑", note: "•" } as const;
const WORDS = { in: "received", out: "sent", note: "connection" } as const;

export function WireBoard() {
  const { wire } = useDesk();
  const { messages, paused, missed, totals } = useStore(wire.store);
  return (
    <div className="board wire">
      <div className="row">
        <h2>The wire</h2>
        <div className="steps">
          <button
            type="button"
            className="slim"
            aria-pressed={paused}
            onClick={() => wire.pause(!paused)}
          >
            Pause
          </button>
          <button type="button" className="slim" onClick={() => wire.clear()}>
            Clear
          </button>
        </div>
      </div>
      <p className="hush small">
        {totals.in.count} in, {sizeOf(totals.in.bytes)} · {totals.out.count} out,{" "}
        {sizeOf(totals.out.bytes)}
        {paused && <span className="lit"> · paused, {missed} since</span>}
      </p>
      {messages.length === 0 ? (
        <p className="hush">Nothing yet.</p>
      ) : (
        <ol className="messages">
          {messages.map(each => (
            <Said key={each.number} message={each} />
          ))}
        </ol>
      )}
    </div>
  );
}

const Said = memo(function Said({ message }: { message: Message }) {
  const [open, setOpen] = useState(false);
  const { direction, type, at, size } = message;
  return (
    <li className={`message ${direction}`}>
      <details onToggle={event => setOpen(event.currentTarget.open)}>
        <summary>
          <time className="hush">{clock(new Date(at), true)}</time>
          <span className="arrow" aria-hidden="true">
            {ARROWS[direction]}
          </span>
          <span className="unseen">{WORDS[direction]}</span>
          <span className="type">{type}</span>
          <span className="hush">{direction === "note" ? "" : sizeOf(size)}</span>
        </summary>
        {open && <Text message={message} />}
      </details>
    </li>
  );
});

function Text({ message: { direction, text, cut } }: { message: Message }) {
  return (
    <>
      <pre className="value" dir="auto">
        {cut || direction === "note" ? text : pretty(text)}
      </pre>
      {cut && <p className="hush small">The rest is not kept.</p>}
    </>
  );
}
