/** What the pages read from documents of every allowed shape. */

import { expect, test } from "vitest";
import {
  charactersOf,
  conditionsOf,
  currentOf,
  hitPointsOf,
  itemsOf,
  nameOfCurrent,
  orderOf,
  talesOf,
} from "../src/shared/document.js";
import { changesSince } from "../src/shared/since.js";

const texts = (all: Parameters<typeof talesOf>[0], narrative?: string) =>
  talesOf(all, narrative).map(({ entry }) => (typeof entry === "string" ? entry : "an object"));

test("the present narrative is told once, whether heroes have acted since or not", () => {
  expect(texts(["Rain.", "Mira runs."], "Rain.")).toEqual(["Rain.", "Mira runs."]);
  expect(texts(["Rain."], "Fog.")).toEqual(["Rain.", "Fog."]);
  expect(texts(undefined, "Fog.")).toEqual(["Fog."]);
  expect(texts([{ id: "a", text: "Fog." }], "Fog.")).toEqual(["an object"]);
  expect(texts(["Rain."], " ")).toEqual(["Rain."]);
});

test("two entries of one id are two entries", () => {
  const keys = talesOf([{ id: "n" }, { id: "n" }, "x"], undefined).map(each => each.key);
  expect(new Set(keys).size).toBe(3);
});

test("hit points are read as an object, a number or not at all", () => {
  expect(hitPointsOf({ hp: { current: 3, max: 9, temp: 1 } })).toEqual({
    current: 3,
    max: 9,
    temp: 1,
  });
  expect(hitPointsOf({ hp: 3, max_hp: 9 })).toEqual({ current: 3, max: 9, temp: 0 });
  expect(hitPointsOf({ hp: "many" })).toBeNull();
  expect(hitPointsOf({ hp: { max: 9 } })).toBeNull();
});

test("conditions and things are read from lists, objects and texts", () => {
  expect(conditionsOf({ conditions: ["wet", { name: "afraid" }, "wet"] })).toEqual([
    "wet",
    "afraid",
  ]);
  expect(conditionsOf({ conditions: { wet: true, dry: false, afraid: 2 } })).toEqual([
    "wet",
    "afraid: 2",
  ]);
  expect(conditionsOf({ conditions: "prone" })).toEqual(["prone"]);
  const things = itemsOf({ gold: 3, rope: { name: "rope", quantity: 2 } });
  expect(things.map(({ name, count }) => [name, count])).toEqual([
    ["gold", 3],
    ["rope", 2],
  ]);
  expect(itemsOf({ rope: true, torch: "lit" }).map(({ name }) => name)).toEqual([
    "rope",
    "torch: lit",
  ]);
});

test("whose turn it is has a name, by id, by key or by word", () => {
  const party = charactersOf({ mira: { id: "m1", name: "Mira" } });
  for (const current of ["mira", "m1", "Mira", { id: "mira" }]) {
    expect(nameOfCurrent({ current }, party, [])).toBe("Mira");
  }
  const order = orderOf([{ id: "ogre", name: "an ogre" }], undefined, party);
  expect(nameOfCurrent({ current: "ogre" }, party, order)).toBe("an ogre");
  expect(nameOfCurrent({ current: "the tide" }, party, order)).toBe("the tide");
  expect(currentOf(["mira"])).toBeNull();
});

test("an order may be of those who rolled, with what they rolled", () => {
  const party = charactersOf({ mira: { name: "Mira" } });
  const order = orderOf({ mira: 18, ogre: 3 }, undefined, party);
  expect(order.map(({ name, roll }) => [name, roll])).toEqual([
    ["Mira", "18"],
    ["ogre", "3"],
  ]);
  const [ogre] = orderOf([{ name: "an ogre", initiative: 3, hidden: true }], undefined, party);
  expect([ogre?.name, ogre?.roll, ogre?.more]).toEqual(["an ogre", "3", { hidden: true }]);
});

test("what has changed since is told in sentences", () => {
  const mira = {
    name: "Mira",
    hp: { current: 9, max: 9 },
    conditions: ["wet"],
    inventory: ["lamp"],
  };
  const before = { characters: { mira }, all_narratives: ["Rain."] };
  const after = {
    characters: {
      mira: { ...mira, hp: { current: 4, max: 9 }, conditions: [], inventory: ["lamp", "key"] },
      tobin: { name: "Tobin" },
    },
    all_narratives: ["Rain.", "Fog."],
  };
  expect(changesSince(before, after, "mira")).toEqual([
    "The story went on.",
    "Mira lost 5 hit points.",
    "Mira is no longer wet.",
    "Mira has: key.",
    "Tobin joined.",
  ]);
  const more = {
    narrative: "Fog.",
    turn: 3,
    private: { mira: { notes: ["The bell hums."] } },
    environmental_conditions: { light: "dim" },
    scene: "The quay",
  };
  expect(changesSince({ narrative: "Rain.", scene: { name: "The sea" } }, more, "mira")).toEqual([
    "The story went on.",
    "There is something new for your eyes.",
    "The scene is now: The quay.",
    "About you: Light: dim.",
    "It is turn 3.",
  ]);
  expect(changesSince(before, before, "mira")).toEqual([]);
  // In lists, one's place is another's when somebody comes or an entry is let go of.
  const [one, other] = [
    { name: "Mira", hp: 22 },
    { name: "Tobin", hp: 34 },
  ];
  const tales = Array.from({ length: 20 }, (_, index) => `Tale ${index}`);
  const moved = {
    characters: [{ name: "Zed", hp: 1 }, one, other],
    all_narratives: [...tales.slice(1), "New"],
  };
  expect(changesSince({ characters: [one, other], all_narratives: tales }, moved, null)).toEqual([
    "The story went on.",
    "Zed joined.",
  ]);
});
