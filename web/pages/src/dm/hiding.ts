/** Hiding a character from the players, by a rule of its own; and whether it is hidden by others. */

import { equal, isObject, type Json, type JsonObject } from "@questlog/client";
import { type Character, charactersOf } from "../shared/document.js";
import { isTooLarge, textOf } from "../shared/things.js";

/**
 * The rule that hides a character; null where none can: one that names a place in a list would hide
 * somebody else as soon as another leaves.
 */
export function hidingRule(characters: Json | undefined, character: Character): JsonObject | null {
  if (isObject(characters)) return { path: character.pointer, to: ["dm"] };
  for (const member of ["id", "name"]) {
    const value = character.value[member];
    if (textOf(value) === null || isTooLarge(value)) continue;
    const same = charactersOf(characters).filter(each => equal(each.value[member], value));
    if (same.length !== 1) continue;
    return { path: "/characters/*", to: ["dm"], when: { [member]: value as Json } };
  }
  return null;
}

/** Whether a rule hides by a name, which may be another tomorrow. */
export function isByName(rule: JsonObject | null): boolean {
  return isObject(rule?.when) && rule.when.name !== undefined;
}

export function isAmong(rules: readonly JsonObject[], rule: JsonObject | null): boolean {
  return rule !== null && rules.some(each => equal(each, rule));
}

/** The rules with one more, or without it: others about the same place stay as they are. */
export function withRule(
  rules: readonly JsonObject[],
  rule: JsonObject,
  there: boolean,
): JsonObject[] {
  const others = rules.filter(each => !equal(each, rule));
  return there ? [...others, rule] : others;
}

/** Whether a character is in somebody's view. */
export function isSeen(
  view: JsonObject,
  characters: Json | undefined,
  character: Character,
): boolean {
  const { key, name, value } = character;
  const seen = charactersOf(view.characters);
  if (isObject(characters)) return seen.some(each => each.key === key);
  const id = textOf(value.id);
  return seen.some(each => (id === null ? each.name === name : textOf(each.value.id) === id));
}

/** Where somebody is still named who is hidden: hiding them does not hide their name elsewhere. */
export function namedIn(view: JsonObject, { key, name, value }: Character): string[] {
  const called = new Set([key, name, textOf(value.id) ?? name]);
  const places: string[] = [];
  for (const member of ["initiative", "turn_info", "combat_status", "immediate_threats"]) {
    if (mentions(view[member], called)) places.push(member);
  }
  const told = textOf(view.narrative);
  if (told?.toLowerCase().includes(name.toLowerCase())) places.push("narrative");
  return places;
}

function mentions(value: Json | undefined, called: ReadonlySet<string>): boolean {
  if (Array.isArray(value)) return value.some(each => mentions(each, called));
  if (isObject(value)) {
    return Object.entries(value).some(([key, each]) => called.has(key) || mentions(each, called));
  }
  return called.has(textOf(value) ?? "");
}
