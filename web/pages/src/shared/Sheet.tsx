/** One character: who, hit points, conditions; a lost hit point is seen to go. */

import type { JsonObject } from "@questlog/client";
import { memo } from "react";
import { conditionsOf, hitPointsOf } from "./document.js";
import { useChange } from "./hooks.js";
import { textOf } from "./things.js";

export const Sheet = memo(function Sheet({
  name,
  value,
  turn,
  mine = false,
}: {
  name: string;
  value: JsonObject;
  turn: boolean;
  mine?: boolean;
}) {
  const conditions = conditionsOf(value);
  const armour = textOf(value.ac);
  const role = textOf(value.role) ?? textOf(value.class);
  return (
    <div className={`sheet${turn ? " turn" : ""}${mine ? " mine" : ""}`}>
      <p className="who">
        <strong dir="auto">{name}</strong>
        {turn && <span className="chip lit">{mine ? "your turn" : "their turn"}</span>}
        {armour !== null && (
          <span className="hush small" title="Armour class">
            AC {armour}
          </span>
        )}
      </p>
      {role !== null && (
        <p className="hush small" dir="auto">
          {role}
        </p>
      )}
      <Hp name={name} value={value} />
      {conditions.length > 0 && (
        <ul className="chips" aria-label={`Conditions of ${name}`}>
          {conditions.map(each => (
            <li className="chip ember" key={each}>
              {each}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
});

function Hp({ name, value }: { name: string; value: JsonObject }) {
  const points = hitPointsOf(value);
  if (points === null) return null;
  const { current, max } = points;
  const share = max === null || max <= 0 ? 1 : Math.max(0, Math.min(1, current / max));
  const level = share > 0.5 ? "well" : share > 0.25 ? "hurt" : "dire";
  return (
    <div className={`hp ${level}`}>
      <div className="bar" aria-hidden="true">
        <div className="lost" style={{ width: `${share * 100}%` }} />
        <div className="left" style={{ width: `${share * 100}%` }} />
      </div>
      <p className="small">
        <Points name={name} value={value} />
      </p>
    </div>
  );
}

/** Hit points in figures; what they have just changed by is shown for a while. */
export function Points({ name, value }: { name: string; value: JsonObject }) {
  const points = hitPointsOf(value);
  const change = useChange(points?.current ?? null, name);
  if (points === null) return null;
  const { current, max, temp } = points;
  return (
    <span className="figures">
      <span className="unseen">Hit points of {name}: </span>
      <span>{max === null ? String(current) : `${current} / ${max}`}</span>
      {temp > 0 && <span className="river"> +{temp} for now</span>}
      {change !== null && (
        <span className={`change ${change < 0 ? "ember" : "moss"}`}>
          {change < 0 ? "−" : "+"}
          {Math.abs(change)}
        </span>
      )}
    </span>
  );
}
