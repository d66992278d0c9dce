/** Times, people and values in the words of the page. */

import { isObject, type Json } from "@questlog/client";
import { entriesOf, nameOf } from "../shared/document.js";

const CLOCK = new Intl.DateTimeFormat([], {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const DAY = new Intl.DateTimeFormat([], { day: "numeric", month: "short", year: "numeric" });

export function clock(time: number): string {
  return CLOCK.format(time);
}

export function day(time: number): string {
  return DAY.format(time);
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
