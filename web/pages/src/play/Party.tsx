/** The party, and the order of a fight. */

import { usePart } from "@questlog/react";
import { useMemo, useState } from "react";
import { charactersOf, currentOf, isCurrent, orderOf } from "../shared/document.js";
import { Sheet } from "../shared/Sheet.js";

/** A crowd is not rendered all at once: nobody reads it, and a phone would stand still. */
const PAGE = 40;

export function Party() {
  const [count, setCount] = useState(PAGE);
  const characters = usePart("/characters");
  const party = useMemo(() => charactersOf(characters), [characters]);
  const initiative = usePart("/initiative");
  const info = usePart("/turn_info");
  const current = currentOf(info);
  const order = useMemo(() => orderOf(initiative, info, party), [initiative, info, party]);
  return (
    <>
      <div className="board">
        <h2>Party</h2>
        {party.length === 0 && <p className="hush">Nobody has come yet.</p>}
        <ul className="party">
          {party.slice(0, count).map(each => (
            <li key={each.key}>
              <Sheet name={each.name} value={each.value} turn={isCurrent(each, current)} />
            </li>
          ))}
        </ul>
        {party.length > count && (
          <button type="button" onClick={() => setCount(count + PAGE)}>
            {party.length - count} more
          </button>
        )}
      </div>
      {order.length > 0 && (
        <div className="board">
          <h2>Initiative</h2>
          <ol className="order">
            {order.map(({ key, called, name }) => (
              <li
                key={key}
                dir="auto"
                aria-current={current !== null && called.includes(current) ? "true" : undefined}
              >
                {name}
              </li>
            ))}
          </ol>
        </div>
      )}
    </>
  );
}
