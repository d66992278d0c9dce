/** What a DM does by one click, on documents of every allowed shape, and what takes it back. */

import { applyPatch, type JsonObject, type Operation } from "@questlog/client";
import { describe, expect, test } from "vitest";
import { Chance, seedOf } from "../../sdk/test/chance.js";
import {
  type Action,
  damage,
  edit,
  giveItem,
  heal,
  inverse,
  isHidden,
  nextTurn,
  tell,
  toggleCondition,
  withHidden,
} from "../src/dm/actions.js";
import { type Character, charactersOf, hitPointsOf, orderOf } from "../src/shared/document.js";

function one(value: JsonObject): { document: JsonObject; character: Character } {
  const document = { characters: { mira: { name: "Mira", ...value } } };
  return { document, character: charactersOf(document.characters)[0] as Character };
}

function after(document: JsonObject, action: Action | null): JsonObject {
  expect(action).not.toBeNull();
  const patch = (action as Action).patch;
  const changed = applyPatch(document, patch) as JsonObject;
  // Whatever is done can be taken back.
  expect(applyPatch(changed, inverse(document, patch))).toEqual(document);
  return changed;
}

function points(document: JsonObject) {
  return hitPointsOf((charactersOf(document.characters)[0] as Character).value);
}

test.each<[string, JsonObject, number, object]>([
  ["an object", { hp: { current: 9, max: 12 } }, 4, { current: 5, max: 12, temp: 0 }],
  ["points for now go first", { hp: { current: 9, max: 12, temp: 3 } }, 4, { current: 8, temp: 0 }],
  ["a number", { hp: 9, max_hp: 12 }, 20, { current: 0, max: 12 }],
  ["a value", { hp: { value: 9, max: 12 } }, 1, { current: 8 }],
])("damage to %s", (_, value, amount, expected) => {
  const { document, character } = one(value);
  expect(points(after(document, damage(character, amount)))).toMatchObject(expected);
});

test("healing ends at the most there may be", () => {
  const { document, character } = one({ hp: { current: 9, max: 12 } });
  expect(points(after(document, heal(character, 2)))).toMatchObject({ current: 11 });
  expect(points(after(document, heal(character, 50)))).toMatchObject({ current: 12 });
});

test("who has no hit points is not struck, nor anybody by nothing", () => {
  expect(damage(one({}).character, 4)).toBeNull();
  expect(damage(one({ hp: 4 }).character, Number.NaN)).toBeNull();
  expect(damage(one({ hp: 4 }).character, -4)).toBeNull();
});

test("a blow to what has changed meanwhile is refused", () => {
  const { document, character } = one({ hp: { current: 9, max: 12 } });
  const blow = damage(character, 4) as Action;
  const struck = applyPatch(document, blow.patch);
  expect(() => applyPatch(struck, blow.patch)).toThrow();
});

describe.each<[string, JsonObject]>([
  ["a list", { conditions: ["wet", { name: "afraid" }] }],
  ["an object", { conditions: { wet: true, afraid: { rounds: 2 } } }],
])("conditions as %s", (_, value) => {
  test("come and go", () => {
    const { document, character } = one(value);
    const grown = after(document, toggleCondition(character, "blind"));
    const [now] = charactersOf(grown.characters) as [Character];
    expect(after(grown, toggleCondition(now, "blind"))).toEqual(document);
    const dry = after(document, toggleCondition(character, "wet"));
    expect(JSON.stringify(dry)).not.toContain("wet");
  });
});

test("the first condition, and the first thing, make a list", () => {
  const { document, character } = one({});
  const mira = { name: "Mira" };
  const wet = { characters: { mira: { ...mira, conditions: ["wet"] } } };
  expect(after(document, toggleCondition(character, "wet"))).toEqual(wet);
  const lamp = { characters: { mira: { ...mira, inventory: ["lamp"] } } };
  expect(after(document, giveItem(character, "lamp"))).toEqual(lamp);
});

test("a thing is given as the others are written", () => {
  const { document, character } = one({ inventory: [{ name: "oil", count: 2 }] });
  const text = JSON.stringify(after(document, giveItem(character, "a key")));
  expect(text).toContain('{"name":"a key","count":1}');
});

test("after the last in the order comes the first, and a new round", () => {
  let document: JsonObject = {
    characters: { mira: { name: "Mira" } },
    initiative: [{ id: "mira", name: "Mira" }, { name: "an ogre" }],
    turn: 4,
  };
  const turns: unknown[] = [];
  for (let step = 0; step < 3; step += 1) {
    const party = charactersOf(document.characters);
    const order = orderOf(document.initiative, document.turn_info, party);
    document = after(document, nextTurn(document, order));
    turns.push(document.turn_info);
  }
  expect(turns).toEqual([
    { current: "mira", round: 1 },
    { current: "an ogre", round: 1 },
    { current: "mira", round: 2 },
  ]);
  expect(document.turn).toBe(7);
});

test("what is told is the narrative, and joins the story where there is one", () => {
  const at = new Date(0);
  const told = after({}, tell({}, "DM", "Rain.", at));
  expect(told).toEqual({
    narrative: "Rain.",
    all_narratives: [{ speaker: "DM", text: "Rain.", at: "1970-01-01T00:00:00.000Z" }],
  });
  expect(tell({}, "DM", "  ", at)).toBeNull();
});

test("what is hidden by a rule of its own is revealed by taking that away", () => {
  const rules = [{ path: "/dm", to: ["dm"] }];
  const hidden = withHidden(rules, "/characters/mira", true);
  expect(isHidden(hidden, "/characters/mira")).toBe(true);
  expect(isHidden(hidden, "/characters/tom")).toBe(false);
  expect(withHidden(hidden, "/characters/mira", false)).toEqual(rules);
});

test("any patch is taken back by its inverse", () => {
  const seed = seedOf();
  const chance = new Chance(seed);
  for (let run = 0; run < 1_000; run += 1) {
    const document = chance.object(3);
    let operation: Operation;
    do operation = chance.operation(document);
    while (["copy", "move"].includes(operation.op));
    const changed = applyPatch(document, [operation]);
    const told = `seed ${seed}, run ${run}: ${JSON.stringify([document, operation])}`;
    expect(applyPatch(changed, inverse(document, [operation])), told).toEqual(document);
  }
});

test("an edit that is overtaken is refused", () => {
  const { patch } = edit("/hp", 4, 5);
  expect(applyPatch({ hp: 4 }, patch)).toEqual({ hp: 5 });
  expect(() => applyPatch({ hp: 3 }, patch)).toThrow();
});
