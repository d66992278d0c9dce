/**
 * What is left of a document where each part has its place: a page shows that as a tree.
 *
 * A member with a place of its own may be of a shape that the place cannot show, or hold more than
 * it shows. Nothing that somebody may see is kept from them for that.
 */

import { equal, isObject, type Json, type JsonObject } from "@questlog/client";
import { conditionsOf, currentOf, hitPointsOf, orderOf } from "./document.js";
import { entriesOf, label, moreOf, nameOf, textOf, thingsOf, unread } from "./things.js";

/** Members that somebody without a name is named by. */
const NAMED = ["title", "label", "text", "description"];

export interface Left {
  /** Where it stands. */
  member: string;
  name: string;
  value: Json;
}

/** Members that are shown in places that show all of them, whatever their shape. */
const WHOLE = [
  "all_narratives",
  "characters",
  "initiative",
  "environmental_conditions",
  "immediate_threats",
  "story_progression",
];
/** Those of the scene, which shows what is left of them itself. */
const SETTING = ["scene", "status", "combat_status", "turn", "turn_info"];

/** What has no place on the page of a player; null: of somebody without a name. */
export function restOf(document: JsonObject, playerId: string | null): Left[] {
  return Object.entries(document).flatMap(([member, value]): Left[] => {
    if (WHOLE.includes(member) || SETTING.includes(member)) return [];
    if (member === "narrative" || member === "title") return left(member, unread(value));
    if (member === "private") return left(member, othersOf(value, playerId));
    return [{ member, name: label(member), value }];
  });
}

/** What there is of others, where somebody may see that: one's own has its place. */
function othersOf(value: Json, playerId: string | null): Json | null {
  if (!isObject(value) || playerId === null) return value;
  const others = Object.entries(value).filter(([player]) => player !== playerId);
  return others.length === 0 ? null : Object.fromEntries(others);
}

/** What the scene's members hold beside what is said of them in a line. */
export function restOfScene(document: { [member: string]: Json | undefined }): Left[] {
  const { scene, status, turn, turn_info: info, combat_status: combat } = document;
  const said = isObject(scene) ? Object.keys(scene).filter(each => nameOf(scene[each])) : [];
  return [
    ...left(
      "scene",
      moreOf(
        scene,
        said.filter(each => isObject(scene) && !moreOf(scene[each])),
      ),
    ),
    ...left("combat_status", moreOf(combat)),
    ...left("status", unread(status)),
    ...left("turn", unread(turn)),
    ...left("turn_info", restOfTurn(info, document.initiative)),
  ];
}

function restOfTurn(info: Json | undefined, initiative: Json | undefined): Json | null {
  if (!isObject(info)) return unread(info);
  const shown = [
    ...(textOf(info.round) === null ? [] : ["round"]),
    ...(currentOf(info) === null ? [] : ["current"]),
    ...(isTold(info.order, initiative) ? ["order"] : []),
  ];
  const more = Object.entries(info).filter(
    ([member, value]) => !shown.includes(member) && value !== null && !equal(value, []),
  );
  const current = shown.includes("current") ? moreOf(info.current) : null;
  if (current !== null) more.push(["current", current]);
  return more.length === 0 ? null : Object.fromEntries(more);
}

/** Whether an order says no more than the initiative does: the same, by other names. */
function isTold(order: Json | undefined, initiative: Json | undefined): boolean {
  const rolled = orderOf(initiative, undefined, []);
  if (rolled.length === 0) return true;
  const known = new Set(rolled.flatMap(({ key, called, name }) => [key, name, ...called]));
  return entriesOf(order).every(([, each]) => known.has(textOf(each)));
}

/** Those among the characters that are none. */
export function restOfParty(characters: Json | undefined): Left[] {
  const lists = entriesOf(characters).filter(([, each]) => Array.isArray(each));
  return lists.map(([member, value]) => {
    return { member, name: isObject(characters) ? label(member) : `No. ${member}`, value };
  });
}

/** What a sheet does not show of a character. */
export function restOfCharacter(value: JsonObject): Left[] {
  return Object.entries(value).flatMap(([member, each]) =>
    left(member, leftOfMember(value, member, each)),
  );
}

function leftOfMember(value: JsonObject, member: string, each: Json): Json | null {
  switch (member) {
    case "id":
    case "player":
    case "player_id":
    case "name":
    case "ac":
    case "role":
      return unread(each);
    case "class":
      return textOf(value.role) === null ? unread(each) : each;
    case "hp":
      if (hitPointsOf(value) === null) return each;
      return moreOf(each, ["current", "value", "max", "temp"]);
    case "max_hp":
      return typeof value.hp === "number" ? unread(each) : each;
    case "conditions":
      return conditionsMore(value);
    // It has a place of its own.
    case "inventory":
      return null;
    default:
      return NAMED.includes(member) && nameOf(value) === textOf(each) ? null : each;
  }
}

function conditionsMore(value: JsonObject): Json | null {
  const shown = new Set(conditionsOf(value));
  const more = thingsOf(value.conditions, String).flatMap(({ name, more }): [string, Json][] =>
    more === null || !shown.has(name) ? [] : [[name, more]],
  );
  return more.length === 0 ? null : Object.fromEntries(more);
}

function left(member: string, value: Json | null): Left[] {
  return value === null ? [] : [{ member, name: label(member), value }];
}
