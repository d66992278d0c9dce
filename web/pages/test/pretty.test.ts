import { expect, test } from "vitest";
import { pretty } from "../src/inspect/pretty.js";

test("a text is laid out as a parser would have it, where that keeps everything", () => {
  for (const value of [
    { a: [1, { b: null }], c: {}, d: [], e: 'x"y\\z{[,:]}' },
    [],
    {},
    "a, b",
    3,
    [[[]], [{}]],
  ]) {
    expect(pretty(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
    expect(pretty(JSON.stringify(value, null, 3))).toBe(JSON.stringify(value, null, 2));
  }
});

test("digits and the order of members stay as they were written", () => {
  expect(pretty('{"b":9007199254740993,"2":1.0,"10":-0}')).toBe(
    '{\n  "b": 9007199254740993,\n  "2": 1.0,\n  "10": -0\n}',
  );
});
