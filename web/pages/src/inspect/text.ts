/** How the panels write things: short, and the same everywhere. */

import type { Json, Operation } from "@questlog/client";
import type { LoggedEvent } from "./api.js";

const SHORT = 60;

export function sizeOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The time of day, to the millisecond where that is asked for. */
export function clock(time: Date, milliseconds = false): string {
  if (Number.isNaN(time.getTime())) return "—";
  const two = (value: number) => String(value).padStart(2, "0");
  const shown = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return milliseconds ? `${shown}.${String(time.getMilliseconds()).padStart(3, "0")}` : shown;
}

/** A value in one line, cut where it is long. */
export function inShort(value: Json | undefined): string {
  if (value === undefined) return "";
  const text = JSON.stringify(value);
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text;
}

/** What an event did, in one line. */
export function gist(event: LoggedEvent): string {
  const [first] = event.patch;
  if (first === undefined) return "no change of the document";
  const more = event.patch.length - 1;
  return `${step(first)}${more > 0 ? `  and ${more} more` : ""}`;
}

function step({ op, path, from, value }: Operation): string {
  const place = path === "" ? "the whole document" : path;
  if (op === "remove") return `${place} removed`;
  if (op === "move" || op === "copy") return `${from ?? ""} → ${place}`;
  return `${place} ${op === "test" ? "is" : "="} ${inShort(value)}`;
}

/** The colour of a kind: that of its first word. */
export function toneOf(kind: string): string {
  const [word] = kind.split(".");
  const tones: Record<string, string> = {
    campaign: "lit",
    visibility: "ember",
    suggestion: "river",
    narration: "moss",
    lease: "hush",
  };
  return tones[word ?? ""] ?? "";
}
