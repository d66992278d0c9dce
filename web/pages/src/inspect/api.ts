/** What this page asks for by HTTP. */

import type { JsonObject, Operation } from "@questlog/client";
import { placeOf, Server } from "../shared/server.js";

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

export class Api extends Server {
  /** The events after a version, oldest first; the server may give fewer than `limit`. */
  async events(
    campaignId: string,
    after: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<LoggedEvent[]> {
    const query = `after=${after}&limit=${limit}`;
    const url = `${placeOf(campaignId)}/events?${query}`;
    return (await this.call<{ events: LoggedEvent[] }>(url, { signal })).events;
  }

  async state(campaignId: string, version: number, signal: AbortSignal): Promise<JsonObject> {
    const url = `${placeOf(campaignId)}/state?version=${version}`;
    return (await this.call<{ structured_data: JsonObject }>(url, { signal })).structured_data;
  }

  live(signal: AbortSignal): Promise<Live> {
    return this.call("/api/live", { signal });
  }
}
