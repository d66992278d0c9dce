/**
 * The wire of this page's own connection, message by message.
 *
 * The client is given a WebSocket and a `fetch` that look on: it does not know, and nothing is
 * changed. No token is kept: neither one that is said, nor one that is quoted.
 */

import { isObject, type World } from "@questlog/client";
import { Store } from "../shared/store.js";

const MOST = 500;
/** Bytes of a message that are kept to be looked at. */
const KEPT = 65_536;
const MASK = "••••";

export type Direction = "in" | "out" | "note";

export interface Message {
  number: number;
  /** Milliseconds since 1970. */
  at: number;
  direction: Direction;
  type: string;
  /** Bytes on the wire, before compression. */
  size: number;
  text: string;
  /** Whether `text` is its beginning only. */
  cut: boolean;
}

export interface Wired {
  /** Newest first. */
  messages: readonly Message[];
  paused: boolean;
  /** How many have come since the pause. */
  missed: number;
  totals: Record<"in" | "out", { count: number; bytes: number }>;
}

const EMPTY: Wired = {
  messages: [],
  paused: false,
  missed: 0,
  totals: { in: { count: 0, bytes: 0 }, out: { count: 0, bytes: 0 } },
};

export class Wire {
  readonly store = new Store<Wired>(EMPTY);
  readonly world: World;
  private held: readonly Message[] = [];
  private number = 0;

  /** @param token the caller's own, masked wherever it stands. */
  constructor(private readonly token: string | null) {
    this.world = { WebSocket: watchedSocket(this), fetch: watchedFetch(this) };
  }

  note(direction: Direction, type: string | null, said: string): void {
    this.number += 1;
    const bytes = new TextEncoder().encode(said);
    const { text, cut } = this.shown(said);
    const message = {
      number: this.number,
      at: Date.now(),
      direction,
      type: type ?? typeOf(said),
      size: bytes.length,
      text,
      cut,
    };
    this.held = [message, ...this.held].slice(0, MOST);
    const { paused, missed, totals, messages } = this.store.read();
    const counted =
      direction === "note"
        ? totals
        : {
            ...totals,
            [direction]: {
              count: totals[direction].count + 1,
              bytes: totals[direction].bytes + bytes.length,
            },
          };
    this.store.change({
      totals: counted,
      messages: paused ? messages : this.held,
      missed: paused ? missed + 1 : 0,
    });
  }

  /** Let what is shown stay as it is, or go on with all that has come since. */
  pause(paused: boolean): void {
    const { messages } = this.store.read();
    this.store.change({ paused, missed: 0, messages: paused ? messages : this.held });
  }

  clear(): void {
    this.held = [];
    this.store.change({ messages: [], missed: 0, totals: EMPTY.totals });
  }

  private shown(said: string): { text: string; cut: boolean } {
    const safe = this.masked(said);
    const bytes = new TextEncoder().encode(safe);
    if (bytes.length <= KEPT) return { text: safe, cut: false };
    // Decoded anew: a part of a string would keep all of it in memory.
    return { text: new TextDecoder().decode(bytes.subarray(0, KEPT)), cut: true };
  }

  private masked(said: string): string {
    const plain = this.token === null ? said : said.replaceAll(this.token, MASK);
    if (!plain.includes('"token"')) return plain;
    const message = parsed(plain);
    if (!isObject(message) || message.type !== "authenticate") return plain;
    return JSON.stringify({ ...message, token: MASK });
  }
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function typeOf(text: string): string {
  const message = parsed(text);
  return isObject(message) && typeof message.type === "string" ? message.type : "no message";
}

function watchedSocket(wire: Wire): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      const { pathname, searchParams } = new URL(url);
      if (searchParams.has("token")) searchParams.set("token", MASK);
      const where = `${pathname}?${searchParams}`;
      wire.note("note", "connecting", where);
      this.addEventListener("open", () => wire.note("note", "open", where));
      this.addEventListener("message", event => wire.note("in", null, String(event.data)));
      this.addEventListener("close", ({ code, reason }) =>
        wire.note("note", "closed", reason === "" ? String(code) : `${code} ${reason}`),
      );
    }

    override send(data: Parameters<WebSocket["send"]>[0]): void {
      wire.note("out", null, String(data));
      super.send(data);
    }
  };
}

/** Where no socket gets through, the messages are in calls: in their bodies, or a stream of them. */
function watchedFetch(wire: Wire): typeof fetch {
  return async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    const call = pathname.split("/").at(-1) ?? "";
    if (call === "messages" && typeof init?.body === "string") wire.note("out", null, init.body);
    const answer = await fetch(input, init);
    if (!answer.ok) wire.note("note", `HTTP ${answer.status}`, pathname);
    else if (call === "stream") {
      wire.note("note", "stream open", pathname);
      void streamed(wire, answer.clone());
    } else if (call === "messages" || call === "updates") void listed(wire, answer.clone());
    return answer;
  };
}

async function listed(wire: Wire, answer: Response): Promise<void> {
  const body: unknown = await answer.json().catch(() => null);
  if (!isObject(body) || !Array.isArray(body.messages)) return;
  for (const message of body.messages) wire.note("in", null, JSON.stringify(message));
}

async function streamed(wire: Wire, answer: Response): Promise<void> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
      const lines = (rest + read.value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("data: ")) wire.note("in", null, line.slice(6));
      }
    }
  } catch {
    // The client let go of it, or the network did.
  }
  wire.note("note", "stream closed", "");
}
