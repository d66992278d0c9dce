/** Nothing that is in a document is kept from whoever may see it, whatever its shape. */

import type { Json, JsonObject } from "@questlog/client";
import { expect, test } from "vitest";
import { restOf, restOfCharacter, restOfParty, restOfScene } from "../src/shared/rest.js";
import { spoken, thingsOf } from "../src/shared/things.js";

const said = (value: Json) => thingsOf(value).map(({ name }) => name);
const left = (rest: ReturnType<typeof restOf>) =>
  Object.fromEntries(rest.map(({ member, value }) => [member, value]));

test("things have names in lists, objects and texts", () => {
  expect(said("Fog")).toEqual(["Fog"]);
  expect(said(["Fog", { name: "Rain", depth: 2 }, 3, null])).toEqual(["Fog", "Rain", "3"]);
  expect(said({ light: "dim", fog: true, wind: false, visibility: 30 })).toEqual([
    "Light: dim",
    "Fog",
    "Wind: no",
    "Visibility: 30",
  ]);
  expect(said({ tide: { name: "The tide", height: 2 }, mud: {} })).toEqual(["The tide", "Mud"]);
  expect(said([[1, 2]])).toEqual(["No. 1"]);
});

test("a text is said as it is, a program's word in words", () => {
  const texts = ["hearth and tallow", "in_combat", "-4", "1492-03-04", "hold_the-line at -3"];
  expect(texts.map(spoken)).toEqual([
    "Hearth and tallow",
    "In combat",
    "-4",
    "1492-03-04",
    "Hold_the-line at -3",
  ]);
});

test("what things hold beside their names is kept", () => {
  const more = (value: Json) => thingsOf(value).map(each => each.more);
  expect(more([{ id: "a", name: "Rain", depth: 2 }, "Fog", [1]])).toEqual([
    { depth: 2 },
    null,
    [1],
  ]);
  expect(more({ tide: { height: 2 } })).toEqual([{ height: 2 }]);
});

test("of a scene only what is not said in a line is left", () => {
  expect(restOfScene({ scene: { name: "The quay", light: "dusk" }, status: "exploring" })).toEqual(
    [],
  );
  const odd: JsonObject = {
    scene: { name: "The quay", exits: ["up", "down"] },
    status: { mood: "grim" },
    combat_status: { active: true, phase: "X" },
    turn: [3],
    turn_info: { round: 2, current: "mira", phase: "late", order: ["mira"] },
    initiative: ["tobin"],
  };
  expect(left(restOfScene(odd))).toEqual({
    scene: { exits: ["up", "down"] },
    status: { mood: "grim" },
    combat_status: { active: true, phase: "X" },
    turn: [3],
    turn_info: { phase: "late", order: ["mira"] },
  });
  expect(left(restOfScene({ combat_status: ["CS1", "CS2"], turn_info: [1] }))).toEqual({
    combat_status: ["CS1", "CS2"],
    turn_info: [1],
  });
});

test("members of other shapes are left, and others' private ones where they may be seen", () => {
  const document: JsonObject = {
    narrative: ["Rain."],
    title: { en: "The Bell" },
    private: { mira: { notes: [] }, tobin: "a note" },
    calendar: 3,
    characters: [],
  };
  expect(left(restOf(document, "mira"))).toEqual({
    narrative: ["Rain."],
    title: { en: "The Bell" },
    private: { tobin: "a note" },
    calendar: 3,
  });
  expect(left(restOf({ private: { mira: 1 } }, "mira"))).toEqual({});
  expect(left(restOf({ private: ["x"] }, "mira"))).toEqual({ private: ["x"] });
  expect(left(restOf({ private: { mira: 1 } }, null))).toEqual({ private: { mira: 1 } });
});

test("what a sheet does not show of a character is left", () => {
  const mira: JsonObject = {
    id: "m1",
    name: "Mira",
    role: "scout",
    class: "Rogue",
    hp: { current: 3, max: 9, dice: 2 },
    ac: { base: 12 },
    conditions: [{ name: "afraid", note: "of bells" }, "wet"],
    inventory: ["lamp"],
    level: 3,
  };
  expect(left(restOfCharacter(mira))).toEqual({
    class: "Rogue",
    hp: { dice: 2 },
    ac: { base: 12 },
    conditions: { afraid: { note: "of bells" } },
    level: 3,
  });
  expect(left(restOfCharacter({ title: "The ogre", hp: "12/20" }))).toEqual({ hp: "12/20" });
  expect(left(restOfParty({ mira: { name: "Mira" }, crowd: [1, 2], gone: null }))).toEqual({
    crowd: [1, 2],
  });
});
