import { immutableJSONPatch } from "immutable-json-patch";
import { describe, expect, test } from "vitest";
import { canonical, digest } from "../src/canonical.js";
import { applyPatch } from "../src/patch.js";
import { PatchError } from "../src/pointer.js";
import type { Json, JsonObject, Operation } from "../src/values.js";
import { Chance, seedOf } from "./chance.js";

const RUNS = 2_000;

test(`${RUNS} random patches give what another library makes of them`, () => {
  const seed = seedOf();
  const chance = new Chance(seed);
  for (let run = 0; run < RUNS; run += 1) {
    const first = chance.object(3);
    const text = JSON.stringify(first);
    let document: JsonObject = first;
    const operations: Operation[] = [];
    for (let count = chance.below(6); count >= 0; count -= 1) {
      const operation = chance.operation(document);
      operations.push(operation);
      document = applyPatch(document, [operation]) as JsonObject;
    }
    const told = `seed ${seed}, run ${run}: ${text} ${JSON.stringify(operations)}`;
    expect(applyPatch(first, operations), told).toEqual(document);
    expect(immutableJSONPatch(first, operations as never), told).toEqual(document);
    expect(JSON.stringify(first), told).toBe(text);
  }
});

const REFUSED: [string, Json, Operation][] = [
  ["a replace of what is not there", { a: 1 }, { op: "replace", path: "/b", value: 2 }],
  ["a removal of what is not there", { a: 1 }, { op: "remove", path: "/b" }],
  ["a removal of everything", { a: 1 }, { op: "remove", path: "" }],
  ["an index past the end", { a: [1] }, { op: "add", path: "/a/2", value: 2 }],
  ["an index with a leading zero", { a: [1, 2] }, { op: "replace", path: "/a/01", value: 2 }],
  ["an index that is none", { a: [1, 2] }, { op: "remove", path: "/a/-" }],
  ["a way into a number", { a: 1 }, { op: "add", path: "/a/b", value: 2 }],
  ["what every object inherits", { a: 1 }, { op: "remove", path: "/constructor" }],
  ["a way through what is inherited", {}, { op: "add", path: "/__proto__/x", value: 1 }],
  ["a pointer without a slash", { a: 1 }, { op: "remove", path: "a" }],
  ["a tilde that means nothing", { "a~": 1 }, { op: "remove", path: "/a~" }],
  ["a test that fails", { a: 1 }, { op: "test", path: "/a", value: true }],
  ["a move into itself", { a: { b: 1 } }, { op: "move", from: "/a", path: "/a/b" }],
  ["a move from nowhere", { a: 1 }, { op: "move", from: "/b", path: "/a" }],
  ["no value", { a: 1 }, { op: "add", path: "/a" }],
  ["no source", { a: 1 }, { op: "copy", path: "/a" }],
  ["an unknown operation", { a: 1 }, { op: "spell", path: "/a" } as unknown as Operation],
];

describe("an operation that cannot be carried out is an error", () => {
  test.each(REFUSED)("%s", (_, document, operation) => {
    const text = JSON.stringify(document);
    const before: Operation = { op: "add", path: "/first", value: 1 };
    expect(() => applyPatch(document, [before, operation])).toThrow(PatchError);
    expect(JSON.stringify(document)).toBe(text);
  });
});

test("what a patch does not touch is the same object as before", () => {
  const before = { party: { mira: { hp: 9 } }, log: ["a"] };
  const after = applyPatch(before, [{ op: "replace", path: "/party/mira/hp", value: 4 }]);
  expect((after as typeof before).log).toBe(before.log);
  expect((after as typeof before).party).not.toBe(before.party);
});

test("what was copied is not changed through its copy", () => {
  const after = applyPatch({ a: { n: 1 } }, [
    { op: "add", path: "/a/m", value: 1 },
    { op: "copy", from: "/a", path: "/b" },
    { op: "replace", path: "/b/n", value: 2 },
  ]);
  expect(after).toEqual({ a: { n: 1, m: 1 }, b: { n: 2, m: 1 } });
});

test("a member called constructor is one like any other", () => {
  const after = applyPatch({ constructor: { hp: 1 } } as unknown as Json, [
    { op: "replace", path: "/constructor/hp", value: 2 },
  ]);
  expect(JSON.stringify(after)).toBe('{"constructor":{"hp":2}}');
});

test("a member called __proto__ is one like any other", () => {
  const after = applyPatch({}, [{ op: "add", path: "/__proto__", value: { hp: 1 } }]);
  expect(JSON.stringify(after)).toBe('{"__proto__":{"hp":1}}');
  expect(({} as { hp?: number }).hp).toBeUndefined();
  const changed = applyPatch(after, [{ op: "replace", path: "/__proto__/hp", value: 2 }]);
  expect(JSON.stringify(changed)).toBe('{"__proto__":{"hp":2}}');
});

test("the canonical text sorts by UTF-16 and writes numbers as ECMAScript does", () => {
  expect(
    canonical({ "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\u{1f600}": 5, "\u0080": 6 }),
  ).toBe('{"\\r":2,"1":4,"\u0080":6,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}');
  expect(canonical([1e21, 1e-7, 0.1, -0, 1.0, Number.POSITIVE_INFINITY])).toBe(
    "[1e+21,1e-7,0.1,0,1,null]",
  );
  expect(digest({})).toBe("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
});
