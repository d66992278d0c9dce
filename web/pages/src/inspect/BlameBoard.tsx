/** Whom the log names for a value: the event that made each of its leaves what it is. */

import { useView } from "@questlog/react";
import { useEffect, useRef, useState } from "react";
import { useStore } from "../shared/store.js";
import type { Blamed } from "./blame.js";
import { type Asked, useDesk } from "./desk.js";
import { clock, inShort, toneOf } from "./text.js";

const PAGE = 100;

export function BlameBoard() {
  const desk = useDesk();
  const asked = useStore(desk.asked);
  if (asked === null) return null;
  return <Answer key={`${asked.pointer} ${asked.at}`} asked={asked} />;
}

function Answer({ asked }: { asked: Asked }) {
  const desk = useDesk();
  const heading = useRef<HTMLHeadingElement>(null);
  const [count, setCount] = useState(PAGE);
  // Who asked by keyboard goes on from the answer, wherever on the page it is.
  useEffect(() => heading.current?.focus(), []);
  const { pointer, leaves, state, problem } = asked;
  return (
    <div className="board blame">
      <div className="row">
        <h2 ref={heading} tabIndex={-1}>
          Who set <span className="pointer">{pointer === "" ? "all of it" : pointer}</span>
        </h2>
        <button type="button" className="slim" onClick={() => desk.forget()}>
          Close<span className="unseen"> the blame</span>
        </button>
      </div>
      <Times asked={asked} />
      {problem !== null && <p className="ember small">{problem}</p>}
      <p className="hush small" role="status">
        {saidOf(asked)}
      </p>
      <ul className="blamed">
        {leaves.slice(0, count).map(each => (
          <Leaf key={each.pointer} leaf={each} start={pointer} />
        ))}
      </ul>
      {leaves.length > count && (
        <button type="button" className="slim" onClick={() => setCount(count + PAGE)}>
          {leaves.length - count} more
        </button>
      )}
      {state === "looking" && (
        <button type="button" className="slim" onClick={() => desk.stop()}>
          Stop looking
        </button>
      )}
    </div>
  );
}

function saidOf({ leaves, looked, at, state }: Asked): string {
  const missing = leaves.filter(each => each.event === null).length;
  const where = looked > at ? "" : ` Looked at versions ${looked} to ${at}.`;
  if (state === "looking") return `Looking back…${where}`;
  if (missing > 0) return `${missing} of ${leaves.length} not found yet.${where}`;
  return leaves.length === 0 ? "" : `As of version ${at}.${where}`;
}

/** As of when: now, with the event it was asked of, or before that. */
function Times({ asked }: { asked: Asked }) {
  const desk = useDesk();
  const version = useView(view => view.version, 0);
  const { pointer, at, event } = asked;
  const times: [string, number][] = [["Now", version]];
  if (event !== null && event !== version) times.push([`After event ${event}`, event]);
  if (event !== null && event > 1) times.push([`Before event ${event}`, event - 1]);
  if (times.length === 1 && at === version) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="steps" role="group" aria-label="As of">
      {times.map(([name, each]) => (
        <button
          type="button"
          className="slim"
          key={name}
          aria-pressed={each === at}
          onClick={() => void desk.blame(pointer, each, event)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

function Leaf({ leaf, start }: { leaf: Blamed; start: string }) {
  const desk = useDesk();
  const { pointer, value, event } = leaf;
  const below = pointer.slice(start.length);
  return (
    <li>
      <span className="pointer">{below === "" ? pointer : below}</span>
      <code className="value" dir="auto">
        {inShort(value)}
      </code>
      {event === null ? (
        <span className="hush small">not found yet</span>
      ) : (
        <span className="by small">
          <button type="button" className="place" onClick={() => desk.choose(event.version)}>
            version {event.version}
          </button>{" "}
          <span className={`kind ${toneOf(event.kind)}`}>{event.kind}</span>{" "}
          <span className="hush">
            by {event.actor.member}, {clock(new Date(event.at))}
          </span>
        </span>
      )}
    </li>
  );
}
