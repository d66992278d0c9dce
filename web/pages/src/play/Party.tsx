/** The party, and the order of a fight. */

import { usePart } from "@questlog/react";
import { useMemo } from "react";
import { charactersOf, currentOf, isCurrent, orderOf } from "../shared/document.js";
import { useFew } from "../shared/few.js";
import { More } from "../shared/More.js";
import { Order } from "../shared/Order.js";
import { restOfParty } from "../shared/rest.js";
import { Sheet } from "../shared/Sheet.js";
import { Trees } from "../shared/Trees.js";

export function Party() {
  const characters = usePart("/characters");
  const party = useMemo(() => charactersOf(characters), [characters]);
  const [shown, more] = useFew(party);
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
          {shown.map(each => (
            <li key={each.key}>
              <Sheet name={each.name} value={each.value} turn={isCurrent(each, current)} />
              <More name={each.name} value={each.value} />
            </li>
          ))}
        </ul>
        <Trees of={restOfParty(characters)} />
        {more}
      </div>
      <Order of={order} current={current} />
    </>
  );
}
