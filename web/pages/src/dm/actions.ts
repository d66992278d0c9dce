/**
 * What a DM does with one hand, as patches: each is one commit, and each can be taken back.
 *
 * A patch is made for the shape that the document has. It tests what it is based on, so that two DMs
 * who strike the same ogre at once do not lose a blow: the second is refused, and made anew.
 */

import {
  arrayIndex,
  getAt,
  isObject,
  type Json,
  type JsonObject,
  joinPointer,
  type Operation,
  parsePointer,
} from "@questlog/client";
import {
  type Actor,
  type Character,
  conditionsOf,
  currentOf,
  hitPointsOf,
  textOf,
} from "../shared/document.js";

/** A change with a name for people, and a kind for the log. */
export interface Action {
  says: string;
  kind: string;
  patch: Operation[];
}

/** Take hit points from a character: those it has for now first, and never below none. */
export function damage(character: Character, points: number): Action | null {
  const hp = hitPointsOf(character.value);
  if (hp === null || !(points > 0)) return null;
  const temp = Math.max(0, hp.temp - points);
  const current = Math.max(0, hp.current - (points - (hp.temp - temp)));
  const patch = [
    ...set(character.value, character.pointer, ["hp", "temp"], hp.temp, temp),
    ...setPoints(character, hp.current, current),
  ];
  return { says: `${character.name}: ${points} damage`, kind: "combat.damage", patch };
}

/** Give hit points back, up to the most there may be. */
export function heal(character: Character, points: number): Action | null {
  const hp = hitPointsOf(character.value);
  if (hp === null || !(points > 0)) return null;
  const current = Math.min(hp.max ?? Number.POSITIVE_INFINITY, hp.current + points);
  const patch = setPoints(character, hp.current, current);
  return { says: `${character.name}: ${points} healed`, kind: "combat.heal", patch };
}

function setPoints(character: Character, before: number, after: number): Operation[] {
  const { hp } = character.value;
  const path = isObject(hp) ? ["hp", hp.current === undefined ? "value" : "current"] : ["hp"];
  return set(character.value, character.pointer, path, before, after);
}

function set(
  value: JsonObject,
  pointer: string,
  path: string[],
  before: Json,
  after: Json,
): Operation[] {
  if (before === after || getAt(value, path) === undefined) return [];
  const place = pointer + joinPointer(path);
  return [
    { op: "test", path: place, value: before },
    { op: "replace", path: place, value: after },
  ];
}

/** Let a condition come over a character, or end it where it is there. */
export function toggleCondition(character: Character, condition: string): Action | null {
  const name = condition.trim();
  if (name === "") return null;
  const { conditions } = character.value;
  const path = `${character.pointer}/conditions`;
  const held = conditionsOf(character.value).indexOf(name);
  const kind = held < 0 ? "condition.began" : "condition.ended";
  const says = `${character.name}: ${held < 0 ? "" : "no longer "}${name}`;
  if (held < 0) {
    const grown: Operation = isObject(conditions)
      ? { op: "add", path: path + joinPointer([name]), value: true }
      : Array.isArray(conditions)
        ? { op: "add", path: `${path}/-`, value: name }
        : { op: "add", path, value: conditions ? [conditions, name] : [name] };
    return { says, kind, patch: [grown] };
  }
  if (!isObject(conditions) && !Array.isArray(conditions)) {
    return { says, kind, patch: [{ op: "replace", path, value: [] }] };
  }
  const key = placeOf(conditions, character, name);
  return key === null ? null : { says, kind, patch: [{ op: "remove", path: path + key }] };
}

/** Where among the conditions one of this name stands. */
function placeOf(
  conditions: JsonObject | Json[],
  character: Character,
  name: string,
): string | null {
  for (const key of Object.keys(conditions)) {
    const value = getAt(conditions, [key]) as Json;
    const alone = Array.isArray(conditions) ? [value] : { [key]: value };
    const [found] = conditionsOf({ ...character.value, conditions: alone });
    if (found === name) return joinPointer([key]);
  }
  return null;
}

/** Give a character a thing. */
export function giveItem(character: Character, item: string): Action | null {
  const name = item.trim();
  if (name === "") return null;
  const { inventory } = character.value;
  const path = `${character.pointer}/inventory`;
  const patch: Operation[] = Array.isArray(inventory)
    ? [{ op: "add", path: `${path}/-`, value: asOthers(inventory, name) }]
    : isObject(inventory)
      ? [{ op: "add", path: path + joinPointer([name]), value: 1 }]
      : [{ op: "add", path, value: [name] }];
  return { says: `${character.name} gets ${name}`, kind: "item.given", patch };
}

