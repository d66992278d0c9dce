/** Where the party is, whose turn it is, and what is about. */

import { isObject } from "@questlog/client";
import { usePart } from "@questlog/react";
import { useMemo } from "react";
import {
  charactersOf,
  entriesOf,
  label,
  nameOf,
  nameOfCurrent,
  orderOf,
  textOf,
} from "../shared/document.js";

export function Scene() {
  const scene = usePart("/scene");
  const status = textOf(usePart("/status"));
  const combat = usePart("/combat_status");
  const turn = textOf(usePart("/turn"));
  const info = usePart("/turn_info");
  const characters = usePart("/characters");
  const initiative = usePart("/initiative");
  const current = useMemo(() => {
    const party = charactersOf(characters);
    return nameOfCurrent(info, party, orderOf(initiative, info, party));
  }, [characters, initiative, info]);
  const name = nameOf(scene);
  const more = isObject(scene)
    ? Object.entries(scene).filter(([member]) => !["id", "name", "title"].includes(member))
    : [];
  const fight = nameOf(combat);
  const round = isObject(info) ? textOf(info.round) : null;
  // Some say it in a sentence of their own.
  const said = fight !== null && /round/i.test(fight);
  return (
    <div className="scene">
      {name !== null && <h2 className="place">{name}</h2>}
      <p className="hush small facts">
        {more.map(([member, value]) => {
          const text = nameOf(value);
          return text === null ? null : <span key={member}>{text}</span>;
        })}
        {status !== null && <span>{label(status)}</span>}
        {fight !== null && <span>{label(fight)}</span>}
        {round !== null && !said && <span>Round {round}</span>}
        {turn !== null && <span>{/^[0-9]+$/.test(turn) ? `Turn ${turn}` : turn}</span>}
      </p>
      {current !== null && (
        <p className="now" role="status">
          It is the turn of <strong dir="auto">{current}</strong>.
        </p>
      )}
      <Chips name="About" value={usePart("/environmental_conditions")} tone="river" />
      <Chips name="Threats" value={usePart("/immediate_threats")} tone="ember" />
    </div>
  );
}

function Chips({
  name,
  value,
  tone,
}: {
  name: string;
  value: ReturnType<typeof usePart>;
  tone: string;
}) {
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
