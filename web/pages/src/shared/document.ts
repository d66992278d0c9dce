/**
 * What the pages read from a document, in each of the shapes it may have.
 *
 * Any JSON may be anywhere: what is not of a known shape is left out here, and told of by `rest.ts`.
 * Nothing is copied that needs not be, so that a part that did not change is the same object, and
 * what shows it does not render again.
 */

import { isObject, type Json, type JsonObject, joinPointer } from "@questlog/client";
import { entriesOf, moreOf, nameOf, textOf, thingsOf } from "./things.js";

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

export function charactersOf(characters: Json | undefined): Character[] {
  return entriesOf(characters).flatMap(([key, value]) => {
    const alone = textOf(value);
    // Of some, the name is all that is said.
    if (alone !== null) {
      return [{ ...unknown(key), name: typeof value === "string" ? alone : key }];
    }
    if (!isObject(value)) return [];
    const player = textOf(value.player) ?? textOf(value.player_id);
    const name = nameOf(value) ?? key;
    return [{ key, pointer: joinPointer(["characters", key]), name, player, value }];
  });
}

/**
 * Characters by what they are called: in a list one's place is another's when somebody leaves. Of
 * two of one name the first is the first.
 */
export function charactersByName(characters: Json | undefined): Map<string, Character> {
  const found = new Map<string, Character>();
  for (const each of charactersOf(characters)) {
    const known = isObject(characters) ? each.key : (textOf(each.value.id) ?? each.name);
    let name = known;
    for (let count = 2; found.has(name); count += 1) name = `${known} (${count})`;
    found.set(name, each);
  }
  return found;
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

/** The conditions that hold; as an object: a condition's name, and whether it holds or more of it. */
export function conditionsOf(value: JsonObject): string[] {
  const { conditions } = value;
  const held = isObject(conditions)
    ? Object.fromEntries(Object.entries(conditions).filter(([, each]) => each !== false))
    : conditions;
  return [...new Set(thingsOf(held, String).map(({ name }) => name))];
}

export interface Item {
  key: string;
  name: string;
  count: number;
  more: Json | null;
}

export function itemsOf(value: Json | undefined): Item[] {
  const things = new Map(
    thingsOf(value, String, ["count", "quantity"]).map(each => [each.key, each]),
  );
  return entriesOf(value).flatMap(([key, each]) => {
    const thing = things.get(key);
    if (thing === undefined) return [];
    // By its name, how many there are.
    if (typeof each === "number" && isObject(value)) return [{ ...thing, name: key, count: each }];
    const count = isObject(each) ? (numberOf(each.count) ?? numberOf(each.quantity)) : null;
    return [{ ...thing, count: count ?? 1 }];
  });
}

function numberOf(value: Json | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

const LATELY = 50;

/** An entry of the story. */
export interface Told {
  key: string;
  entry: Json;
}

/** All that was told, oldest first; the present `narrative` last, unless it is among them. */
export function talesOf(all: Json | undefined, narrative: Json | undefined): Told[] {
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
  if (now === null || tales.slice(-LATELY).some(({ entry }) => taleText(entry) === now))
    return tales;
  return [...tales, { key: "narrative", entry: now }];
}

function taleOf(key: string, entry: Json): Told {
  // By its id it stays the same entry where those before it are let go of.
  return { key: (isObject(entry) ? textOf(entry.id) : null) ?? key, entry };
}

/** An entry's text: also of a narration, as far as it is logged. */
export function taleText(entry: Json): string {
  if (!isObject(entry)) return textOf(entry) ?? "";
  if (!Array.isArray(entry.parts)) return textOf(entry.text) ?? "";
  return entry.parts.filter(part => typeof part === "string").join("");
}

/** Somebody whose turn it may be: a character, or whoever else has an initiative. */
export interface Actor {
  key: string;
  /** By what else they are called in the document: an id, a name. */
  called: (string | null)[];
  name: string;
  /** What they rolled; null: it is not said. */
  roll: string | null;
  more: Json | null;
}

const ROLLS = ["initiative", "roll", "score", "total"];

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
  // As an object: what each of them has rolled.
  const rolled = told === own && isObject(initiative);
  return told.flatMap(([key, each]) => {
    if (each === null) return [];
    const alone = rolled && textOf(each) !== null;
    const text = alone ? key : (nameOf(each) ?? key);
    const character = party.find(one => one.key === text || textOf(one.value.id) === text);
    const id = isObject(each) ? textOf(each.id) : null;
    const roll = alone
      ? each
      : isObject(each)
        ? each[ROLLS.find(one => textOf(each[one])) ?? ""]
        : null;
    return [
      {
        key,
        called: [id, text, character?.key ?? null],
        name: character?.name ?? text,
        roll: textOf(roll),
        more: moreOf(each, ROLLS),
      },
    ];
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
