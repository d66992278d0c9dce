/** What one proposes to the DM, and what becomes of it; sent when there is a connection again. */

import type { Refused, SuggestionTold } from "@questlog/client";
import { useClient, useView } from "@questlog/react";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Seat } from "../shared/seat.js";

const LONGEST = 4_000;
const TYPING = 4_000;
const LATEST = 3;
const NONE: readonly SuggestionTold[] = [];
const NOTHING: readonly Refused[] = [];
const FATES = { pending: "With the DM", accepted: "Accepted", dismissed: "Not now" } as const;

export function Suggest({ seat }: { seat: Seat }) {
  const client = useClient();
  const [text, setText] = useState("");
  const closed = useView(view => view.connection.closed !== null, false);
  const typing = useTyping();
  if (seat.role === "spectator") return null;

  function send(event: FormEvent): void {
    event.preventDefault();
    const content = text.trim();
    if (client === null || content === "" || closed) return;
    setText("");
    typing(false);
    // What becomes of it is told below.
    client.suggest(content).catch(() => {});
  }

  return (
    <form className="suggest" onSubmit={send}>
      <Fates playerId={seat.playerId} />
      <Refusals
        mend={content => setText(now => (now.trim() === "" ? content : `${now} ${content}`))}
      />
      <div className="row">
        <input
          aria-label="What do you do?"
          placeholder="What do you do?"
          value={text}
          maxLength={LONGEST}
          enterKeyHint="send"
          autoComplete="off"
          onChange={event => {
            setText(event.target.value);
            typing(event.target.value !== "");
          }}
        />
        <button type="submit" className="main" disabled={text.trim() === "" || closed}>
          Suggest
        </button>
      </div>
    </form>
  );
}

/** Says that somebody types, for a while after each key. */
function useTyping(): (typing: boolean) => void {
  const client = useClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useMemo(
    () => (typing: boolean) => {
      clearTimeout(timer.current);
      client?.sayStatus(typing ? "typing" : null);
      if (typing) timer.current = setTimeout(() => client?.sayStatus(null), TYPING);
    },
    [client],
  );
}

/** What was refused, perhaps long after it was said: it is not lost, and may be mended. */
function Refusals({ mend }: { mend: (content: string) => void }) {
  const client = useClient();
  const refused = useView(view => view.refused, NOTHING);
  if (refused.length === 0) return null;
  return (
    <ul className="fates small" role="alert">
      {refused.map(({ suggestion: { id, content }, error }) => (
        <li key={id} data-state="refused">
          <span className="ember">{error.message}</span> <span dir="auto">{content}</span>{" "}
          <button
            type="button"
            className="slim"
            onClick={() => {
              mend(content);
              client?.dismiss(id);
            }}
          >
            Write it anew
          </button>
        </li>
      ))}
    </ul>
  );
}

function Fates({ playerId }: { playerId: string | null }) {
  const told = useView(view => view.company.suggestions, NONE);
  const unanswered = useView(view => view.unanswered, []);
  const closed = useView(view => view.connection.closed !== null, false);
  const [all, setAll] = useState(false);
  const mine = told.filter(each => each.player_id === playerId);
  const own = all ? mine : mine.slice(-LATEST);
  const waiting = unanswered.filter(each => !told.some(known => known.id === each.id));
  if (own.length + waiting.length === 0) return null;
  return (
    <ul className="fates small" aria-label="What you suggested" aria-live="polite">
      {mine.length > LATEST && (
        <li>
          <button type="button" className="slim" onClick={() => setAll(!all)}>
            {all ? "Only the latest" : `${mine.length - LATEST} before`}
          </button>
        </li>
      )}
      {own.map(each => (
        <li key={each.id} data-state={each.state}>
          <span className={`chip ${toneOf(each.state)}`}>{FATES[each.state]}</span>{" "}
          <span dir="auto">{each.content}</span>
          {each.answer !== null && <em dir="auto"> — {each.answer}</em>}
        </li>
      ))}
      {waiting.map(each => (
        <li key={each.id} data-state="unsent">
          <span className="chip">{closed ? "Not sent" : "On its way"}</span>{" "}
          <span dir="auto">{each.content}</span>
        </li>
      ))}
    </ul>
  );
}

function toneOf(state: SuggestionTold["state"]): string {
  return { pending: "river", accepted: "moss", dismissed: "hush" }[state];
}
