/** What the DM tells; with it, and what is done last, a way back. */

import { useView } from "@questlog/react";
import { type FormEvent, useState } from "react";
import { tell } from "./actions.js";
import { useDesk, useDeskState } from "./desk.js";

export function Tell() {
  const desk = useDesk();
  const { done, problems, waiting, stuck } = useDeskState();
  const live = useView(view => view.connection.state === "live", false);
  const [text, setText] = useState("");
  const [speaker, setSpeaker] = useState("DM");
  const last = done.at(-1);

  async function send(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (text.trim() === "") return;
    setText("");
    const who = speaker.trim() || "DM";
    // What was not told is not lost.
    const told = await desk.act(document => tell(document, who, text.trim(), new Date()));
    if (!told) setText(now => (now === "" ? text : now));
  }

  return (
    <footer className="hand">
      <form onSubmit={event => void send(event)}>
        {problems.length > 0 && (
          <ul className="ember" role="alert">
            {problems.map((each, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: they come one after the other
              <li key={index}>{each}</li>
            ))}
          </ul>
        )}
        {waiting > 0 && !live && (
          <p className="hush small" role="status">
            {waiting === 1 ? "One thing waits" : `${waiting} things wait`} for the connection.
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
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void send(event);
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
            {last !== undefined && last === stuck ? "Pass over" : "Undo"}
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
