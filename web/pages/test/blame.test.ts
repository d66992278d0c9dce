/** The event that made each leaf what it is: the cases that `tests/eventstore/test_blame.py` has. */

import { applyPatch, type Json, type JsonObject, type Operation } from "@questlog/client";
import { expect, test } from "vitest";
import type { LoggedEvent } from "../src/inspect/api.js";
import { blame, NothingThereError, type Progress, type Reader } from "../src/inspect/blame.js";

/** A log in memory, that counts what is asked of it. */
class Memory implements Reader {
  readonly asked: string[] = [];
  private readonly documents: Json[];
  private readonly events: LoggedEvent[];

  constructor(document: JsonObject, ...patches: Operation[][]) {
    this.documents = [document];
    for (const patch of patches) this.documents.push(applyPatch(this.head, patch));
    const all: Operation[][] = [[{ op: "add", path: "", value: document }], ...patches];
    this.events = all.map((patch, index) => ({
      campaign_id: "c",
      version: index + 1,
      id: `e-${index + 1}`,
      kind: "state.updated",
      actor: { member: "dm", role: "dm" },
      at: "2026-01-01T00:00:00.000Z",
      patch,
      data: {},
      meta: {},
      request: "",
      schema: 2,
      hash: "",
    }));
  }

  private get head(): Json {
    return this.documents.at(-1) as Json;
  }

  get version(): number {
    return this.events.length;
  }

  async state(version: number): Promise<JsonObject> {
    this.asked.push(`state ${version}`);
    return this.documents[version - 1] as JsonObject;
  }

  async between(after: number, until: number): Promise<readonly LoggedEvent[]> {
    this.asked.push(`events ${after + 1} to ${until}`);
    return this.events.slice(after, until);
  }
}

async function last(log: Memory, pointer = "", at = log.version): Promise<Progress> {
  let found: Progress = { leaves: [], looked: 0 };
  for await (const each of blame(log, pointer, at, new AbortController().signal)) found = each;
  return found;
}

async function versions(log: Memory, pointer = "", at = log.version) {
  const { leaves } = await last(log, pointer, at);
  return Object.fromEntries(leaves.map(each => [each.pointer, each.event?.version]));
}

const set = (path: string, value: Json): Operation => ({ op: "add", path, value });

test("the event that changed a value is blamed", async () => {
  const log = new Memory(
    { mira: { hp: 9, ac: 15 }, round: 1 },
    [set("/mira/hp", 4)],
    [set("/mira", { hp: 4, ac: 15 })],
    [set("/round", 2), { op: "test", path: "/mira/hp", value: 4 }],
    [set("/mira/hp", 4)],
  );
  expect(await versions(log)).toEqual({ "/mira/hp": 2, "/mira/ac": 1, "/round": 4 });
  expect(await versions(log, "/mira")).toEqual({ "/mira/hp": 2, "/mira/ac": 1 });
  expect(await versions(log, "/mira/hp")).toEqual({ "/mira/hp": 2 });
  expect(await versions(log, "", 1)).toEqual({ "/mira/hp": 1, "/mira/ac": 1, "/round": 1 });
});

test("elements of a list are followed to where they were", async () => {
  const log = new Memory(
    { order: ["mira", "tobin"] },
    [set("/order/0", "goblin")],
    [set("/order/-", "orla")],
    [{ op: "remove", path: "/order/1" }],
    [{ op: "move", from: "/order/2", path: "/order/0" }],
    [{ op: "copy", from: "/order/0", path: "/order/-" }],
  );
  expect(await versions(log)).toEqual({
    "/order/0": 3,
    "/order/1": 2,
    "/order/2": 1,
    "/order/3": 6,
  });
  // What an event has put at the end of a list is at its end.
  expect(await versions(log, "/order/-", 3)).toEqual({ "/order/3": 3 });
});

test("what moves keeps its blame, and keys that look like numbers are keys", async () => {
  const log = new Memory(
    { bag: { "0": "rope", "1": "lamp" }, chest: {} },
    [set("/bag/0", "torch")],
    [{ op: "move", from: "/bag/1", path: "/chest/lamp" }],
    [{ op: "remove", path: "/bag/0" }],
  );
  expect(await versions(log)).toEqual({ "/bag": 4, "/chest/lamp": 1 });
});

test("what is not there is said not to be", async () => {
  await expect(versions(new Memory({ hp: 1 }), "/nowhere")).rejects.toThrow(NothingThereError);
});

test("a log is read back no further than it takes, and it is said how far", async () => {
  const rounds = Array.from({ length: 2_000 }, (_, index) => [set("/round", index)]);
  const log = new Memory({ hp: 9, round: 0 }, ...rounds);
  expect(await last(log, "/round")).toMatchObject({ looked: 1_902, leaves: [{ value: 1_999 }] });
  expect(log.asked).toEqual(["state 2001", "events 1902 to 2001", "state 1901"]);
  const told = [];
  const signal = new AbortController().signal;
  for await (const { looked } of blame(log, "/hp", log.version, signal)) told.push(looked);
  expect(told).toEqual([2_002, 1_902, 1_502, 502, 1]);
});
