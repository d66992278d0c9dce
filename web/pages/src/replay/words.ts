/** Times, people and values in the words of the page. */

import { isObject, type Json } from "@questlog/client";
import { entriesOf, nameOf } from "../shared/things.js";

const CLOCK = new Intl.DateTimeFormat([], {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const HOUR = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat([], { day: "numeric", month: "short", year: "numeric" });

export function hour(time: number): string {
  return HOUR.format(time);
}

export function clock(time: number): string {
  return CLOCK.format(time);
}

export function day(time: number): string {
  return DAY.format(time);
}

const MOMENT =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)(Z|[+-][0-9]{2}:?[0-9]{2})?)?$/i;

/**
 * A moment, in milliseconds since 1970; null where it is not written as one (RFC 3339, and shorter).
 *
 * @param zone of one that names no offset: `Z`, or nothing for the reader's own.
 */
export function momentOf(text: string, zone: "Z" | ""): number | null {
  const [, date, time = "00:00", offset = zone] = MOMENT.exec(text.trim()) ?? [];
  const moment =
    date === undefined ? Number.NaN : Date.parse(`${date}T${time}${offset.toUpperCase()}`);
  return Number.isNaN(moment) ? null : moment;
}

/** Who did something: the DM, or a member by name. */
export function actorName({ member, role }: { member: string; role: string }): string {
  return role === "dm" ? (member === "dm" ? "DM" : `${member}, DM`) : member;
}

/** Whose view it is, as it is asked for: `player:mira`, `player`, `spectator`; null: the DM's. */
export function viewerName(as: string | null): string {
  if (as === null) return "the DM";
  if (as === "spectator") return "a spectator";
  return as === "player" ? "a player without a name" : as.replace(/^player:/, "");
}

/** A value in a line. */
export function brief(value: Json | undefined): string {
  if (value === undefined || value === null) return "nothing";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return value === "" ? "an empty text" : value;
  const name = isObject(value) ? nameOf(value) : null;
  if (name !== null) return name;
  const entries = entriesOf(value);
  if (entries.length === 0) return "none";
  const words = entries.slice(0, 4).map(([key, each]) => {
    const text = nameOf(each);
    if (Array.isArray(value)) return text ?? "…";
    return `${key}: ${text ?? "…"}`;
  });
  return words.join(", ") + (entries.length > 4 ? ` and ${entries.length - 4} more` : "");
}
