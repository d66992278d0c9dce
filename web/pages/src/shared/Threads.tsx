import { isObject, type Json } from "@questlog/client";
import { useMemo } from "react";
import { useFew } from "./few.js";
import { Mores } from "./Trees.js";
import { entriesOf, thingsOf } from "./things.js";

/** How the story goes on: what is open, and what is done. */
export function Threads({ value }: { value: Json | undefined }) {
  const things = useMemo(() => thingsOf(value, undefined, ["done"]), [value]);
  const entries = useMemo(() => new Map(entriesOf(value)), [value]);
  const [shown, more] = useFew(things);
  if (things.length === 0) return null;
  return (
    <div className="board">
      <h2>Threads</h2>
      <ul className="threads">
        {shown.map(({ key, name }) => {
          const step = entries.get(key);
          const done = isObject(step) && step.done === true;
          return (
            <li key={key} className={done ? "hush done" : ""} dir="auto">
              {done && <span className="unseen">Done: </span>}
              {name}
            </li>
          );
        })}
      </ul>
      {more}
      <Mores of={shown} />
    </div>
  );
}