/** As the things that are there are written: as objects, or by their names alone. */
function asOthers(inventory: Json[], name: string): Json {
  return isObject(inventory[0]) ? { name, count: 1 } : name;
}

/** Let it be the turn of whoever is next in the order, and of a new round after the last. */
export function nextTurn(document: JsonObject, order: Actor[]): Action | null {
  if (order.length === 0) return null;
  const info = document.turn_info;
  const current = currentOf(info);
  const at = order.findIndex(each => current !== null && each.called.includes(current));
  const next = order[(at + 1) % order.length] as Actor;
  const calls = next.called.find(each => each !== null) ?? next.name;
  const round = isObject(info) && typeof info.round === "number" ? info.round : null;
  const begun = at === order.length - 1 || round === null ? (round ?? 0) + 1 : round;
  const patch: Operation[] = isObject(info)
    ? [
        { op: "test", path: "/turn_info", value: info },
        { op: "add", path: "/turn_info/current", value: calls },
        { op: "add", path: "/turn_info/round", value: begun },
      ]
    : [{ op: "add", path: "/turn_info", value: { round: begun, current: calls } }];
  if (typeof document.turn === "number") {
    patch.push({ op: "replace", path: "/turn", value: document.turn + 1 });
  }
  return { says: `It is the turn of ${next.name}`, kind: "turn.changed", patch };
}

/** Tell something: as the present narrative, and as an entry of the story where there is one. */
export function tell(document: JsonObject, speaker: string, text: string, at: Date): Action | null {
  if (text.trim() === "") return null;
  const patch: Operation[] = [{ op: "add", path: "/narrative", value: text }];
  const entry = { speaker, text, at: at.toISOString() };
  if (Array.isArray(document.all_narratives)) {
    patch.push({ op: "add", path: "/all_narratives/-", value: entry });
  } else if (document.all_narratives === undefined) {
    patch.push({ op: "add", path: "/all_narratives", value: [entry] });
  }
  return { says: "Told", kind: "narrative.added", patch };
}

/** Put a value somewhere, or take it away. */
export function edit(pointer: string, before: Json | undefined, after: Json | undefined): Action {
  const says = pointer === "" ? "The whole document" : pointer;
  const kind = "document.edited";
  if (after === undefined) {
    const known: Operation[] =
      before === undefined ? [] : [{ op: "test", path: pointer, value: before }];
    return { says: `${says} removed`, kind, patch: [...known, { op: "remove", path: pointer }] };
  }
  if (before === undefined) {
    return { says: `${says} added`, kind, patch: [{ op: "add", path: pointer, value: after }] };
  }
  const patch: Operation[] = [
    { op: "test", path: pointer, value: before },
    { op: "replace", path: pointer, value: after },
  ];
  return { says: `${says} changed`, kind, patch };
}

/**
 * The patch that takes a patch back, while what it made is still as it made it.
 *
 * @param before the document that `patch` was applied to.
 */
export function inverse(before: JsonObject, patch: Operation[]): Operation[] {
  return patch
    .flatMap(operation => {
      const { op, path, value } = operation;
      if (op === "test") return [];
      const tokens = parsePointer(path);
      const parent = getAt(before, tokens.slice(0, -1));
      const old = getAt(before, tokens);
      if (op === "remove") return [[{ op: "add", path, value: old } as Operation]];
      const place = Array.isArray(parent) && op === "add" ? inserted(parent, path) : path;
      const made: Operation = { op: "test", path: place, value: value as Json };
      const back: Operation =
        old === undefined || (Array.isArray(parent) && op === "add")
          ? { op: "remove", path: place }
          : { op: "replace", path: place, value: old };
      return [[made, back]];
    })
    .reverse()
    .flat();
}

function inserted(parent: Json[], path: string): string {
  const tokens = parsePointer(path);
  const token = tokens.at(-1) as string;
  const at = token === "-" ? parent.length : arrayIndex(token, parent.length + 1);
  return joinPointer([...tokens.slice(0, -1), at]);
}

/** Whether a character is hidden from the players by a rule of its own. */
export function isHidden(rules: readonly JsonObject[], pointer: string): boolean {
  return rules.some(rule => textOf(rule.path) === pointer && !mentionsPlayers(rule.to));
}

/** The rules, with a place hidden from all but the DM, or open again. */
export function withHidden(
  rules: readonly JsonObject[],
  pointer: string,
  hidden: boolean,
): JsonObject[] {
  const others = rules.filter(rule => textOf(rule.path) !== pointer);
  return hidden ? [...others, { path: pointer, to: ["dm"] }] : others;
}

function mentionsPlayers(to: Json | undefined): boolean {
  return Array.isArray(to) && to.some(each => each !== "dm");
}
