/** What the DM tells; with it, and what is done last, a way back. */

import { useClient } from "@questlog/react";
import { type FormEvent, useState } from "react";
import { tell } from "./actions.js";
import { useDesk } from "./desk.js";

export function Tell() {
  const desk = useDesk();
  const client = useClient();
  const [text, setText] = useState("");
  const [speaker, setSpeaker] = useState("DM");
  const last = desk.done.at(-1);

  function send(event: FormEvent): void {
    event.preventDefault();
    const document = client?.view.document;
    if (!document || text.trim() === "") return;
    void desk.act(tell(document, speaker.trim() || "DM", text.trim(), new Date()));
    setText("");
  }

  return (
    <footer className="hand">
      <form onSubmit={send}>
        {desk.problem !== null && (
          <p className="ember" role="alert">
            {desk.problem}
          </p>
        )}
        <div className="row telling">
          <input
            className="speaker"
            aria-label="Who speaks"
            value={speaker}
            onChange={event => setSpeaker(event.target.value)}
          />
          <textarea
            rows={1}
            aria-label="What is told"
            placeholder="Tell what happens (Markdown)"
            value={text}
            onChange={event => setText(event.target.value)}
            onKeyDown={event => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
            }}
          />
          <button type="submit" className="main" disabled={text.trim() === ""}>
            Tell
          </button>
          <button
            type="button"
            disabled={last === undefined}
            title={last === undefined ? "Nothing to take back" : `Take back: ${last.says}`}
            onClick={() => void desk.undo()}
          >
            Undo
          </button>
        </div>
        {last !== undefined && (
          <p className="hush small" role="status">
            Last: {last.says}
          </p>
        )}
      </form>
    </footer>
  );
}
