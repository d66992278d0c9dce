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
  insert,
  inverse,
  nextTurn,
  type Outcome,
  tell,
  to,
  toggleCondition,
} from "../src/dm/actions.js";
import { hidingRule, isAmong, isSeen, namedIn, withRule } from "../src/dm/hiding.js";
import { type Character, charactersOf, hitPointsOf } from "../src/shared/document.js";

function one(value: JsonObject): { document: JsonObject; character: Character } {
  const document = { characters: { mira: { name: "Mira", ...value } } };
  return { document, character: charactersOf(document.characters)[0] as Character };
}

function after(document: JsonObject, action: Outcome): JsonObject {
  expect(action).toBeTypeOf("object");
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

test("a blow gives nobody hit points, and healing takes none away", () => {
  expect(damage(one({ hp: { current: -5, max: 12 } }).character, 5)).toContain(
    "no hit points left",
  );
  expect(heal(one({ hp: { current: 30, max: 12 } }).character, 5)).toContain(
    "all their hit points",
  );
  const { document, character } = one({ hp: -5, max_hp: 12 });
  expect(points(after(document, heal(character, 7)))).toMatchObject({ current: 2 });
});

test("who has no hit points is not struck, nor anybody by nothing", () => {
  expect(damage(one({}).character, 4)).toContain("no hit points that can be counted");
  for (const points of [Number.NaN, -4, 0, 2.5]) {
    expect(damage(one({ hp: 4 }).character, points)).toContain("How many");
    expect(heal(one({ hp: 4 }).character, points)).toContain("How many");
  }
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
    document = after(document, nextTurn(document));
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
  expect(tell({}, "DM", "  ", at)).toBeTypeOf("string");
});

test("of two of one name in an order each has a turn", () => {
  let document: JsonObject = {
    initiative: ["goblin", "goblin", "mira"],
    turn_info: { current: "goblin", round: 1 },
  };
  const turns: unknown[] = [];
  for (let step = 0; step < 4; step += 1) {
    document = after(document, nextTurn(document));
    turns.push(document.turn_info);
  }
  expect(turns).toEqual([
    { current: "goblin", round: 1, place: 1 },
    { current: "mira", round: 1 },
    { current: "goblin", round: 2, place: 0 },
    { current: "goblin", round: 2, place: 1 },
  ]);
});

test("what is given again is counted, and nothing that was there is lost", () => {
  const inventory = (value: JsonObject | string, item: string) => {
    const { document, character } = one({ inventory: value });
    const [mira] = charactersOf(after(document, giveItem(character, item)).characters);
    return (mira as Character).value.inventory;
  };
  expect(inventory({ rope: 3 }, "rope")).toEqual({ rope: 4 });
  expect(inventory({ rope: { count: 3, wet: true } }, "rope")).toEqual({
    rope: { count: 4, wet: true },
  });
  expect(inventory({ rope: true }, "rope")).toEqual({ rope: 2 });
  expect(inventory("a lamp of gold", "a key")).toEqual(["a lamp of gold", "a key"]);
  expect(giveItem(one({ inventory: { rope: "wet" } }).character, "rope")).toContain("already");
});

test("a condition that was taken away by another takes no other with it", () => {
  const { document, character } = one({ conditions: ["wet", "blessed"] });
  const { patch } = toggleCondition(character, "wet") as Action;
  const dry = { characters: { mira: { name: "Mira", conditions: ["blessed"] } } };
  expect(() => applyPatch(dry, patch)).toThrow();
  expect(applyPatch(document, patch)).toEqual(dry);
});

test("in a list it is the character that was meant who is struck, wherever they stand by now", () => {
  const goblin = { name: "Goblin", hp: 7 };
  const mira = { name: "Mira", hp: 9 };
  const [, meant] = charactersOf([goblin, mira]) as [Character, Character];
  const strike = to(meant, now => damage(now, 2));
  expect(after({ characters: [mira] }, strike({ characters: [mira] })).characters).toEqual([
    { name: "Mira", hp: 7 },
  ]);
  expect(strike({ characters: [goblin] })).toBe("Mira is not there any more.");
  // And where they move between the click and the commit, it is refused.
  const { patch } = strike({ characters: [goblin, mira] }) as Action;
  expect(() => applyPatch({ characters: [mira, { ...goblin, hp: 9 }] }, patch)).toThrow();
});

test("an id that a browser would round is no guard, and hides nobody", () => {
  const list = [{ id: 2 ** 60, name: "Mira", hp: 9 }];
  const [mira] = charactersOf(list) as [Character];
  const { patch } = to(mira, now => damage(now, 2))({ characters: list }) as Action;
  expect(patch[0]).toEqual({ op: "test", path: "/characters/0/name", value: "Mira" });
  expect(hidingRule(list, mira)).toMatchObject({ when: { name: "Mira" } });
});

test("what is taken back in a list is given back to whom it was taken from", () => {
  const [mira, tobin, zed] = [
    { name: "Mira", conditions: ["cursed"] },
    { name: "Tobin", conditions: [] },
    { name: "Zed", conditions: [] },
  ];
  const before = { characters: [mira, tobin] };
  const [meant] = charactersOf(before.characters) as [Character];
  const { patch } = to(meant, now => toggleCondition(now, "cursed"))(before) as Action;
  const back = inverse(before, patch);
  expect(applyPatch(applyPatch(before, patch), back)).toEqual(before);
  const moved = { characters: [zed, { ...mira, conditions: [] }, tobin] };
  expect(() => applyPatch(moved, back)).toThrow();
});

test("what is hidden by a rule of its own is revealed by taking that away", () => {
  const rules = [
    { path: "/dm", to: ["dm"] },
    { path: "/characters/mira", to: ["player:mira"] },
  ];
  const { document, character } = one({});
  const rule = hidingRule(document.characters, character) as JsonObject;
  const hidden = withRule(rules, rule, true);
  expect(isAmong(rules, rule)).toBe(false);
  expect(isAmong(hidden, rule)).toBe(true);
  expect(withRule(hidden, rule, false)).toEqual(rules);
});

test("in a list somebody is hidden by what they are called, and not by their place", () => {
  const list = [{ name: "Goblin" }, { name: "Goblin" }, { id: "spy", name: "A spy" }];
  const [goblin, , spy] = charactersOf(list) as [Character, Character, Character];
  expect(hidingRule(list, goblin)).toBeNull();
  expect(hidingRule(list, spy)).toEqual({
    path: "/characters/*",
    to: ["dm"],
    when: { id: "spy" },
  });
  expect(isSeen({ characters: [{ name: "Goblin" }] }, list, spy)).toBe(false);
  expect(isSeen({ characters: list }, list, spy)).toBe(true);
  expect(namedIn({ initiative: ["spy"], narrative: "A SPY is near." }, spy)).toEqual([
    "initiative",
    "narrative",
  ]);
});

test("what is there already is not put over", () => {
  expect(insert({ narrative: "Rain." }, "/narrative", 1)).toContain("already");
  expect(after({ a: 1 }, insert({ a: 1 }, "/", 2))).toEqual({ a: 1, "": 2 });
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
