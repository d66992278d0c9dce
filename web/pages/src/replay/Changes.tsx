/** What a step changed: from what to what. */

import type { Json } from "@questlog/client";
import { memo } from "react";
import { Markdown } from "../shared/Markdown.js";
import { label } from "../shared/things.js";
import type { Logged } from "./archive.js";
import { type Change, MOST, placeName } from "./changes.js";
import { actorName, brief } from "./words.js";

/** Longer texts are told as such: under the list there is the document. */
const LONGEST = 1_200;
const IN_LINE = 60;

export function Step({
  event,
  changes,
  document,
  own,
}: {
  event: Logged | undefined;
  changes: readonly Change[];
  document: Json;
  /** Whether it is told as the DM has it: others may not know of it. */
  own: boolean;
}) {
  return (
    <div className="board">
      <h2>What changed</h2>
      {own && event !== undefined && (
        <p className="small">
          <code>{event.kind}</code> <span className="hush">by {actorName(event.actor)}</span>
        </p>
      )}
      {own && event !== undefined && <Told data={event.data} />}
      {event?.version === 1 ? (
        <p className="hush">The campaign begins.</p>
      ) : (
        <ChangeList changes={changes} document={document} none="Nothing that is seen here." />
      )}
    </div>
  );
}

/** What a built-in kind carries: a suggestion's text, the rules. */
function Told({ data }: { data: Logged["data"] }) {
  const members = Object.entries(data).filter(([, value]) => value !== null);
  if (members.length === 0) return null;
  return (
    <dl className="told small">
      {members.map(([member, value]) => (
        <div key={member}>
          <dt className="hush">{label(member)}</dt>
          <dd dir="auto">{cut(brief(value))}</dd>
        </div>
      ))}
    </dl>
  );
}

export const ChangeList = memo(function ChangeList({
  changes,
  document,
  none,
}: {
  changes: readonly Change[];
  document: Json;
  none: string;
}) {
  if (changes.length === 0) return <p className="hush">{none}</p>;
  return (
    <>
      <ul
        className="changes"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
      >
        {changes.slice(0, MOST).map((change, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a place may change twice in one step
          <li key={index}>
            <p className="hush small" dir="auto">
              {placeName(change.tokens, document)}
            </p>
            <FromTo before={change.before} after={change.after} />
          </li>
        ))}
      </ul>
      {changes.length > MOST && <p className="hush">and more</p>}
    </>
  );
});

function FromTo({ before, after }: { before: Json | undefined; after: Json | undefined }) {
  if (after === undefined) {
    return (
      <p className="gone">
        <span className="unseen">Gone: </span>
        <del dir="auto">{cut(brief(before))}</del>
      </p>
    );
  }
  if (typeof after === "string" && after.length > IN_LINE) {
    const grew = typeof before === "string" && before !== "" && after.startsWith(before);
    return (
      <div className="come tale" dir="auto">
        <span className="unseen">{grew ? "It went on: " : "Now: "}</span>
        <Markdown text={cut(grew ? `… ${after.slice(before.length)}` : after)} />
      </div>
    );
  }
  if (before === undefined) {
    return (
      <p className="come">
        <span className="unseen">New: </span>
        <ins dir="auto">{cut(brief(after))}</ins>
      </p>
    );
  }
  return (
    <p className="from-to">
      <del dir="auto">{cut(brief(before))}</del>
      <span aria-hidden="true"> → </span>
      <span className="unseen"> became </span>
      <ins dir="auto">{cut(brief(after))}</ins>
      {typeof before === "number" && typeof after === "number" && (
        <span className={after < before ? "ember" : "moss"}>
          {" "}
          ({after < before ? "−" : "+"}
          {Math.abs(after - before)})
        </span>
      )}
    </p>
  );
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
