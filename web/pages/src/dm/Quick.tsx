/** What a DM does all evening, by one click each: strike, heal, afflict, give, hide; the next turn. */

import { useClient, usePart } from "@questlog/react";
import { type FormEvent, useMemo, useState } from "react";
import { type Character, charactersOf, currentOf, isCurrent, orderOf } from "../shared/document.js";
import { Sheet } from "../shared/Sheet.js";
import {
  damage,
  giveItem,
  heal,
  isHidden,
  nextTurn,
  toggleCondition,
  withHidden,
} from "./actions.js";
import { useDesk } from "./desk.js";
import type { Rules } from "./useRules.js";

const PAGE = 30;

export function Quick({ rules }: { rules: Rules }) {
  const desk = useDesk();
  const client = useClient();
  const [count, setCount] = useState(PAGE);
  const characters = usePart("/characters");
  const initiative = usePart("/initiative");
  const info = usePart("/turn_info");
  const party = useMemo(() => charactersOf(characters), [characters]);
  const order = useMemo(() => orderOf(initiative, info, party), [initiative, info, party]);
  const current = currentOf(info);
  return (
    <div className="board">
      <div className="row">
        <h2>Characters</h2>
        <button
          type="button"
          className="main"
          disabled={order.length === 0}
          onClick={() => void desk.act(nextTurn(client?.view.document ?? {}, order))}
        >
          Next turn
        </button>
      </div>
      {party.length === 0 && <p className="hush">Nobody has come yet.</p>}
      <ul className="party">
        {party.slice(0, count).map(each => (
          <li key={each.key}>
            <Card character={each} turn={isCurrent(each, current)} rules={rules} />
          </li>
        ))}
      </ul>
      {party.length > count && (
        <button type="button" onClick={() => setCount(count + PAGE)}>
          {party.length - count} more
        </button>
      )}
    </div>
  );
}

function Card({ character, turn, rules }: { character: Character; turn: boolean; rules: Rules }) {
  const desk = useDesk();
  const [points, setPoints] = useState("5");
  const [word, setWord] = useState("");
  const { name, pointer, value } = character;
  const hidden = isHidden(rules.rules, pointer);

  function say(event: FormEvent, make: typeof giveItem): void {
    event.preventDefault();
    void desk.act(make(character, word));
    setWord("");
  }

  return (
    <fieldset className="card">
      <legend className="unseen">{name}</legend>
      <Sheet name={name} value={value} turn={turn} />
      {hidden && <p className="small hush">Hidden from the players</p>}
      <div className="tools">
        <input
          type="number"
          min="1"
          inputMode="numeric"
          aria-label={`Points for ${name}`}
          value={points}
          onChange={event => setPoints(event.target.value)}
        />
        <button type="button" onClick={() => void desk.act(damage(character, Number(points)))}>
          Damage
        </button>
        <button type="button" onClick={() => void desk.act(heal(character, Number(points)))}>
          Heal
        </button>
        <button
          type="button"
          aria-pressed={hidden}
          onClick={() => void rules.put(withHidden(rules.rules, pointer, !hidden))}
        >
          {hidden ? "Reveal" : "Hide"}
        </button>
      </div>
      <form className="tools" onSubmit={event => say(event, toggleCondition)}>
        <input
          aria-label={`A condition or a thing for ${name}`}
          placeholder="poisoned, a rusty key…"
          value={word}
          onChange={event => setWord(event.target.value)}
        />
        <button type="submit" disabled={word.trim() === ""}>
          Condition
        </button>
        <button type="button" disabled={word.trim() === ""} onClick={event => say(event, giveItem)}>
          Give
        </button>
      </form>
    </fieldset>
  );
}
