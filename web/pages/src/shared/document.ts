/**
 * What the pages read from a document, in each of the shapes it may have.
 *
 * Any JSON may be anywhere: what is not of a known shape is left out here, and shown as it is by the
 * tree of all the rest. Nothing is copied that needs not be, so that a part that did not change is
 * the same object, and what shows it does not render again.
 */

import { isObject, type Json, type JsonObject, joinPointer } from "@questlog/client";

export interface HitPoints {
  current: number;
  max: number | null;
  temp: number;
}

export interface Character {
  /** Among the characters: the member's name, or the place in a list. */
  key: string;
  /** Where it stands in the document. */
  pointer: string;
  name: string;
  /** Whom it belongs to, where the document says so. */
  player: string | null;
  value: JsonObject;
}

/** Members that have a place of their own on the page. */
const SHOWN = new Set([
  "narrative",
  "all_narratives",
  "turn",
  "turn_info",
  "status",
  "characters",
  "initiative",
  "combat_status",
  "environmental_conditions",
  "immediate_threats",
  "story_progression",
  "private",
  "scene",
  "title",
]);

export function textOf(value: Json | undefined): string | null {
  if (typeof value === "string") return value.trim() === "" ? null : value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

/** The name of a thing: a text, or an object's `name`, `title`, `text` or `id`. */
export function nameOf(value: Json | undefined): string | null {
  if (!isObject(value)) return textOf(value);
  for (const member of ["name", "title", "label", "text", "description", "id"]) {
    const text = textOf(value[member]);
    if (text !== null) return text;
  }
  return null;
}

/** The entries of a list; of an object its values; of a text that alone. */
export function entriesOf(value: Json | undefined): [string, Json][] {
  if (Array.isArray(value)) return value.map((each, index) => [String(index), each]);
  if (isObject(value)) return Object.entries(value);
  return textOf(value) === null ? [] : [["", value as Json]];
}

export function charactersOf(characters: Json | undefined): Character[] {
  return entriesOf(characters).flatMap(([key, value]) => {
    const alone = textOf(value);
    // Of some, the name is all that is said.
    if (alone !== null) return [{ ...unknown(key), name: alone }];
    if (!isObject(value)) return [];
    const player = textOf(value.player) ?? textOf(value.player_id);
    const name = nameOf(value) ?? key;
    return [{ key, pointer: joinPointer(["characters", key]), name, player, value }];
  });
}

const NOTHING: JsonObject = {};

function unknown(key: string): Omit<Character, "name"> {
  return { key, pointer: joinPointer(["characters", key]), player: null, value: NOTHING };
}

/** Which character is a player's: by what the document says, by its key, by its name. */
export function characterOf(characters: Character[], playerId: string | null): Character | null {
  if (playerId === null) return null;
  const wanted = playerId.toLowerCase();
  const is = (text: string | null) => text?.toLowerCase() === wanted;
  return (
    characters.find(each => is(each.player)) ??
    characters.find(each => is(each.key) || is(textOf(each.value.id))) ??
    characters.find(each => is(each.name)) ??
    null
  );
}

export function hitPointsOf(value: JsonObject): HitPoints | null {
  const { hp } = value;
  if (typeof hp === "number") return { current: hp, max: numberOf(value.max_hp), temp: 0 };
  if (!isObject(hp)) return null;
  const current = numberOf(hp.current) ?? numberOf(hp.value);
  if (current === null) return null;
  return { current, max: numberOf(hp.max), temp: numberOf(hp.temp) ?? 0 };
}

export function conditionsOf(value: JsonObject): string[] {
  const named = entriesOf(value.conditions).flatMap(([key, each]) => {
    // As an object: a condition's name, and whether it holds or more of it.
    if (each === false || each === null) return [];
    if (each === true) return [key];
    return [nameOf(each) ?? key];
  });
  return [...new Set(named)];
}

export function itemsOf(value: Json | undefined): { key: string; name: string; count: number }[] {
  return entriesOf(value).map(([key, each]) => {
    const count = isObject(each) ? (numberOf(each.count) ?? numberOf(each.quantity)) : null;
    const counted = typeof each === "number" && !/^[0-9]*$/.test(key);
    return {
      key,
      name: counted ? key : (nameOf(each) ?? key),
      count: counted ? each : (count ?? 1),
    };
  });
}

function numberOf(value: Json | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

const LATELY = 50;

export interface Tale {
  key: string;
  speaker: string | null;
  at: string | null;
  entry: Json;
}

/** All that was told, oldest first; the present `narrative` last, unless it is among them. */
export function talesOf(all: Json | undefined, narrative: Json | undefined): Tale[] {
  const known = new Set<string>();
  const tales = entriesOf(all).map(([key, entry]) => {
    const tale = taleOf(key, entry);
    // Two of one id are two entries all the same.
    const name = known.has(tale.key) ? `${tale.key} at ${key}` : tale.key;
    known.add(name);
    return { ...tale, key: name };
  });
  const now = textOf(narrative);
  // Heroes may have acted since it was told.
  if (now === null || tales.slice(-LATELY).some(tale => taleText(tale) === now)) return tales;
  return [...tales, { key: "narrative", speaker: null, at: null, entry: now }];
}

function taleOf(key: string, entry: Json): Tale {
  if (!isObject(entry)) return { key, speaker: null, at: null, entry };
  // By its id it stays the same entry where those before it are let go of.
  const name = textOf(entry.id) ?? key;
  return { key: name, speaker: textOf(entry.speaker), at: textOf(entry.at), entry };
}

function taleText({ entry }: Tale): string | null {
  return textOf(isObject(entry) ? entry.text : entry);
}

/** Somebody whose turn it may be: a character, or whoever else has an initiative. */
export interface Actor {
  key: string;
  /** By what else they are called in the document: an id, a name. */
  called: (string | null)[];
  name: string;
}

/**
 * The order of a fight: from `initiative`, else from `turn_info.order`.
 *
 * An entry may be an object with a name, a name, or the id of a character.
 */
export function orderOf(
  initiative: Json | undefined,
  info: Json | undefined,
  party: Character[],
): Actor[] {
  const own = entriesOf(initiative);
  const told = own.length > 0 ? own : entriesOf(isObject(info) ? info.order : undefined);
  return told.map(([key, each]) => {
    const text = nameOf(each) ?? key;
    const character = party.find(one => one.key === text || textOf(one.value.id) === text);
    const id = isObject(each) ? textOf(each.id) : null;
    return { key, called: [id, text, character?.key ?? null], name: character?.name ?? text };
  });
}

/** Whose turn it is, as the document calls them; null: nobody's in particular. */
export function currentOf(info: Json | undefined): string | null {
  if (!isObject(info)) return null;
  return isObject(info.current)
    ? (textOf(info.current.id) ?? nameOf(info.current))
    : textOf(info.current);
}

/** Whether a character is the one whose turn it is. */
export function isCurrent(character: Character, current: string | null): boolean {
  return (
    current !== null &&
    [character.key, character.name, textOf(character.value.id)].includes(current)
  );
}

/** What people call whoever's turn it is. */
export function nameOfCurrent(
  info: Json | undefined,
  party: Character[],
  order: Actor[],
): string | null {
  const current = currentOf(info);
  if (current === null) return null;
  return (
    party.find(each => isCurrent(each, current))?.name ??
    order.find(each => each.called.includes(current))?.name ??
    (isObject(info) ? nameOf(info.current) : null)
  );
}

/** Whatever has no place of its own on the page. */
export function restOf(document: JsonObject): [string, Json][] {
  return Object.entries(document).filter(([member]) => !SHOWN.has(member));
}

/** A member's name for people: `combat_status` is Combat status. */
export function label(member: string): string {
  const text = member.replaceAll(/[_-]+/g, " ").trim();
  return text === "" ? "—" : text[0]?.toUpperCase() + text.slice(1);
}
