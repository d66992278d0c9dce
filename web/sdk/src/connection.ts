import type { ClosedError } from "./closing.js";
import type { Way } from "./ladder.js";

/**
 * The truth about the connection.
 *
 * `connecting` before the first answer ever, `live`, `stale` while a gap heals, `waiting` at an
 * empty table, `reconnecting` with a time of the next attempt, `offline` where the device says that
 * it has no network, `closed` for good.
 */
export type ConnectionState =
  | "connecting"
  | "live"
  | "stale"
  | "waiting"
  | "reconnecting"
  | "offline"
  | "closed";

export interface Connection {
  readonly state: ConnectionState;
  /** How it is connected; null while it is not. */
  readonly way: Way | null;
  /** When the next attempt is made, in milliseconds since 1970; null where none is waited for. */
  readonly retryAt: number | null;
  /** When what is shown was last known to be the truth, in milliseconds since 1970; 0: never. */
  readonly heardAt: number;
  readonly closed: ClosedError | null;
}

/** Whether there is nothing new to show. */
export function sameConnection(one: Connection, other: Connection): boolean {
  return (
    one.state === other.state &&
    one.way === other.way &&
    one.retryAt === other.retryAt &&
    one.closed === other.closed &&
    // Of a live connection it is now, whenever one looks.
    (one.heardAt === other.heardAt || one.state === "live")
  );
}
