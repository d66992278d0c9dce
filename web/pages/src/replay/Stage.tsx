/** The game at a moment: the scene, the party, the story; what the step changed is marked. */

import type { JsonObject } from "@questlog/client";
import { memo, useLayoutEffect, useMemo, useRef, useState } from "react";
import {
  charactersOf,
  currentOf,
  isCurrent,
  orderOf,
  talesOf,
  taleText,
} from "../shared/document.js";
import { useFew } from "../shared/few.js";
import { More } from "../shared/More.js";
import { Order } from "../shared/Order.js";
import { restOf, restOfParty } from "../shared/rest.js";
import { SCENE, SceneView } from "../shared/SceneView.js";
import { Sheet } from "../shared/Sheet.js";
import { Tale } from "../shared/Tale.js";
import { Threads } from "../shared/Threads.js";
import { Tree } from "../shared/Tree.js";
import { Trees } from "../shared/Trees.js";
import { entriesOf } from "../shared/things.js";
import { touches } from "./changes.js";
import type { Scenery } from "./hooks.js";

/** So much of the story as one reads to know where one is. */
const TALES = 6;
const LONGEST = 200_000;
/** What the scene only reads names from. */
const PARTY: readonly string[] = ["characters", "initiative"];

export const Stage = memo(function Stage({ scenery }: { scenery: Scenery }) {
  const { version, document, changes } = scenery;
  // At the beginning everything is new, and nothing is to be pointed at.
  const marked = version === 1 ? [] : changes;
  const is = (...place: string[]) => touches(marked, place);
  return (
    <>
      <div className={SCENE.some(member => !PARTY.includes(member) && is(member)) ? "struck" : ""}>
        <SceneView {...partsOf(document)} />
      </div>
      <Party document={document} is={is} />
      <Story document={document} is={is} />
      <Rest document={document} is={is} />
      <Whole document={document} />
    </>
  );
});

/** Those members alone: while they are the same, what shows them is. */
function partsOf(document: JsonObject) {
  return Object.fromEntries(SCENE.map(member => [member, document[member]]));
}

type Is = (...place: string[]) => boolean;

function Party({ document, is }: { document: JsonObject; is: Is }) {
  const { characters, initiative, turn_info: info } = document;
  const party = useMemo(() => charactersOf(characters), [characters]);
  const [shown, more] = useFew(party);
  const order = useMemo(() => orderOf(initiative, info, party), [initiative, info, party]);
  const current = currentOf(info);
  return (
    <div className="board">
      <h2>Party</h2>
      <ul className="company-at">
        {shown.map(each => {
          const struck = is("characters", each.key);
          return (
            <li key={each.key} className={struck ? "struck" : ""}>
              {struck && <span className="unseen">Changed: </span>}
              <Sheet name={each.name} value={each.value} turn={isCurrent(each, current)} />
              <More name={each.name} value={each.value} />
            </li>
          );
        })}
      </ul>
      {more}
      <Trees of={restOfParty(characters)} />
      <Order of={order} current={current} />
    </div>
  );
}

function Story({ document, is }: { document: JsonObject; is: Is }) {
  const { all_narratives: all, narrative } = document;
  const scroller = useRef<HTMLElement>(null);
  const tales = useMemo(() => talesOf(all, narrative), [all, narrative]);
  const shown = tales.slice(-TALES);
  const newest = shown.at(-1)?.entry;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another end is what one reads from
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, [newest]);
  if (shown.length === 0) return null;
  const told = entriesOf(all);
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
          {tales.length > shown.length && (
            <li className="hush small">{tales.length - shown.length} told before</li>
          )}
          {shown.map(({ key, entry }, index) => {
            const place = told[tales.length - shown.length + index]?.[0];
            const struck = place === undefined ? is("narrative") : is("all_narratives", place);
            return (
              <li key={key} className={struck ? "struck" : ""}>
                <Tale entry={entry} text={taleText(entry)} />
              </li>
            );
          })}
        </ol>
      </section>
    </div>
  );
}

function Rest({ document, is }: { document: JsonObject; is: Is }) {
  const rest = useMemo(() => restOf(document, null), [document]);
  return (
    <>
      <div className={is("story_progression") ? "struck" : ""}>
        <Threads value={document.story_progression} />
      </div>
      {rest.length > 0 && (
        <div className="board">
          <h2>Also here</h2>
          {rest.map(({ member, name, value }) => (
            <div key={member} className={is(member) ? "struck" : ""}>
              <Tree name={name} value={value} />
            </div>
          ))}
        </div>
      )}
    </>
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
