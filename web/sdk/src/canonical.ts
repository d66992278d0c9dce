/** One text for one document (RFC 8785, JCS), and its digest: as the server computes them. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Json } from "./values.js";

/** The canonical JSON of `value`: members sorted by UTF-16 code units, numbers as ECMAScript's. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map(name => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`).join(",")}}`;
}

/**
 * The SHA-256 of the canonical JSON of `value`, as 64 lower-case hex digits.
 *
 * By a library, since a page that came over plain HTTP has no `crypto.subtle`.
 */
export function digest(value: Json): string {
  return bytesToHex(sha256(utf8ToBytes(canonical(value))));
}
