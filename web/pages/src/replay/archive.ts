/** What the page asks of the server: logs, sessions, what somebody saw, rewinding and forking. */

import type { JsonObject, Operation } from "@questlog/client";
import { placeOf, Server } from "../shared/server.js";

/** An event of the log, as far as the page has use for it. */
export interface Logged {
  version: number;
  kind: string;
  actor: { member: string; role: string };
  at: string;
  patch: Operation[];
  data: JsonObject;
  /** Of the chain up to here: of another log at the same version, another. */
  hash: string;
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

interface Page {
  events: Logged[];
  head: number;
}

const PAGE = 1_000;

export class Archive extends Server {
  async campaigns(signal?: AbortSignal): Promise<About[]> {
    const body = await this.call<{ campaigns: About[] }>("/api/campaigns", { signal });
    return body.campaigns;
  }

  about(campaignId: string, signal?: AbortSignal): Promise<About> {
    return this.call(placeOf(campaignId), { signal });
  }

  /** Hand over the log after a version, page by page, and return its head. */
  async events(
    campaignId: string,
    after: number,
    take: (page: Logged[], head: number) => void,
    signal?: AbortSignal,
  ): Promise<number> {
    for (let last = after; ; ) {
      const url = `${placeOf(campaignId)}/events?after=${last}&limit=${PAGE}`;
      const { events, head } = await this.call<Page>(url, { signal });
      // Of thousands of events no more is kept than is of use here.
      const page = events.map(({ version, kind, actor, at, patch, data, hash }) => {
        return { version, kind, actor, at, patch, data, hash };
      });
      if (page.length > 0) take(page, head);
      last = page.at(-1)?.version ?? head;
      if (last >= head) return head;
    }
  }

  async sessions(campaignId: string, signal?: AbortSignal): Promise<Session[]> {
    const all: Session[] = [];
    for (;;) {
      const url = `${placeOf(campaignId)}/sessions?after=${all.at(-1)?.number ?? 0}&limit=${PAGE}`;
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
    const url = `${placeOf(campaignId)}/state?${query}`;
    const body = await this.call<{ structured_data: JsonObject }>(url, { signal });
    return body.structured_data;
  }

  preview(campaignId: string, toVersion: number, only: string | null): Promise<Preview> {
    const body = { to_version: toVersion, preview: true, ...(only === null ? {} : { only }) };
    return this.call(`${placeOf(campaignId)}/rewind`, { body });
  }

  /** Do what was previewed: at the version it was made for, and once, however often it is sent. */
  rewind(campaignId: string, previewed: Preview, id: string): Promise<{ version: number }> {
    const { to_version, only, version } = previewed;
    const body = { to_version, id, expected_version: version, ...(only === null ? {} : { only }) };
    return this.call(`${placeOf(campaignId)}/rewind`, { body });
  }

  fork(campaignId: string, newId: string, version: number, key: string) {
    return this.call<{ campaign_id: string; version: number }>(`${placeOf(campaignId)}/fork`, {
      body: { new_id: newId, at_version: version },
      key,
    });
  }
}
