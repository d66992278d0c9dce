/**
 * The ways a connection is made. Each brings the same messages to the same replica and takes the
 * same frames; whichever is in use, what was sent and not answered is sent again over the next one,
 * under the same id.
 */

import type { ClosedError } from "./closing.js";
import type { Way } from "./ladder.js";
import type { ClientMessage } from "./messages.js";
import type { Replica } from "./replica.js";
import type { Target } from "./target.js";

/** Something answered, and it was nothing of ours: this way may not lead to the server. */
export class MissedError extends Error {
  override name = "MissedError";

  /** @param refusal what to tell the owner where no other way leads there either. */
  constructor(readonly refusal: ClosedError | null = null) {
    super("nothing of ours answered");
  }
}

/** The client that a carrier serves. */
export interface Host {
  readonly replica: Replica;
  /** Take one message of the server's. @throws ClosedError: it is none of this protocol's. */
  take(frame: string): void;
  /** Take it that the head is at `position`. */
  confirm(position: string | null): void;
  /** Note that the server is there, though it had nothing to say. */
  heard(): void;
}

/** What a connection needs of the world; a test gives another. */
export interface World {
  readonly fetch: typeof fetch;
  readonly WebSocket: typeof WebSocket;
}

/** Milliseconds after which nothing is a failure. */
export interface Patience {
  /** To connect. */
  readonly connect: number;
  /** Of silence, before the server is asked whether it is there. */
  readonly silence: number;
  /** For the answer to that. */
  readonly answer: number;
  /** For an answer, once there is a reason to doubt: the network or the screen came back. */
  readonly doubt: number;
  /** Between two looks at which campaign is at the table, where no socket tells. */
  readonly seats: number;
  /** For a long poll, at the server. */
  readonly poll: number;
}

export const PATIENCE: Patience = {
  connect: 10_000,
  silence: 15_000,
  answer: 8_000,
  doubt: 4_000,
  seats: 5_000,
  poll: 25_000,
};

export interface Place {
  readonly target: Target;
  readonly campaignId: string | null;
  readonly table: string;
}

export interface Carrier {
  readonly way: Way;
  /** Milliseconds between two words of which version is held; null: it says so itself. */
  readonly acknowledgeEvery: number | null;
  send(message: ClientMessage): void;
  /** Send what the replica wants sent: a resync. */
  reply(message: ClientMessage): void;
  /** See whether the server is still there, at once. */
  doubt(): void;
  /**
   * Connect, and take and send messages to the end.
   *
   * @returns the close code, null where there is none.
   * @throws ClosedError: the server will not have this client as it is.
   * @throws MissedError: this way seems not to lead to the server.
   */
  run(signal: AbortSignal): Promise<number | null>;
}

/** Wait, or until `signal`: then the promise is fulfilled all the same. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/** Whether a server answers at all: what a browser says of a connection that failed is the same. */
export async function isThere(
  world: World,
  place: Place,
  signal: AbortSignal,
  patience: Patience,
): Promise<boolean> {
  try {
    await world.fetch(`${place.target.url}/healthz`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(patience.connect)]),
      cache: "no-store",
    });
    return true;
  } catch {
    return false;
  }
}
