/** The game at a moment: the scene, the party, the story; what the step changed is marked. */

import { isObject, type Json, type JsonObject } from "@questlog/client";
import { memo, useLayoutEffect, useMemo, useRef, useState } from "react";
import {
  charactersOf,
  currentOf,
  entriesOf,
  isCurrent,
  label,
  nameOf,
  nameOfCurrent,
  orderOf,
  restOf,
  textOf,
} from "../shared/document.js";
import { Markdown } from "../shared/Markdown.js";
import { Sheet } from "../shared/Sheet.js";
import { Tree } from "../shared/Tree.js";
import { touches } from "./changes.js";
import type { Scenery } from "./hooks.js";

/** So much of the story as one reads to know where one is. */
const TALES = 6;
const LONGEST = 200_000;

export const Stage = memo(function Stage({ scenery }: { scenery: Scenery }) {
  const { version, document, changes } = scenery;
  // At the beginning everything is new, and nothing is to be pointed at.
  const marked = version === 1 ? [] : changes;
  const is = (...place: string[]) => touches(marked, place);
  return (
    <>
      <Scene document={document} struck={is("scene") || is("status") || is("turn_info")} />
      <Party document={document} is={is} />
      <Story document={document} is={is} />
      <Rest document={document} is={is} />
      <Whole document={document} />
    </>
  );
});

type Is = (...place: string[]) => boolean;

function Scene({ document, struck }: { document: JsonObject; struck: boolean }) {
  const { scene, status, turn_info: info, combat_status: combat } = document;
  const current = useMemo(() => {
    const party = charactersOf(document.characters);
    return nameOfCurrent(info, party, orderOf(document.initiative, info, party));
  }, [document.characters, document.initiative, info]);
  const more = isObject(scene)
    ? Object.entries(scene).filter(([member]) => !["id", "name", "title"].includes(member))
    : [];
  // Some say it in a sentence of their own.
  const said = /round/i.test(nameOf(combat) ?? "");
  const round = isObject(info) && !said ? textOf(info.round) : null;
  const turn = textOf(document.turn);
  const facts = [
    ...more.map(([, value]) => nameOf(value)),
    textOf(status) === null ? null : label(textOf(status) ?? ""),
    nameOf(combat) === null ? null : label(nameOf(combat) ?? ""),
    round === null ? null : `Round ${round}`,
    turn === null ? null : /^[0-9]+$/.test(turn) ? `Turn ${turn}` : turn,
  ].filter(each => each !== null);
  if (nameOf(scene) === null && facts.length === 0 && current === null) return null;
  return (
    <div className={`scene${struck ? " struck" : ""}`}>
      {nameOf(scene) !== null && <h2 className="place">{nameOf(scene)}</h2>}
      <p className="hush small facts">
        {[...new Set(facts)].map(fact => (
          <span key={fact} dir="auto">
            {fact}
          </span>
        ))}
      </p>
      {current !== null && (
        <p className="now">
          It is the turn of <strong dir="auto">{current}</strong>.
        </p>
      )}
      <Chips name="About" value={document.environmental_conditions} tone="river" />
      <Chips name="Threats" value={document.immediate_threats} tone="ember" />
    </div>
  );
}

function Chips({ name, value, tone }: { name: string; value: Json | undefined; tone: string }) {
  const entries = entriesOf(value);
  if (entries.length === 0) return null;
  return (
    <ul className="chips" aria-label={name}>
      {entries.map(([key, each]) => (
        <li className={`chip ${tone}`} key={key}>
          {nameOf(each) ?? label(key)}
        </li>
      ))}
    </ul>
  );
}

function Party({ document, is }: { document: JsonObject; is: Is }) {
  const { characters, turn_info: info } = document;
  const party = useMemo(() => charactersOf(characters), [characters]);
  if (party.length === 0) return null;
  const current = currentOf(info);
  return (
    <div className="board">
      <h2>Party</h2>
      <ul className="company-at">
        {party.map(each => {
          const struck = is("characters", each.key);
          return (
            <li key={each.key} className={struck ? "struck" : ""}>
              {struck && <span className="unseen">Changed: </span>}
              <Sheet name={each.name} value={each.value} turn={isCurrent(each, current)} />
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Story({ document, is }: { document: JsonObject; is: Is }) {
  const { all_narratives: all, narrative } = document;
  const scroller = useRef<HTMLElement>(null);
  const now = textOf(narrative);
  const entries = entriesOf(all);
  const tales = entries.slice(-TALES).map(([key, entry]) => ({ key, entry, text: told(entry) }));
  const alone = now !== null && tales.at(-1)?.text !== now;
  const newest = alone ? now : tales.at(-1)?.text;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another end is what one reads from
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, [newest]);
  if (tales.length === 0 && now === null) return null;
  const earlier = entries.length - tales.length;
  return (
    <div className="board">
      <h2>Story</h2>
      <section
        className="roll-at"
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
        aria-label="The story up to here"
      >
        <ol className="entries">
          {earlier > 0 && <li className="hush small">{earlier} told before</li>}
          {tales.map(({ key, entry, text }) => (
            <li
              key={key}
              className={`tale${is("all_narratives", key) ? " struck" : ""}`}
              dir="auto"
            >
              {isObject(entry) && textOf(entry.speaker) !== null && (
                <p className="hush small speaker">{textOf(entry.speaker)}</p>
              )}
              <Markdown text={text} />
            </li>
          ))}
          {alone && (
            <li className={`tale${is("narrative") ? " struck" : ""}`} dir="auto">
              <Markdown text={now} />
            </li>
          )}
        </ol>
      </section>
    </div>
  );
}

/** An entry's text: also of a narration, as far as it was logged by then. */
function told(entry: Json): string {
  if (isObject(entry) && Array.isArray(entry.parts)) {
    return entry.parts.filter(part => typeof part === "string").join("");
  }
  return nameOf(isObject(entry) ? (entry.text ?? entry) : entry) ?? "";
}

function Rest({ document, is }: { document: JsonObject; is: Is }) {
  const rest = useMemo(() => {
    const own = ["initiative", "story_progression", "private"] as const;
    const shown = own.flatMap(member => {
      const value = document[member];
      return value === undefined ? [] : [[member, value] as [string, Json]];
    });
    return [...shown, ...restOf(document)];
  }, [document]);
  if (rest.length === 0) return null;
  return (
    <div className="board">
      <h2>Also here</h2>
      {rest.map(([member, value]) => (
        <div key={member} className={is(member) ? "struck" : ""}>
          <Tree name={member} value={value} />
        </div>
      ))}
    </div>
  );
}

/** The document itself, for who wants to know exactly. */
function Whole({ document }: { document: JsonObject }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="board whole" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>The document, as JSON</summary>
      {open && <Source document={document} />}
    </details>
  );
}

function Source({ document }: { document: JsonObject }) {
  const text = useMemo(() => JSON.stringify(document, null, 2), [document]);
  return (
    <>
      {text.length > LONGEST && <p className="hush small">Only how it begins:</p>}
      <section
        className="source"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
        aria-label="The document"
      >
        <pre className="verbatim small">{text.slice(0, LONGEST)}</pre>
      </section>
    </>
  );
}
