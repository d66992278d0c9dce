/**
 * What a step changed: places in the document, and what stood there before and after.
 *
 * Found between the two documents, and not read from the patch, which may say it in more words: that
 * of a whole document that was put says of a list that moved up that each of its members changed.
 * Two versions share all that the step left alone, so little is looked at.
 */

import { equal, getAt, isObject, type Json } from "@questlog/client";
import { charactersOf } from "../shared/document.js";
import { label, nameOf, textOf } from "../shared/things.js";

export interface Change {
  /** Where: in the document after, or before of what is gone. */
  tokens: string[];
  /** Undefined: there was nothing. */
  before: Json | undefined;
  after: Json | undefined;
}

/** More than a step's reader would read. */
export const MOST = 100;

/** Where two documents differ, as deep as can be said. */
export function* differences(
  before: Json | undefined,
  after: Json | undefined,
  tokens: string[] = [],
): Generator<Change> {
  if (before === after) return;
  if (Array.isArray(before) && Array.isArray(after)) yield* inLists(before, after, tokens);
  else if (isObject(before) && isObject(after)) {
    for (const member of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const then = getAt(before, [member]);
      yield* differences(then, getAt(after, [member]), [...tokens, member]);
    }
  } else if (!equal(before, after)) yield { tokens, before, after };
}

function* inLists(before: Json[], after: Json[], tokens: string[]): Generator<Change> {
  const [known, now] = [idsOf(before), idsOf(after)];
  if (known === null || now === null) yield* byPlace(before, after, tokens);
  else {
    for (const [id, place] of known) {
      const at = [...tokens, String(place)];
      if (!now.has(id)) yield { tokens: at, before: before[place], after: undefined };
    }
    for (const [id, place] of now) {
      const old = known.get(id);
      const then = old === undefined ? undefined : before[old];
      yield* differences(then, after[place], [...tokens, String(place)]);
    }
  }
}

/** Where each element of a list is, by its id; null where one has none, or another's. */
function idsOf(list: Json[]): Map<string, number> | null {
  const places = new Map<string, number>();
  for (const [place, each] of list.entries()) {
    const id = isObject(each) ? textOf(each.id) : null;
    if (id === null || places.has(id)) return null;
    places.set(id, place);
  }
  return places;
}

/** What stands alike at both ends has only moved up or down. */
function* byPlace(before: Json[], after: Json[], tokens: string[]): Generator<Change> {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && equal(before[start], after[start])) start += 1;
  let end = 0;
  while (end < shorter - start && equal(before.at(-1 - end), after.at(-1 - end))) end += 1;
  const [then, now] = [before.length - end, after.length - end];
  for (let place = start; place < Math.max(then, now); place += 1) {
    const old = place < then ? before[place] : undefined;
    const fresh = place < now ? after[place] : undefined;
    yield* differences(old, fresh, [...tokens, String(place)]);
  }
}

/** Whether a change is at a place that is still there, within it or around it. */
export function touches(changes: readonly Change[], place: readonly string[]): boolean {
  return changes.some(({ tokens, after }) => {
    if (after === undefined && tokens.length <= place.length) return false;
    const shorter = Math.min(tokens.length, place.length);
    return place.slice(0, shorter).every((token, index) => token === tokens[index]);
  });
}

/** A place in the words of people: `Mira Tallow › Hp › Current`. */
export function placeName(tokens: readonly string[], document: Json): string {
  const [first, second] = tokens;
  if (first === undefined) return "Everything";
  const names: string[] = tokens.map((token, depth) => {
    const isPlace =
      /^[0-9]+$/.test(token) && Array.isArray(getAt(document, tokens.slice(0, depth)));
    if (!isPlace) return label(token);
    const value = getAt(document, tokens.slice(0, depth + 1));
    const name = isObject(value) ? nameOf(value) : null;
    return name !== null && name.length <= 40 ? name : `No. ${Number(token) + 1}`;
  });
  if (first === "characters" && second !== undefined) {
    const characters = isObject(document) ? document.characters : undefined;
    const one = charactersOf(characters).find(each => each.key === second);
    names.splice(0, 2, one?.name ?? label(second));
  }
  return names.join(" › ");
}
