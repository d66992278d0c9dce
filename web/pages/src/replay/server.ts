/** What the page asks of the server, and how a refusal is told. */

import type { Json, JsonObject, Operation } from "@questlog/client";
import type { Seat } from "../shared/seat.js";

/** An event of the log, as far as the page has use for it. */
export interface Logged {
  version: number;
  kind: string;
  actor: { member: string; role: string };
  at: string;
  patch: Operation[];
  data: JsonObject;
}

export interface Session {
  number: number;
  title: string | null;
  table: string;
  from_version: number;
  to_version: number | null;
  began_at: string;
  present: { role: string; player_id: string | null }[];
}

export interface Preview {
  version: number;
  to_version: number;
  only: string | null;
  patch: Operation[];
  seen: Seen[];
}

/** Somebody who was sent what a rewind would undo. */
export interface Seen {
  role: string;
  player_id: string | null;
  version: number;
  patch: Operation[];
}

export interface About {
  campaign_id: string;
  title: string | null;
  version: number;
  table: string | null;
  last_at: string;
}

/** The server's own sentence for what it would not do. */
export class RefusedError extends Error {
  override name = "RefusedError";
  constructor(
    readonly status: number,
    readonly code: string,
    sentence: string,
  ) {
    super(sentence);
  }
}

const PAGE = 1_000;
/** Once more after a server that had too much to do, this many times. */
const AGAIN = 4;

export class Server {
  constructor(private readonly seat: Pick<Seat, "url" | "token">) {}

  async campaigns(signal?: AbortSignal): Promise<About[]> {
    const body = await this.call<{ campaigns: About[] }>("/api/campaigns", { signal });
    return body.campaigns;
  }

  about(campaignId: string, signal?: AbortSignal): Promise<About> {
    return this.call(at(campaignId), { signal });
  }

  /** Hand over the log after a version, page by page, and return where it ends. */
  async events(
    campaignId: string,
    after: number,
    take: (page: Logged[], head: number) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    for (let last = after; ; ) {
      const url = `${at(campaignId)}/events?after=${last}&limit=${PAGE}`;
      const { events, head } = await this.call<{ events: Logged[]; head: number }>(url, { signal });
      // Hashes and digests of thousands of events are of no use here, and would be kept with them.
      const page = events.map(({ version, kind, actor, at, patch, data }) => {
        return { version, kind, actor, at, patch, data };
      });
      if (page.length > 0) take(page, head);
      last = page.at(-1)?.version ?? head;
      if (last >= head) return;
    }
  }

  async sessions(campaignId: string, signal?: AbortSignal): Promise<Session[]> {
    const all: Session[] = [];
    for (;;) {
      const url = `${at(campaignId)}/sessions?after=${all.at(-1)?.number ?? 0}&limit=${PAGE}`;
      const { sessions, total } = await this.call<{ sessions: Session[]; total: number }>(url, {
        signal,
      });
      all.push(...sessions);
      if (sessions.length === 0 || (all.at(-1)?.number ?? 0) >= total) return all;
    }
  }

  /** What somebody saw at a version: the server alone knows what that is. */
  async seenBy(campaignId: string, version: number, as: string, signal?: AbortSignal) {
    const query = new URLSearchParams({ version: String(version), as });
    const url = `${at(campaignId)}/state?${query}`;
    const body = await this.call<{ structured_data: JsonObject }>(url, { signal });
    return body.structured_data;
  }

  preview(campaignId: string, toVersion: number, only: string | null): Promise<Preview> {
    const body = { to_version: toVersion, preview: true, ...(only === null ? {} : { only }) };
    return this.call(`${at(campaignId)}/rewind`, { body });
  }

  /** Do what was previewed: at the version it was made for, and once, however often it is sent. */
  rewind(campaignId: string, previewed: Preview, id: string): Promise<{ version: number }> {
    const { to_version, only, version } = previewed;
    const body = { to_version, id, expected_version: version, ...(only === null ? {} : { only }) };
    return this.call(`${at(campaignId)}/rewind`, { body });
  }

  fork(campaignId: string, newId: string, version: number, key: string) {
    return this.call<{ campaign_id: string; version: number }>(`${at(campaignId)}/fork`, {
      body: { new_id: newId, at_version: version },
      key,
    });
  }

  private async call<T>(path: string, more: More): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      const answer = await fetch(this.seat.url + path, this.request(more));
      if (answer.status === 429 && tried <= AGAIN) {
        const seconds = Number(answer.headers.get("Retry-After")) || 1;
        await new Promise(resolve => setTimeout(resolve, seconds * 1_000));
        continue;
      }
      if (answer.ok) return (await answer.json()) as T;
      throw await refusal(answer);
    }
  }

  private request({ body, key, signal }: More): RequestInit {
    const headers: Record<string, string> = {};
    if (this.seat.token !== null) headers.Authorization = `Bearer ${this.seat.token}`;
    if (key !== undefined) headers["Idempotency-Key"] = key;
    const within = signal === undefined ? {} : { signal };
    if (body === undefined) return { headers, cache: "no-store", ...within };
    headers["Content-Type"] = "application/json";
    return { method: "POST", headers, body: JSON.stringify(body), ...within };
  }
}

interface More {
  body?: Json;
  key?: string;
  signal?: AbortSignal | undefined;
}

function at(campaignId: string): string {
  return `/api/campaigns/${encodeURIComponent(campaignId)}`;
}

async function refusal(answer: Response): Promise<RefusedError> {
  const problem: unknown = await answer.json().catch(() => null);
  const { code, detail } = (problem ?? {}) as { code?: unknown; detail?: unknown };
  return new RefusedError(
    answer.status,
    String(code ?? ""),
    typeof detail === "string" ? detail : `The server refused: HTTP ${answer.status}.`,
  );
}

/** A sentence for whatever went wrong. */
export function sentenceOf(error: unknown): string {
  return error instanceof RefusedError ? error.message : "The server could not be reached.";
}
