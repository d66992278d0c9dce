/** Calls to the server by HTTP, as whoever sits at the page. */

import type { Json } from "@questlog/client";
import type { Seat } from "./seat.js";

/** Nothing came of a call: the server's own sentence for why, or that there was no answer. */
export class CallError extends Error {
  override name = "CallError";

  constructor(
    /** Of HTTP; 0: nothing came back. */
    readonly status: number,
    /** The stable name of the reason; empty where no problem document came with it. */
    readonly code: string,
    sentence: string,
    /** Milliseconds after which to ask again; null: the server does not say. */
    readonly after: number | null,
  ) {
    super(sentence);
  }

  /** Whether the same, asked again, will be refused again. */
  get final(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 429;
  }
}

export interface More {
  /** What is sent along, and with it the method `POST`, if no other is named. */
  body?: Json | undefined;
  method?: string;
  /** Under which a request that is sent twice happens once. */
  key?: string;
  signal?: AbortSignal | undefined;
}

/** Once more after a server that had too much to do, this many times. */
const AGAIN = 4;
const UNREACHED = "The server could not be reached.";

export class Server {
  constructor(private readonly seat: Pick<Seat, "url" | "token">) {}

  /** @throws CallError: nothing came of it; AbortError: of the signal. */
  async call<T>(path: string, more: More = {}): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await fetch(this.seat.url + path, this.request(more));
        if (answer.ok) return (await answer.json()) as T;
        throw await refusal(answer);
      } catch (error) {
        more.signal?.throwIfAborted();
        if (!(error instanceof CallError)) throw new CallError(0, "", UNREACHED, null);
        if (error.status !== 429 || tried > AGAIN) throw error;
        await new Promise(resolve => setTimeout(resolve, error.after ?? 1_000));
      }
    }
  }

  private request({ body, method, key, signal }: More): RequestInit {
    const headers: Record<string, string> = {};
    if (this.seat.token !== null) headers.Authorization = `Bearer ${this.seat.token}`;
    if (key !== undefined) headers["Idempotency-Key"] = key;
    const made: RequestInit = { headers, cache: "no-store" };
    if (signal !== undefined) made.signal = signal;
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      made.body = JSON.stringify(body);
    }
    return { ...made, method: method ?? (body === undefined ? "GET" : "POST") };
  }
}

/** The path of all calls about a campaign. */
export function placeOf(campaignId: string): string {
  return `/api/campaigns/${encodeURIComponent(campaignId)}`;
}

/** A sentence for whatever went wrong. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function refusal(answer: Response): Promise<CallError> {
  const problem: unknown = await answer.json().catch(() => null);
  const { code, detail } = (problem ?? {}) as { code?: unknown; detail?: unknown };
  const after = Number(answer.headers.get("Retry-After") ?? Number.NaN) * 1_000;
  return new CallError(
    answer.status,
    typeof code === "string" ? code : "",
    typeof detail === "string" ? detail : `The server answered with ${answer.status}.`,
    Number.isFinite(after) ? after : null,
  );
}

/** Milliseconds between two attempts where the server does not say. */
const BETWEEN = 2_000;

/**
 * What `call` brings, over as many attempts as it takes.
 *
 * @param failed told why an attempt failed, before it is made again.
 * @throws CallError: another attempt would be refused too; AbortError: `signal`.
 */
export async function persist<T>(
  call: () => Promise<T>,
  signal: AbortSignal,
  failed: (sentence: string) => void,
): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CallError && error.final) throw error;
      failed(sentenceOf(error));
      const after = error instanceof CallError ? error.after : null;
      await new Promise(resolve => setTimeout(resolve, after ?? BETWEEN));
      signal.throwIfAborted();
    }
  }
}
