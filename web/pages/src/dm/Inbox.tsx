/** What players propose: accepted, answered or dismissed by one click. */

import type { SuggestionTold } from "@questlog/client";
import { useClient, useView } from "@questlog/react";
import { useState } from "react";
import { useDesk } from "./desk.js";

const NONE: readonly SuggestionTold[] = [];

export function Inbox() {
  const told = useView(view => view.company.suggestions, NONE);
  const waiting = told.filter(each => each.state === "pending");
  return (
    <div className="board" aria-live="polite">
      <h2>
        Suggestions{waiting.length > 0 && <span className="chip river"> {waiting.length}</span>}
      </h2>
      {waiting.length === 0 && <p className="hush">Nobody proposes anything.</p>}
      <ul className="inbox">
        {waiting.map(each => (
          <li key={`${each.player_id} ${each.id}`}>
            <Suggestion suggestion={each} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Suggestion({ suggestion }: { suggestion: SuggestionTold }) {
  const client = useClient();
  const desk = useDesk();
  const [answer, setAnswer] = useState("");
  const { id, player_id, content } = suggestion;

  function decide(decision: "accepted" | "dismissed" | "answered"): void {
    const said = answer.trim();
    const message = { id, player_id, decision, answer: said === "" ? null : said };
    void desk.attempt(async () => client?.decide(message));
    setAnswer("");
  }

  return (
    <fieldset className="card">
      <legend>
        <strong dir="auto">{player_id ?? "Somebody"}</strong>
      </legend>
      <p className="tale" dir="auto">
        {content}
      </p>
      {suggestion.answer !== null && (
        <p className="hush small" dir="auto">
          You said: {suggestion.answer}
        </p>
      )}
      <input
        aria-label={`A word to ${player_id ?? "them"}`}
        placeholder="A word to them"
        value={answer}
        onChange={event => setAnswer(event.target.value)}
      />
      <div className="tools">
        <button type="button" className="main" onClick={() => decide("accepted")}>
          Accept
        </button>
        <button type="button" disabled={answer.trim() === ""} onClick={() => decide("answered")}>
          Answer
        </button>
        <button type="button" onClick={() => decide("dismissed")}>
          Dismiss
        </button>
      </div>
    </fieldset>
  );
}
