/** What a step changed: places in the document, and what stood there before and after. */

import {
  applyPatch,
  equal,
  getAt,
  isObject,
  type Json,
  type Operation,
  parsePointer,
} from "@questlog/client";
import { charactersOf, label, nameOf } from "../shared/document.js";

export interface Change {
  /** Where; of what was moved, where it stands now. */
  tokens: string[];
  /** Undefined: there was nothing. */
  before: Json | undefined;
  after: Json | undefined;
}

/** More than a step's reader would read. */
export const MOST = 100;

/**
 * What a patch changes of a document, operation by operation; at most a few more than `MOST`.
 *
 * @param before the document it applies to; undefined where that is not known, and so nothing of
 *   what stood there.
 */
export function changesOf(before: Json | undefined, patch: readonly Operation[]): Change[] {
  const changes: Change[] = [];
  let document = before;
  for (const operation of patch) {
    if (changes.length > MOST) break;
    if (operation.op === "test") continue;
    if (document === undefined) {
      const tokens = parsePointer(operation.path);
      changes.push({ tokens, before: undefined, after: operation.value });
      continue;
    }
    const next = applyPatch(document, [operation]);
    changes.push(...made(document, next, operation));
    document = next;
  }
  return changes;
}

function made(before: Json, after: Json, operation: Operation): Change[] {
  const { op, from } = operation;
  const tokens = parsePointer(operation.path);
  const parent = getAt(before, tokens.slice(0, -1));
  const inList = Array.isArray(parent) && tokens.length > 0;
  if (inList && tokens.at(-1) === "-") tokens[tokens.length - 1] = String(parent.length);
  if (op === "move" && from !== undefined) {
    const source = parsePointer(from);
    const value = getAt(before, source);
    return [
      { tokens: source, before: value, after: undefined },
      { tokens, before: undefined, after: value },
    ];
  }
  if (op === "remove") return [{ tokens, before: getAt(before, tokens), after: undefined }];
  // Into a list it moves the others up: nothing that stood there is gone.
  const old = inList && op !== "replace" ? undefined : getAt(before, tokens);
  const fresh = getAt(after, tokens);
  if (old === undefined || fresh === undefined) return [{ tokens, before: old, after: fresh }];
  return [...differences(old, fresh, tokens)];
}

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

/** What stands alike at both ends has only moved up or down. */
function* inLists(before: Json[], after: Json[], tokens: string[]): Generator<Change> {
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

/** Whether a change is at a place, within it or around it. */
export function touches(changes: readonly Change[], place: readonly string[]): boolean {
  return changes.some(({ tokens }) => {
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
