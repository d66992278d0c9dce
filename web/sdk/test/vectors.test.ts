/** The message vectors that every replica runs, in whatever language: see tests/conformance/. */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Effect, Replica, type ReplicaStatus } from "../src/replica.js";
import type { JsonObject } from "../src/values.js";
import { MisshapenError } from "../src/wire.js";

const FOLDER = new URL("../../../tests/conformance/", import.meta.url);

interface Expected {
  sent: JsonObject[];
  campaign_id: string | null;
  version: number;
  position: string | null;
  document: JsonObject | null;
  status: ReplicaStatus;
  changed?: JsonObject & { events: JsonObject[] };
  refused?: boolean;
}

interface Step {
  receive?: JsonObject;
  receive_text?: string;
  disconnect?: boolean;
  expect: Expected;
}

interface Case {
  name: string;
  start?: Pick<Expected, "campaign_id" | "version" | "position" | "document" | "status">;
  steps: Step[];
}

function replicaOf(start: Case["start"]): Replica {
  const replica = new Replica();
  if (start !== undefined) {
    replica.campaignId = start.campaign_id;
    replica.version = start.version;
    replica.position = start.position;
    replica.document = start.document;
    replica.status = start.status;
  }
  return replica;
}

function carryOut(replica: Replica, step: Step): { effects: Effect[]; refused: boolean } {
  if (step.receive === undefined && step.receive_text === undefined) {
    replica.disconnected();
    return { effects: [], refused: false };
  }
  try {
    const frame = step.receive_text ?? JSON.stringify(step.receive);
    return { effects: replica.receive(frame), refused: false };
  } catch (error) {
    if (!(error instanceof MisshapenError)) throw error;
    return { effects: [], refused: true };
  }
}

function check(replica: Replica, step: Step): void {
  const { effects, refused } = carryOut(replica, step);
  const { sent, changed, refused: refusal, ...state } = step.expect;
  expect({
    campaign_id: replica.campaignId,
    version: replica.version,
    position: replica.position,
    document: replica.document,
    status: replica.status,
  }).toEqual(state);
  expect(refused).toBe(refusal ?? false);
  expect(effects.flatMap(each => (each.type === "send" ? [each.message] : []))).toEqual(sent);
  const told = effects.flatMap(each => (each.type === "changed" ? [each] : []));
  if (changed === undefined) {
    expect(told).toEqual([]);
    return;
  }
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject(changed);
}

const files = readdirSync(FOLDER).filter(name => /^replica-.*\.json$/.test(name));

test("there are vectors", () => expect(files.length).toBeGreaterThan(3));

describe.each(files)("%s", name => {
  const { cases } = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as { cases: Case[] };
  test.each(cases.map(each => [each.name, each] as const))("%s", (_, { start, steps }) => {
    const replica = replicaOf(start);
    for (const step of steps) check(replica, step);
  });
});
