/** What has changed since the last visit: between what was kept and what is there now. */

import { equal, isObject, type Json, type JsonObject } from "@questlog/client";
import {
  type Character,
  charactersByName,
  conditionsOf,
  hitPointsOf,
  itemsOf,
  talesOf,
} from "./document.js";

import { nameOf, textOf, thingsOf } from "./things.js";

const MOST = 12;

/** Sentences, the most telling first; none where nothing of the kind has changed. */
export function changesSince(
  before: JsonObject,
  after: JsonObject,
  playerId: string | null,
): string[] {
  const told = [
    ...tales(before, after),
    ...secrets(before, after, playerId),
    ...party(before, after),
    ...scene(before, after),
  ];
  return told.length > MOST ? [...told.slice(0, MOST), `and ${told.length - MOST} more`] : told;
}

function* tales(before: JsonObject, after: JsonObject): Generator<string> {
  // A story that lets go of its oldest entries has others at each place.
  const known = new Set(entriesIn(before));
  const fresh = entriesIn(after).filter(entry => !known.has(entry)).length;
  if (fresh > 0) yield fresh === 1 ? "The story went on." : `The story went on by ${fresh} parts.`;
}

function entriesIn({ all_narratives: all, narrative }: JsonObject): string[] {
  return talesOf(all, narrative).map(({ entry }) => JSON.stringify(entry));
}

function* party(before: JsonObject, after: JsonObject): Generator<string> {
  const then = charactersByName(before.characters);
  for (const [name, now] of charactersByName(after.characters)) {
    const known = then.get(name);
    then.delete(name);
    if (known === undefined) yield `${now.name} joined.`;
    else if (!equal(known.value, now.value)) yield* changes(known, now);
  }
  for (const gone of then.values()) yield `${gone.name} is gone.`;
}

function* changes(before: Character, after: Character): Generator<string> {
  const [then, now] = [hitPointsOf(before.value), hitPointsOf(after.value)];
  if (then !== null && now !== null && then.current !== now.current) {
    const by = now.current - then.current;
    yield `${after.name} ${by < 0 ? "lost" : "regained"} ${Math.abs(by)} hit points.`;
  }
  yield* difference(conditionsOf(before.value), conditionsOf(after.value), {
    come: each => `${after.name} is ${each}.`,
    gone: each => `${after.name} is no longer ${each}.`,
  });
  const names = (value: Json | undefined) => itemsOf(value).map(each => each.name);
  yield* difference(names(before.value.inventory), names(after.value.inventory), {
    come: each => `${after.name} has: ${each}.`,
    gone: each => `${after.name} no longer has: ${each}.`,
  });
}

function* scene(before: JsonObject, after: JsonObject): Generator<string> {
  const names = (value: Json | undefined) => itemsOf(value).map(each => each.name);
  yield* difference(names(before.immediate_threats), names(after.immediate_threats), {
    come: each => `A threat: ${each}.`,
    gone: each => `A threat less: ${each}.`,
  });
  const [then, now] = [nameOf(before.scene), nameOf(after.scene)];
  if (now !== null && then !== now) yield `The scene is now: ${now}.`;
  const about = (value: Json | undefined) => thingsOf(value).map(each => each.name);
  yield* difference(about(before.environmental_conditions), about(after.environmental_conditions), {
    come: each => `About you: ${each}.`,
    gone: each => `No longer about you: ${each}.`,
  });
  const turn = textOf(after.turn);
  if (turn !== null && turn !== textOf(before.turn)) yield `It is turn ${turn}.`;
  const round = isObject(after.turn_info) ? textOf(after.turn_info.round) : null;
  const known = isObject(before.turn_info) ? textOf(before.turn_info.round) : null;
  if (round !== null && round !== known) yield `It is round ${round}.`;
}

/** What only whoever looks may see: that there is something new is enough here. */
function* secrets(
  before: JsonObject,
  after: JsonObject,
  playerId: string | null,
): Generator<string> {
  if (playerId === null || !isObject(after.private)) return;
  const then = isObject(before.private) ? before.private[playerId] : undefined;
  const now = after.private[playerId];
  if (now !== undefined && !equal(then, now)) yield "There is something new for your eyes.";
}

function* difference(
  before: string[],
  after: string[],
  say: { come: (each: string) => string; gone: (each: string) => string },
): Generator<string> {
  for (const each of after) if (!before.includes(each)) yield say.come(each);
  for (const each of before) if (!after.includes(each)) yield say.gone(each);
}
