import { isObject, type Json } from "./values.js";

/** A pointer or a patch that cannot be followed. */
export class PatchError extends Error {
  override name = "PatchError";
}

/**
 * The tokens of a JSON Pointer (RFC 6901): `/heroes/0/hp` is `["heroes", "0", "hp"]`.
 *
 * @throws PatchError: it does not start with a slash, or a `~` is not followed by 0 or 1.
 */
export function parsePointer(text: string): string[] {
  if (text === "") return [];
  if (!text.startsWith("/")) throw new PatchError("a pointer starts with a slash");
  if (/~(?![01])/.test(text)) throw new PatchError("a tilde is followed by 0 or 1");
  const tokens = text.slice(1).split("/");
  if (!text.includes("~")) return tokens;
  // In this order, so that ~01 comes out as ~1 (RFC 6901, section 4).
  return tokens.map(token => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The pointer made of `tokens`; the inverse of `parsePointer`. */
export function joinPointer(tokens: readonly (string | number)[]): string {
  return tokens
    .map(token => `/${String(token).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}

/**
 * The place in a list of `length` that `token` names (RFC 6901, section 4).
 *
 * @throws PatchError: it is no number without leading zeros, or past the end.
 */
export function arrayIndex(token: string, length: number): number {
  if (!/^(?:0|[1-9][0-9]*)$/.test(token)) throw new PatchError("no index of a list");
  const index = Number(token);
  if (index >= length) throw new PatchError("the list has no such element");
  return index;
}

/** What `tokens` name in `document`; undefined where there is nothing. */
export function getAt(
  document: Json | undefined,
  tokens: readonly (string | number)[],
): Json | undefined {
  let value = document;
  for (const token of tokens) {
    if (Array.isArray(value)) value = value[Number(token)];
    else if (isObject(value) && Object.hasOwn(value, token)) value = value[token];
    else return undefined;
  }
  return value;
}
