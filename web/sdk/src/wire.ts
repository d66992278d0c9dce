import { SERVER_SHAPES, type ServerMessage } from "./messages.js";
import { isObject } from "./values.js";

/** A frame is not JSON, or a message of a known type does not have its members. */
export class MisshapenError extends Error {
  override name = "MisshapenError";
}

/**
 * The message in a text frame from a server; null where its type is unknown to this release.
 *
 * @throws MisshapenError: it is none of this protocol's.
 */
export function readServerMessage(frame: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    throw new MisshapenError("a frame is not JSON");
  }
  if (!isObject(value) || typeof value.type !== "string") {
    throw new MisshapenError("a message is an object with a type");
  }
  const shape = Object.hasOwn(SERVER_SHAPES, value.type) ? SERVER_SHAPES[value.type] : undefined;
  if (shape === undefined) return null;
  for (const [member, kinds] of Object.entries(shape)) {
    if (!fits(value[member], kinds)) {
      throw new MisshapenError(`${value.type}.${member} is not what the protocol says`);
    }
  }
  return value as unknown as ServerMessage;
}

function fits(value: unknown, kinds: string): boolean {
  if (value === undefined) return kinds.startsWith("?");
  const kind = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return kinds
    .replace("?", "")
    .split("|")
    .some(each => each === "any" || each === kind);
}
