/** What a DM does all evening, by one click each: strike, heal, afflict, give, hide; the next turn. */

import type { JsonObject } from "@questlog/client";
import { usePart } from "@questlog/react";
import { type FormEvent, useMemo, useState } from "react";
import { type Character, charactersOf, currentOf, isCurrent, orderOf } from "../shared/document.js";
import { useFew } from "../shared/few.js";
import { Sheet } from "../shared/Sheet.js";
import { label } from "../shared/things.js";
import { damage, giveItem, heal, nextTurn, to, toggleCondition } from "./actions.js";
import { useDesk } from "./desk.js";
import { hidingRule, isAmong, isByName, isSeen, namedIn, withRule } from "./hiding.js";
import { useViewOf } from "./SeeAs.js";
import type { Rules } from "./useRules.js";

export function Quick({ rules }: { rules: Rules }) {
  const desk = useDesk();
  const characters = usePart("/characters");
  const initiative = usePart("/initiative");
  const info = usePart("/turn_info");
  const party = useMemo(() => charactersOf(characters), [characters]);
  const [shown, more] = useFew(party);
  const order = useMemo(() => orderOf(initiative, info, party), [initiative, info, party]);
  const current = currentOf(info);
  const { document: seen } = useViewOf("player", null);
  return (
    <div className="board">
      <div className="row">
        <h2>Characters</h2>
        <button
          type="button"
          className="main"
          disabled={order.length === 0}
          onClick={() => void desk.act(nextTurn)}
        >
          Next turn
        </button>
      </div>
      {party.length === 0 && <p className="hush">Nobody has come yet.</p>}
      <ul className="party">
        {shown.map(each => (
          <li key={each.key}>
            <Card character={each} turn={isCurrent(each, current)} rules={rules} seen={seen} />
          </li>
        ))}
      </ul>
      {more}
    </div>
  );
}

interface Of {
  character: Character;
  turn: boolean;
  rules: Rules;
  /** What all players see; null: it is not known yet. */
  seen: JsonObject | null;
}

function Card({ character, turn, rules, seen }: Of) {
  const desk = useDesk();
  const [points, setPoints] = useState("5");
  const [word, setWord] = useState("");
  const { name, value } = character;

  async function say(event: FormEvent, make: typeof giveItem): Promise<void> {
    event.preventDefault();
    setWord("");
    // What was not done is not lost: it may be mended.
    const done = await desk.act(to(character, now => make(now, word)));
    if (!done) setWord(now => (now === "" ? word : now));
  }

  const strike = (make: typeof damage) =>
    void desk.act(to(character, now => make(now, Number(points))));

  return (
    <fieldset className="card">
      <legend className="unseen">{name}</legend>
      <Sheet name={name} value={value} turn={turn} />
      <div className="tools">
        <input
          type="number"
          min="1"
          inputMode="numeric"
          aria-label={`Points for ${name}`}
          value={points}
          onChange={event => setPoints(event.target.value)}
        />
        <button type="button" onClick={() => strike(damage)}>
          Damage
        </button>
        <button type="button" onClick={() => strike(heal)}>
          Heal
        </button>
        <Hide character={character} rules={rules} seen={seen} />
      </div>
      <form className="tools" onSubmit={event => void say(event, toggleCondition)}>
        <input
          aria-label={`A condition or a thing for ${name}`}
          placeholder="poisoned, a rusty key…"
          value={word}
          onChange={event => setWord(event.target.value)}
        />
        <button type="submit" disabled={word.trim() === ""}>
          Condition
        </button>
        <button
          type="button"
          disabled={word.trim() === ""}
          onClick={event => void say(event, giveItem)}
        >
          Give
        </button>
      </form>
    </fieldset>
  );
}

/** Hides and reveals a character, and says what players see of it in truth. */
function Hide({ character, rules, seen }: Omit<Of, "turn">) {
  const characters = usePart("/characters");
  const { name } = character;
  const rule = useMemo(() => hidingRule(characters, character), [characters, character]);
  const hidden = isAmong(rules.rules, rule);
  const shown = seen !== null && isSeen(seen, characters, character);
  const named = seen === null || shown ? [] : namedIn(seen, character);
  const press = (): void => {
    if (rule === null) return;
    const says = `${name} ${hidden ? "revealed" : "hidden"}`;
    const put = (there: boolean) => (now: readonly JsonObject[]) => withRule(now, rule, there);
    void rules.change(says, put(!hidden), put(hidden));
  };
  return (
    <>
      <button type="button" aria-pressed={hidden} disabled={rule === null} onClick={press}>
        {hidden ? "Reveal" : "Hide"}
      </button>
      {seen !== null && !shown && (
        <p className="small hush">
          {hidden ? "Hidden from the players" : "Not seen by all players: a rule says so"}
          {named.length > 0 && `, and still named in ${named.map(label).join(", ")}`}
        </p>
      )}
      {hidden && isByName(rule) && (
        <p className="small hush">By this name: with an id they stay hidden under another, too.</p>
      )}
      {rule === null && (
        <p className="small hush">Without an id of its own it cannot be hidden by itself.</p>
      )}
    </>
  );
}
