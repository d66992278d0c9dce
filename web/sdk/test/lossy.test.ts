/**
 * Convergence: over a link that drops, delays, repeats and reorders, a replica ends up equal to the
 * log, and never shows as live what the log did not say at that version.
 *
 * The server here is a model, a few lines long: a log of patches, positions that prove a document,
 * and the answers of the protocol. The real one is met in the browser tests.
 */

import { expect, test } from "vitest";
import { digest } from "../src/canonical.js";
import type { ClientMessage, ServerMessage } from "../src/messages.js";
import { applyPatch } from "../src/patch.js";
import { Replica } from "../src/replica.js";
import { equal, type JsonObject, type Operation } from "../src/values.js";
import { Chance, seedOf } from "./chance.js";

const SEEDS = 500;
const ROUNDS = 120;
const TIMESTAMP = "2026-01-01T00:00:00.000Z";

class ModelServer {
  readonly documents: JsonObject[] = [{}];
  private readonly patches: Operation[][] = [[]];

  constructor(private readonly chance: Chance) {
    this.commit();
  }

  get head(): number {
    return this.documents.length - 1;
  }

  commit(): ServerMessage {
    const before = this.documents[this.head] as JsonObject;
    const patch = Array.from({ length: this.chance.below(3) }, () => ({ op: "add" }) as Operation);
    let document = before;
    for (const index of patch.keys()) {
      const operation = this.chance.operation(document);
      patch[index] = operation;
      document = applyPatch(document, [operation]) as JsonObject;
    }
    this.documents.push(document);
    this.patches.push(patch);
    return this.updated(this.head - 1);
  }

  answer(message: ClientMessage): ServerMessage | null {
    if (message.type === "heartbeat") return this.heartbeat(message.digest === true);
    if (message.type !== "resync") return null;
    const version = Number(message.position?.split(".")[0] ?? 0);
    const proved = message.position === this.position(version);
    return proved ? this.updated(version) : this.snapshot();
  }

  snapshot(): ServerMessage {
    const structured_data = this.documents[this.head] as JsonObject;
    return { type: "campaign_active", ...this.place(), structured_data, reason: "resync" };
  }

  heartbeat(withDigest: boolean): ServerMessage {
    const said = { type: "heartbeat", ...this.place() } as const;
    return withDigest ? { ...said, digest: digest(this.documents[this.head] ?? {}) } : said;
  }

  private updated(base: number): ServerMessage {
    const patch = this.patches.slice(base + 1).flat();
    return { type: "campaign_updated", ...this.place(), base, patch, events: [] };
  }

  private place() {
    const position = this.position(this.head);
    return { campaign_id: "c", version: this.head, position, timestamp: TIMESTAMP };
  }

  private position(version: number): string {
    return `${version}.${digest(this.documents[version] ?? {}).slice(0, 16)}`;
  }
}

/** What is on its way, one way: it may be lost, doubled, and arrive in any order. */
class Link<T> {
  private waiting: T[] = [];

  constructor(private readonly chance: Chance) {}

  put(message: T): void {
    if (this.chance.next() < 0.15) return;
    this.waiting.push(message);
    if (this.chance.next() < 0.1) this.waiting.push(message);
  }

  /** Take out one of the first few. */
  take(): T | undefined {
    if (this.waiting.length === 0) return undefined;
    return this.waiting.splice(this.chance.below(Math.min(4, this.waiting.length)), 1)[0];
  }

  cut(): void {
    this.waiting = [];
  }
}

function receive(replica: Replica, server: ModelServer, message: ServerMessage): ClientMessage[] {
  const effects = replica.receive(JSON.stringify(message));
  if (replica.status === "live") {
    expect(equal(replica.document, server.documents[replica.version] ?? null)).toBe(true);
  }
  return effects.flatMap(effect => (effect.type === "send" ? [effect.message] : []));
}

function play(seed: number): void {
  const chance = new Chance(seed);
  const server = new ModelServer(chance);
  const replica = new Replica();
  const [down, up] = [new Link<ServerMessage>(chance), new Link<ClientMessage>(chance)];
  down.put(server.snapshot());
  for (let round = 0; round < ROUNDS; round += 1) {
    const choice = chance.next();
    if (choice < 0.35) down.put(server.commit());
    else if (choice < 0.7) {
      const message = down.take();
      if (message !== undefined) for (const each of receive(replica, server, message)) up.put(each);
    } else if (choice < 0.9) {
      const answer = server.answer(up.take() ?? { type: "heartbeat" });
      if (answer !== null) down.put(answer);
    } else if (choice < 0.93) {
      down.cut();
      up.cut();
      replica.disconnected();
      down.put(server.answer({ type: "resync", position: replica.position }) as ServerMessage);
    } else up.put(replica.heartbeat(chance.next() < 0.5));
  }
  // The link is good again, and silent: a heartbeat at rest brings the truth.
  down.cut();
  let said = receive(replica, server, server.heartbeat(true));
  for (let more = 0; said.length > 0 && more < 5; more += 1) {
    said = said.flatMap(message => {
      const answer = server.answer(message);
      return answer === null ? [] : receive(replica, server, answer);
    });
  }
  expect(replica.status).toBe("live");
  expect(replica.version).toBe(server.head);
  expect(equal(replica.document, server.documents[server.head] ?? null)).toBe(true);
}

test(`a replica converges over a lossy link, for ${SEEDS} seeds`, () => {
  const first = seedOf();
  for (let seed = first; seed < first + SEEDS; seed += 1) {
    try {
      play(seed);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
