/**
 * What is called what: texts, names, and the members of a list or an object, in whatever shape.
 *
 * Any JSON may be anywhere. What is read here is shown by its name; what is left of it beside that
 * is given back too, so that a page can show all that there is.
 */

import { isObject, type Json, type JsonObject } from "@questlog/client";

export function textOf(value: Json | undefined): string | null {
  if (typeof value === "string") return value.trim() === "" ? null : value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

const NAMES = ["name", "title", "label", "text", "description", "id"];

/** The member that names an object; undefined where none does. */
function namingOf(value: JsonObject): string | undefined {
  return NAMES.find(member => textOf(value[member]) !== null);
}

/** The name of a thing: a text, or an object's `name`, `title`, `text` or `id`. */
export function nameOf(value: Json | undefined): string | null {
  if (!isObject(value)) return textOf(value);
  const naming = namingOf(value);
  return naming === undefined ? null : textOf(value[naming]);
}

/** The entries of a list; of an object its members; of a text that alone. */
export function entriesOf(value: Json | undefined): [string, Json][] {
  if (Array.isArray(value)) return value.map((each, index) => [String(index), each]);
  if (isObject(value)) return Object.entries(value);
  return textOf(value) === null ? [] : [["", value as Json]];
}

/** What is left of a value where its name, its id and some members are shown; null: nothing. */
export function moreOf(value: Json | undefined, shown: readonly string[] = []): Json | null {
  if (Array.isArray(value)) return value.length === 0 ? null : value;
  if (!isObject(value)) return null;
  const known = [...shown, "id", namingOf(value)];
  const left = Object.entries(value).filter(([member]) => !known.includes(member));
  return left.length === 0 ? null : Object.fromEntries(left);
}

/** A value that is shown as a text, or not at all; what is neither is given back. */
export function unread(value: Json | undefined): Json | null {
  return value === undefined || textOf(value) !== null || value === "" ? null : value;
}

export interface Thing {
  key: string;
  name: string;
  /** What it holds beside its name; null: nothing. */
  more: Json | null;
}

/**
 * What a list or an object holds, by name.
 *
 * @param say how a member's name is said.
 * @param shown members that are shown by whoever asks.
 */
export function thingsOf(
  value: Json | undefined,
  say: (member: string) => string = label,
  shown: readonly string[] = [],
): Thing[] {
  const listed = !isObject(value);
  return entriesOf(value).flatMap(([key, each]) => {
    if (each === null) return [];
    const more = moreOf(each, shown);
    if (!listed) return [{ key, name: memberOf(say(key), each), more }];
    return [{ key, name: nameOf(each) ?? `No. ${Number(key) + 1}`, more }];
  });
}

/** A member in words: `fog: true` is Fog, `light: "dim"` is Light: dim. */
export function memberOf(member: string, value: Json): string {
  if (value === true) return member;
  if (value === false) return `${member}: no`;
  const text = textOf(value);
  return text === null ? (nameOf(value) ?? member) : `${member}: ${text}`;
}

/** A text as it is, or a word that programs use in words: `in_combat` is In combat. */
export function spoken(text: string): string {
  return /^[a-z][a-z_-]*$/i.test(text) ? label(text) : capital(text);
}

/** A member's name for people: `combat_status` is Combat status. */
export function label(member: string): string {
  const text = member.replaceAll(/[_-]+/g, " ").trim();
  return text === "" ? "—" : capital(text);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Whether there is a number in a value that has lost digits, or all of them. */
export function isTooLarge(value: Json | undefined): boolean {
  if (typeof value === "number") {
    return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value));
  }
  if (Array.isArray(value)) return value.some(isTooLarge);
  return isObject(value) && Object.values(value).some(isTooLarge);
}
