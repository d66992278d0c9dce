/**
 * Blame: for each leaf at or below a pointer, the event that made it what it is.
 *
 * There is no call for it. The log is walked back a stretch at a time: the document at the stretch's
 * beginning is asked for, the stretch's patches are applied to it, and every leaf that is not settled
 * is carried back through them. So what was changed lately is found without the rest of the log.
 */

import {
  applyPatch,
  getAt,
  isObject,
  type Json,
  type JsonObject,
  joinPointer,
  parsePointer,
} from "@questlog/client";
import type { LoggedEvent } from "./api.js";
import { back, type Path } from "./tracing.js";

/** Versions in a stretch: few at first, since most of what is asked for was changed lately. */
const STRETCHES = [100, 400, 1_000];
/** Milliseconds for which the page may do nothing else. */
const LONGEST = 20;

export interface Blamed {
  pointer: string;
  value: Json;
  /** The event that made it so; null: it has not been found yet. */
  event: LoggedEvent | null;
}

export interface Progress {
  /** In the document's order. */
  leaves: readonly Blamed[];
  /** The first version whose event has been looked at. */
  looked: number;
}

/** Where the events and documents come from. */
export interface Reader {
  state(version: number, signal: AbortSignal): Promise<JsonObject>;
  /** The events after a version up to another, all of them. */
  between(after: number, until: number, signal: AbortSignal): Promise<readonly LoggedEvent[]>;
}

/** There is nothing to blame anybody for. */
export class NothingThereError extends Error {
  override name = "NothingThereError";
}

/** One leaf on its way back: where it is now, and what is to be said of it. */
interface Traced {
  place: Path;
  said: Blamed;
}

/**
 * Find who set each leaf at `pointer` as of version `at`, and tell after each stretch.
 *
 * @throws NothingThereError: at that version nothing is at `pointer`.
 */
export async function* blame(
  reader: Reader,
  pointer: string,
  at: number,
  signal: AbortSignal,
): AsyncGenerator<Progress> {
  const document = await reader.state(at, signal);
  const path = lastOf(document, parsePointer(pointer));
  const found = getAt(document, path);
  if (found === undefined) throw new NothingThereError(`Nothing is there at version ${at}.`);
  const leaves = [...leavesOf(found, path)].map(([place, value]): Traced => {
    return { place, said: { pointer: joinPointer(place), value, event: null } };
  });
  const told = (looked: number) => ({ leaves: leaves.map(each => ({ ...each.said })), looked });
  const breath = new Breath(signal);
  let rest = leaves;
  let until = at;
  for (let stretch = 0; until > 1 && rest.length > 0; stretch += 1) {
    yield told(until + 1);
    const length = STRETCHES[Math.min(stretch, STRETCHES.length - 1)] as number;
    const begin = Math.max(1, until - length);
    const events = await reader.between(begin, until, signal);
    rest = await walk(await reader.state(begin, signal), events, rest, breath);
    until = begin;
  }
  if (rest.length > 0) {
    const [first] = await reader.between(0, 1, signal);
    for (const each of rest) each.said.event = first ?? null;
    until = 0;
  }
  yield told(until + 1);
}

/** Carry leaves back through `events`, which follow `document`; returns those not settled. */
async function walk(
  document: JsonObject,
  events: readonly LoggedEvent[],
  leaves: readonly Traced[],
  breath: Breath,
): Promise<Traced[]> {
  const documents: Json[] = [document];
  for (const event of events.slice(0, -1)) {
    documents.push(applyPatch(documents.at(-1) as Json, event.patch));
    if (breath.due) await breath.taken();
  }
  let rest = [...leaves];
  for (let step = events.length - 1; step >= 0 && rest.length > 0; step -= 1) {
    const event = events[step] as LoggedEvent;
    const touches = touchedBy(event);
    const left: Traced[] = [];
    for (const each of rest) {
      if (breath.due) await breath.taken();
      const was = touches(each.place)
        ? back(documents[step] as Json, event.patch, each.place, each.said.value)
        : each.place;
      if (was === null) each.said.event = event;
      else {
        each.place = was;
        left.push(each);
      }
    }
    rest = left;
  }
  return rest;
}

/** Of a document with a hundred thousand leaves too, the page goes on: it is looked up in between. */
class Breath {
  private since = performance.now();

  constructor(private readonly signal: AbortSignal) {}

  get due(): boolean {
    return performance.now() - this.since > LONGEST;
  }

  /** @throws AbortError: nobody wants to know any more. */
  async taken(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve));
    this.signal.throwIfAborted();
    this.since = performance.now();
  }
}

/** Whether an event may have changed or moved what is at a place: all below a changed container. */
function touchedBy(event: LoggedEvent): (place: Path) => boolean {
  const containers = event.patch
    .flatMap(({ path, from }) => (from === undefined ? [path] : [path, from]))
    .map(pointer => parsePointer(pointer).slice(0, -1));
  return place =>
    containers.some(
      container =>
        container.length <= place.length &&
        container.every((token, index) => token === place[index]),
    );
}

/** Every value that holds no other, with its place. */
export function* leavesOf(value: Json, path: Path): Generator<[Path, Json]> {
  const inside = Array.isArray(value)
    ? value.map((each, index): [string, Json] => [String(index), each])
    : isObject(value)
      ? Object.entries(value)
      : [];
  if (inside.length === 0) yield [path, value];
  for (const [token, each] of inside) yield* leavesOf(each, [...path, token]);
}

/** A path with the element that "-" has put at a list's end. */
function lastOf(document: Json, path: Path): Path {
  const list = path.at(-1) === "-" ? getAt(document, path.slice(0, -1)) : undefined;
  return Array.isArray(list) ? [...path.slice(0, -1), String(list.length - 1)] : path;
}
