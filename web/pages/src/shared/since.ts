/** What has changed since the last visit: between what was kept and what is there now. */

import { isObject, type Json, type JsonObject } from "@questlog/client";
import {
  type Character,
  charactersOf,
  conditionsOf,
  hitPointsOf,
  itemsOf,
  talesOf,
} from "./document.js";

const MOST = 12;

/** Sentences, the most telling first; none where nothing of the kind has changed. */
export function changesSince(before: JsonObject, after: JsonObject): string[] {
  const told = [...tales(before, after), ...party(before, after), ...scene(before, after)];
  return told.length > MOST ? [...told.slice(0, MOST), `and ${told.length - MOST} more`] : told;
}

function* tales(before: JsonObject, after: JsonObject): Generator<string> {
  const known = new Set(talesOf(before.all_narratives, before.narrative).map(each => each.key));
  const all = talesOf(after.all_narratives, after.narrative);
  const fresh = all.filter(each => !known.has(each.key)).length;
  if (fresh > 0) yield fresh === 1 ? "The story went on." : `The story went on by ${fresh} parts.`;
}

function* party(before: JsonObject, after: JsonObject): Generator<string> {
  const then = new Map(charactersOf(before.characters).map(each => [each.key, each]));
  for (const now of charactersOf(after.characters)) {
    const known = then.get(now.key);
    then.delete(now.key);
    if (known === undefined) yield `${now.name} joined.`;
    else if (known.value !== now.value) yield* changes(known, now);
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
  if (isObject(after.scene) && isObject(before.scene) && after.scene.name !== before.scene.name) {
    yield `The scene is now: ${String(after.scene.name)}.`;
  }
}

function* difference(
  before: string[],
  after: string[],
  say: { come: (each: string) => string; gone: (each: string) => string },
): Generator<string> {
  for (const each of after) if (!before.includes(each)) yield say.come(each);
  for (const each of before) if (!after.includes(each)) yield say.gone(each);
}
