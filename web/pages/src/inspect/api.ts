/** What this page asks for by HTTP. */

import { isObject, type JsonObject, type Operation } from "@questlog/client";
import type { Seat } from "../shared/seat.js";

export interface LoggedEvent {
  campaign_id: string;
  version: number;
  id: string;
  kind: string;
  actor: { member: string; role: string };
  at: string;
  patch: Operation[];
  data: JsonObject;
  meta: JsonObject;
  request: string;
  schema: number;
  hash: string;
}

export interface LiveConnection {
  transport: string;
  version: number;
  lag: number;
  outbox: number;
  slow: boolean;
  last_seen: number;
}

export interface LiveCampaign {
  campaign_id: string;
  version: number;
  table: string | null;
  connections: number;
  members: {
    player_id: string | null;
    role: string;
    status: string | null;
    connections: LiveConnection[];
  }[];
}

export interface Live {
  campaigns: LiveCampaign[];
  waiting: number;
}

/** The server answered, and not with what was asked for. */
export class RefusedError extends Error {
  override name = "RefusedError";

  constructor(
    readonly status: number,
    sentence: string,
    /** Milliseconds after which to ask again; null: the server does not say. */
    readonly after: number | null,
  ) {
    super(sentence);
  }

  /** Whether the same, asked again, will be refused again. */
  get final(): boolean {
    return this.status < 500 && this.status !== 429;
  }
}

export class Api {
  constructor(private readonly seat: Seat) {}

  /** The events after a version, oldest first; the server may give fewer than `limit`. */
  async events(
    campaignId: string,
    after: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<LoggedEvent[]> {
    const query = `after=${after}&limit=${limit}`;
    const body = await this.get(`${placeOf(campaignId)}/events?${query}`, signal);
    return (body as { events: LoggedEvent[] }).events;
  }

  async state(campaignId: string, version: number, signal: AbortSignal): Promise<JsonObject> {
    const body = await this.get(`${placeOf(campaignId)}/state?version=${version}`, signal);
    return (body as { structured_data: JsonObject }).structured_data;
  }

  async live(signal: AbortSignal): Promise<Live> {
    return (await this.get("/api/live", signal)) as Live;
  }

  /** @throws RefusedError: the server says no; TypeError: there is no network. */
  private async get(path: string, signal: AbortSignal): Promise<unknown> {
    const { url, token } = this.seat;
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch(url + path, { headers, signal, cache: "no-store" });
    if (answer.ok) return answer.json();
    const problem: unknown = await answer.json().catch(() => null);
    const detail = isObject(problem) && typeof problem.detail === "string" ? problem.detail : null;
    const after = Number(answer.headers.get("Retry-After") ?? Number.NaN) * 1_000;
    throw new RefusedError(
      answer.status,
      detail ?? `The server answered with ${answer.status}.`,
      Number.isFinite(after) ? after : null,
    );
  }
}

function placeOf(campaignId: string): string {
  return `/api/campaigns/${encodeURIComponent(campaignId)}`;
}

/** Milliseconds between two attempts where the server does not say. */
const AGAIN = 2_000;

/**
 * What `call` brings, over as many attempts as it takes.
 *
 * @param failed told why an attempt failed, before it is made again.
 * @throws RefusedError: another attempt would be refused too; AbortError: `signal`.
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
      if (error instanceof RefusedError && error.final) throw error;
      const refused = error instanceof RefusedError;
      failed(refused ? error.message : "The server could not be reached.");
      await new Promise(resolve => setTimeout(resolve, (refused ? error.after : null) ?? AGAIN));
      signal.throwIfAborted();
    }
  }
}
