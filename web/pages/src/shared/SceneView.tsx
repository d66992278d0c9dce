/** Where the party is, whose turn it is, and what is about. */

import { isObject, type Json } from "@questlog/client";
import { memo, useMemo } from "react";
import { charactersOf, nameOfCurrent, orderOf } from "./document.js";
import { useFew } from "./few.js";
import { restOfScene } from "./rest.js";
import { Mores, Trees } from "./Trees.js";
import { label, memberOf, nameOf, spoken, textOf, thingsOf } from "./things.js";

/** The members of a document that make a scene. */
export const SCENE = [
  "scene",
  "status",
  "combat_status",
  "turn",
  "turn_info",
  "characters",
  "initiative",
  "environmental_conditions",
  "immediate_threats",
] as const;
const FEW = 8;

type SceneParts = { [member in (typeof SCENE)[number]]?: Json | undefined };

export const SceneView = memo(function SceneView(parts: SceneParts) {
  const { scene, turn_info: info, characters, initiative } = parts;
  const current = useMemo(() => {
    const party = charactersOf(characters);
    return nameOfCurrent(info, party, orderOf(initiative, info, party));
  }, [characters, initiative, info]);
  const name = nameOf(scene);
  const facts = [...new Set(factsOf(parts))];
  return (
    <div className="scene">
      {name !== null && (
        <h2 className="place" dir="auto">
          {name}
        </h2>
      )}
      {facts.length > 0 && (
        <p className="hush small facts">
          {facts.map(fact => (
            <span key={fact} dir="auto">
              {fact}
            </span>
          ))}
        </p>
      )}
      {current !== null && (
        <p className="now" role="status">
          It is the turn of <strong dir="auto">{current}</strong>.
        </p>
      )}
      <Chips name="About" value={parts.environmental_conditions} tone="river" />
      <Chips name="Threats" value={parts.immediate_threats} tone="ember" />
      <Trees of={restOfScene(parts)} />
    </div>
  );
});

function factsOf({ scene, status, combat_status: combat, turn, turn_info: info }: SceneParts) {
  const more = isObject(scene)
    ? Object.entries(scene).filter(([member]) => !["id", "name", "title"].includes(member))
    : [];
  const fight = nameOf(combat);
  // Some say it in a sentence of their own.
  const said = fight !== null && /round/i.test(fight);
  const round = isObject(info) && !said ? textOf(info.round) : null;
  const count = textOf(turn);
  return [
    // A text speaks for itself; a number or a yes does not.
    ...more.map(([member, value]) =>
      typeof value === "number" || typeof value === "boolean"
        ? memberOf(label(member), value)
        : nameOf(value),
    ),
    textOf(status),
    fight,
    round === null ? null : `Round ${round}`,
    textOf(info),
    count === null ? null : /^-?[0-9]+$/.test(count) ? `Turn ${count}` : count,
  ].flatMap(fact => (fact === null ? [] : [spoken(fact)]));
}

function Chips({ name, value, tone }: { name: string; value: Json | undefined; tone: string }) {
  const things = useMemo(() => thingsOf(value), [value]);
  // On a phone the story is to be in sight all the same.
  const [shown, more] = useFew(things, FEW);
  if (things.length === 0) return null;
  return (
    <>
      <ul className="chips" aria-label={name}>
        {shown.map(each => (
          <li className={`chip ${tone}`} key={each.key} dir="auto">
            {each.name}
          </li>
        ))}
      </ul>
      {more}
      <Mores of={shown} />
    </>
  );
}
