/**
 * The log in memory, and the document at each of its versions.
 *
 * Every hundredth document is kept as the log comes in: they share what did not change, so that
 * thousands of versions cost little more than their patches, and any of them is at most a hundred
 * small patches away.
 */

import { applyPatch, isObject, type Json, type JsonObject } from "@questlog/client";
import { charactersByName, hitPointsOf } from "../shared/document.js";
import { textOf } from "../shared/things.js";
import type { Logged } from "./archive.js";

const STRIDE = 100;

/** One character's hit points: each change of them, by version; null where there are none. */
export interface Life {
  key: string;
  name: string;
  versions: number[];
  points: (number | null)[];
}

export class History {
  readonly events: Logged[] = [];
  readonly lives = new Map<string, Life>();
  /** The latest of the recorded times so far, by version: times may be out of order in old logs. */
  private readonly times: number[] = [];
  private readonly kept: Json[] = [];
  private newest: Json = null;
  /** The document looked at last: a step from there is one patch. */
  private last: { version: number; document: Json } = { version: 0, document: null };

  get head(): number {
    return this.events.length;
  }

  /** Take up the events that follow; those that are there already are passed over. */
  add(events: readonly Logged[]): void {
    for (const event of events) {
      if (event.version <= this.head) continue;
      if (event.version !== this.head + 1)
        throw new Error(`the log lacks version ${this.head + 1}`);
      const before = this.newest;
      this.newest = applyPatch(before, event.patch);
      this.events.push(event);
      this.times.push(Math.max(this.times.at(-1) ?? Number.NEGATIVE_INFINITY, timeOf(event)));
      if (event.version % STRIDE === 1) this.kept.push(this.newest);
      this.live(before, this.newest, event.version);
    }
  }

  event(version: number): Logged | undefined {
    return this.events[version - 1];
  }

  /**
   * The document at a version; before the first there is nothing.
   *
   * @throws RangeError: the log does not go so far.
   */
  at(version: number): Json {
    if (version <= 0) return null;
    if (version > this.head) throw new RangeError(`there is no version ${version}`);
    if (version === this.head) return this.newest;
    const place = Math.floor((version - 1) / STRIDE);
    const checkpoint = { version: place * STRIDE + 1, document: this.kept[place] ?? null };
    const near = this.last.version <= version && this.last.version > checkpoint.version;
    let { version: at, document } = near ? this.last : checkpoint;
    for (; at < version; at += 1) document = applyPatch(document, this.event(at + 1)?.patch ?? []);
    this.last = { version, document };
    return document;
  }

  /** The version there was at a moment; before the log began it is its first. */
  versionAt(moment: number): number {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.times[middle] as number) <= moment) low = middle + 1;
      else high = middle;
    }
    return Math.max(1, low);
  }

  /** When a version was made, in milliseconds; never before the version before it. */
  time(version: number): number {
    return this.times[version - 1] ?? 0;
  }

  private live(before: Json, after: Json, version: number): void {
    const [then, now] = [charactersIn(before), charactersIn(after)];
    if (then === now) return;
    const gone = new Set(this.lives.keys());
    for (const [id, { name, value }] of charactersByName(now)) {
      gone.delete(id);
      const points = hitPointsOf(value)?.current ?? null;
      const life = this.lives.get(id);
      // Of two of one name, the second is called so.
      const called = Array.isArray(now) && textOf(value.id) === null ? id : name;
      if (life !== undefined) this.note(life, version, points, called);
      else if (points !== null) {
        this.lives.set(id, { key: id, name: called, versions: [version], points: [points] });
      }
    }
    for (const id of gone) {
      const life = this.lives.get(id);
      if (life !== undefined) this.note(life, version, null, life.name);
    }
  }

  private note(life: Life, version: number, points: number | null, name: string): void {
    life.name = name;
    if (life.points.at(-1) === points) return;
    life.versions.push(version);
    life.points.push(points);
  }
}

function charactersIn(document: Json): Json | undefined {
  return isObject(document) ? document.characters : undefined;
}

export function timeOf({ at }: { at: string }): number {
  const time = Date.parse(at);
  return Number.isNaN(time) ? 0 : time;
}

/** A document as the object that it is; what is none has nothing to be shown. */
export function objectOf(document: Json): JsonObject {
  return isObject(document) ? document : {};
}
