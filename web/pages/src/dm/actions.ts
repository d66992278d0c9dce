/**
 * What a DM does with one hand, as patches: each is one commit, and each can be taken back.
 *
 * A patch is made for the shape that the document has. It tests what it is based on, so that two DMs
 * who strike the same ogre at once do not lose a blow: the second is refused, and made anew.
 */

import {
  applyPatch,
  arrayIndex,
  equal,
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
  charactersOf,
  conditionsOf,
  currentOf,
  hitPointsOf,
  orderOf,
} from "../shared/document.js";
import { isTooLarge, textOf } from "../shared/things.js";

/** A change with a name for people, and a kind for the log. */
export interface Action {
  says: string;
  kind: string;
  patch: Operation[];
}

/** An action, or a sentence for why there is none. */
export type Outcome = Action | string;

/** A character as it stands in a document now, who may stand elsewhere than before; null: gone. */
export function find(document: JsonObject, { key, name, value }: Character): Character | null {
  const party = charactersOf(document.characters);
  if (isObject(document.characters)) return party.find(each => each.key === key) ?? null;
  const id = textOf(value.id);
  const same = party.filter(each =>
    id === null ? each.name === name : textOf(each.value.id) === id,
  );
  return same.length === 1 ? (same[0] ?? null) : (same.find(each => each.key === key) ?? null);
}

/** In a list, what a place tells of who stands there: another's blow must not strike them. */
function guarded(document: JsonObject, { pointer, value }: Character): Operation[] {
  if (isObject(document.characters)) return [];
  const member = ["id", "name"].find(each => {
    return value[each] !== undefined && !isTooLarge(value[each]);
  });
  if (member === undefined) return [];
  return [{ op: "test", path: `${pointer}/${member}`, value: value[member] as Json }];
}

/** What is done to a character, as it stands in the present document. */
export function to(
  character: Character,
  make: (now: Character) => Outcome,
): (document: JsonObject) => Outcome {
  return document => {
    const now = find(document, character);
    if (now === null) return `${character.name} is not there any more.`;
    const made = make(now);
    if (typeof made === "string") return made;
    return { ...made, patch: [...guarded(document, now), ...made.patch] };
  };
}

const POINTS = "How many points? A whole number, 1 or more.";

/** Take hit points from a character: those it has for now first, and never below none. */
export function damage(character: Character, points: number): Outcome {
  const hp = hitPointsOf(character.value);
  if (hp === null) return `${character.name} has no hit points that can be counted.`;
  if (!isCount(points)) return POINTS;
  const temp = Math.max(0, hp.temp - points);
  const current = Math.min(hp.current, Math.max(0, hp.current - (points - (hp.temp - temp))));
  const patch = [
    ...set(character.value, character.pointer, ["hp", "temp"], hp.temp, temp),
    ...setPoints(character, hp.current, current),
  ];
  if (patch.length === 0) return `${character.name} has no hit points left.`;
  return { says: `${character.name}: ${points} damage`, kind: "combat.damage", patch };
}

/** Give hit points back, up to the most there may be. */
export function heal(character: Character, points: number): Outcome {
  const hp = hitPointsOf(character.value);
  if (hp === null) return `${character.name} has no hit points that can be counted.`;
  if (!isCount(points)) return POINTS;
  const most = Math.min(hp.max ?? Number.POSITIVE_INFINITY, hp.current + points);
  const patch = setPoints(character, hp.current, Math.max(hp.current, most));
  if (patch.length === 0) return `${character.name} has all their hit points.`;
  return { says: `${character.name}: ${points} healed`, kind: "combat.heal", patch };
}

function isCount(points: number): boolean {
  return Number.isSafeInteger(points) && points > 0;
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
  return replaced(pointer + joinPointer(path), before, after);
}

/** A value in the place of another, if that is still there. */
function replaced(path: string, before: Json, after: Json): Operation[] {
  return [
    { op: "test", path, value: before },
    { op: "replace", path, value: after },
  ];
}

/** Let a condition come over a character, or end it where it is there. */
export function toggleCondition(character: Character, condition: string): Outcome {
  const name = condition.trim();
  if (name === "") return "Which condition?";
  const { conditions } = character.value;
  const path = `${character.pointer}/conditions`;
  const held = conditionsOf(character.value).includes(name);
  const kind = held ? "condition.ended" : "condition.began";
  const says = `${character.name}: ${held ? "no longer " : ""}${name}`;
  if (!held) {
    const member = path + joinPointer([name]);
    if (isObject(conditions)) {
      const before = conditions[name];
      const patch: Operation[] =
        before === undefined
          ? [{ op: "add", path: member, value: true }]
          : replaced(member, before, true);
      return { says, kind, patch };
    }
    return { says, kind, patch: appended(path, conditions, name) };
  }
  if (!isObject(conditions) && !Array.isArray(conditions)) {
    return { says, kind, patch: replaced(path, conditions as Json, []) };
  }
  const key = placeOf(conditions, character, name);
  if (key === null) return `${name} cannot be ended here: change it in the document.`;
  const value = getAt(conditions, parsePointer(key)) as Json;
  return {
    says,
    kind,
    patch: [
      { op: "test", path: path + key, value },
      { op: "remove", path: path + key },
    ],
  };
}

