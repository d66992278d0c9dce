/** An entry of the story: who said it, when, and what. */

import { isObject, type Json, type JsonObject } from "@questlog/client";
import { Markdown } from "./Markdown.js";
import type { Left } from "./rest.js";
import { Trees } from "./Trees.js";
import { label, moreOf, nameOf, unread } from "./things.js";

interface Of {
  /** As it stands in the document. */
  entry: Json;
  text: string;
}

export function Tale({ entry, text }: Of) {
  const speaker = isObject(entry) ? nameOf(entry.speaker) : null;
  const when = isObject(entry) ? timeOf(entry.at) : null;
  return (
    <>
      {(speaker !== null || when !== null) && (
        <p className="hush small">
          {speaker !== null && <strong dir="auto">{speaker}</strong>}{" "}
          {when !== null && <time dateTime={when.toISOString()}>{HOUR.format(when)}</time>}
        </p>
      )}
      {text !== "" && (
        <div className="tale" dir="auto">
          <Markdown text={text} />
        </div>
      )}
      <Trees of={restOfTale(entry)} />
    </>
  );
}

const HOUR = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });

function timeOf(at: Json | undefined): Date | null {
  const time = new Date(typeof at === "string" ? at : Number.NaN);
  return Number.isNaN(time.getTime()) ? null : time;
}

/** What an entry holds beside who said it, when, and what. */
function restOfTale(entry: Json): Left[] {
  if (Array.isArray(entry)) return [{ member: "", name: "Told", value: entry }];
  if (!isObject(entry)) return [];
  return Object.entries(entry).flatMap(([member, value]) => {
    const left = leftOf(entry, member, value);
    return left === null ? [] : [{ member, name: label(member), value: left }];
  });
}

function leftOf(entry: JsonObject, member: string, value: Json): Json | null {
  switch (member) {
    case "id":
    case "text":
      return unread(value);
    case "at":
      return timeOf(value) === null ? value : null;
    case "speaker":
      return nameOf(value) === null ? value : moreOf(value);
    // Of a narration: what was said, and whether more is to come.
    case "parts":
    case "state":
      return Array.isArray(entry.parts) ? null : value;
    default:
      return value;
  }
}
