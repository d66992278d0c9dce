/** The party, and the order of a fight. */

import { usePart } from "@questlog/react";
import { useMemo } from "react";
import { charactersOf, currentOf, isCurrent, orderOf } from "../shared/document.js";
import { Sheet } from "../shared/Sheet.js";

export function Party() {
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
          {party.map(each => (
            <li key={each.key}>
              <Sheet name={each.name} value={each.value} turn={isCurrent(each, current)} />
            </li>
          ))}
        </ul>
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