/** One more in a list; what is none yet becomes one, with what was there in it. */
function appended(path: string, list: Json | undefined, value: Json): Operation[] {
  if (Array.isArray(list)) return [{ op: "add", path: `${path}/-`, value }];
  if (list === undefined) return [{ op: "add", path, value: [value] }];
  return replaced(path, list, textOf(list) === null ? [value] : [list, value]);
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

/** Give a character a thing; of what is counted, one more. */
export function giveItem(character: Character, item: string): Outcome {
  const name = item.trim();
  if (name === "") return "What do they get?";
  const { inventory } = character.value;
  const path = `${character.pointer}/inventory`;
  const given = (patch: Operation[]): Outcome => {
    return { says: `${character.name} gets ${name}`, kind: "item.given", patch };
  };
  if (!isObject(inventory)) {
    const like = Array.isArray(inventory) && isObject(inventory[0]) ? { name, count: 1 } : name;
    return given(appended(path, inventory, like));
  }
  const place = path + joinPointer([name]);
  const held = getAt(inventory, [name]);
  if (held === undefined) return given([{ op: "add", path: place, value: 1 }]);
  if (typeof held === "number") return given(replaced(place, held, held + 1));
  if (isObject(held) && typeof held.count === "number") {
    return given(replaced(`${place}/count`, held.count, held.count + 1));
  }
  if (held === true) return given(replaced(place, held, 2));
  return `${character.name} has ${name} already: change it in the document.`;
}

/** Let it be the turn of whoever is next in the order, and of a new round after the last. */
export function nextTurn(document: JsonObject): Outcome {
  const info = document.turn_info;
  const order = orderOf(document.initiative, info, charactersOf(document.characters));
  if (order.length === 0) return "There is no order of initiative.";
  const current = currentOf(info);
  const at = placeInOrder(order, info, current);
  const place = (at + 1) % order.length;
  const next = order[place] as Actor;
  const calls = next.called.find(each => each !== null) ?? next.name;
  const round = isObject(info) && typeof info.round === "number" ? info.round : null;
  const begun = at === order.length - 1 || round === null ? (round ?? 0) + 1 : round;
  // Of two of one name, the document must say which.
  const alike = order.filter(each => each.called.includes(calls)).length > 1;
  const told: JsonObject = { round: begun, current: calls, ...(alike ? { place } : {}) };
  const patch: Operation[] = isObject(info)
    ? [
        { op: "test", path: "/turn_info", value: info },
        ...Object.entries(told).map(
          ([member, value]): Operation => ({ op: "add", path: `/turn_info/${member}`, value }),
        ),
        ...(alike || info.place === undefined
          ? []
          : [{ op: "remove", path: "/turn_info/place" } as Operation]),
      ]
    : info === undefined
      ? [{ op: "add", path: "/turn_info", value: told }]
      : replaced("/turn_info", info, told);
  if (typeof document.turn === "number") {
    patch.push(...replaced("/turn", document.turn, document.turn + 1));
  }
  return { says: `It is the turn of ${next.name}`, kind: "turn.changed", patch };
}

function placeInOrder(order: Actor[], info: Json | undefined, current: string | null): number {
  const is = (place: number) => current !== null && order[place]?.called.includes(current) === true;
  const said = isObject(info) && typeof info.place === "number" ? info.place : -1;
  return is(said) ? said : order.findIndex((_, place) => is(place));
}

/** Tell something: as the present narrative, and as an entry of the story where there is one. */
export function tell(document: JsonObject, speaker: string, text: string, at: Date): Outcome {
  if (text.trim() === "") return "What is told?";
  const patch: Operation[] = [{ op: "add", path: "/narrative", value: text }];
  const entry = { speaker, text, at: at.toISOString() };
  if (Array.isArray(document.all_narratives)) {
    patch.push({ op: "add", path: "/all_narratives/-", value: entry });
  } else if (document.all_narratives === undefined) {
    patch.push({ op: "add", path: "/all_narratives", value: [entry] });
  }
  return { says: "Told", kind: "narrative.added", patch };
}

/** Put a value in the place of another, or take that away: of what was seen there. */
export function edit(pointer: string, before: Json, after: Json | undefined): Action {
  const says = pointer === "" ? "The whole document" : pointer;
  const kind = "document.edited";
  if (after === undefined) {
    const patch: Operation[] = [
      { op: "test", path: pointer, value: before },
      { op: "remove", path: pointer },
    ];
    return { says: `${says} removed`, kind, patch };
  }
  return { says: `${says} changed`, kind, patch: replaced(pointer, before, after) };
}

/** Put a value where none is. */
export function insert(document: JsonObject, pointer: string, value: Json): Outcome {
  if (getAt(document, parsePointer(pointer)) !== undefined) {
    return `There is ${pointer} already: change that.`;
  }
  return {
    says: `${pointer} added`,
    kind: "document.edited",
    patch: [{ op: "add", path: pointer, value }],
  };
}

/**
 * The patch that takes a patch back, while what it made is still as it made it.
 *
 * @param before the document that `patch` was applied to.
 */
export function inverse(before: JsonObject, patch: Operation[]): Operation[] {
  const after = applyPatch(before, patch);
  // What said who stands at a place in a list says it still.
  const guards = patch.filter(
    ({ op, path, value }) => op === "test" && equal(getAt(after, parsePointer(path)), value),
  );
  const back = patch
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
  return [...guards, ...back];
}

function inserted(parent: Json[], path: string): string {
  const tokens = parsePointer(path);
  const token = tokens.at(-1) as string;
  const at = token === "-" ? parent.length : arrayIndex(token, parent.length + 1);
  return joinPointer([...tokens.slice(0, -1), at]);
}
