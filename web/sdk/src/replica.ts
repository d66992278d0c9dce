/**
 * The client's end: a copy of one view that equals the log at its version, or knows it does not.
 *
 * Messages in, effects out; no I/O. A delta applies only to the version it was made from; anything
 * else is a gap, and the replica asks to be brought up to date from the position it can prove. It
 * never guesses. `tests/conformance/` says the same as data, which this and the Python one both run.
 */

import { digest } from "./canonical.js";
import { Company, type TalkTold } from "./company.js";
import type {
  CampaignActive,
  CampaignLoaded,
  CampaignUpdated,
  ClientMessage,
  Committed,
  EventHeader,
  Rejected,
  ServerError,
  ServerHeartbeat,
  ServerMessage,
} from "./messages.js";
import { applyPatch } from "./patch.js";
import { isObject, type Json, type JsonObject, type Operation } from "./values.js";
import { readServerMessage } from "./wire.js";

/**
 * `connecting` until the first message of a connection, `stale` from a gap to its healing,
 * `waiting` at an empty table, else `live`.
 */
export type ReplicaStatus = "connecting" | "live" | "stale" | "waiting";

/** The replica holds another version or document. */
export interface Changed {
  type: "changed";
  campaign_id: string;
  version: number;
  /** What changed since the document before; null where a snapshot replaced it. */
  patch: Operation[] | null;
  /** The events told of, oldest first; empty for a snapshot. */
  events: EventHeader[];
  /** Why a snapshot came, null for a delta. */
  reason: string | null;
}

export type Effect =
  | Changed
  /** The followed table is empty: there is no document until the next campaign is loaded. */
  | { type: "deactivated"; campaign_id: string }
  | { type: "send"; message: ClientMessage }
  | { type: "answered"; answer: Committed | Rejected }
  /** The server refused something this client sent; where it matters, a close follows. */
  | { type: "failed"; error: ServerError }
  /** Something was said that is no change of the document; the replica's `company` knows of it. */
  | { type: "heard"; message: TalkTold };

/** What a replica holds, to be kept and gone on from. */
export interface Held {
  campaign_id: string;
  version: number;
  position: string | null;
  document: JsonObject;
}

export class Replica {
  campaignId: string | null = null;
  version = 0;
  /** What proves the document; null where the log refuted it: then only a snapshot is believed. */
  position: string | null = null;
  /** The view, replaced and never mutated; null where nothing is active. */
  document: JsonObject | null = null;
  company = Company.EMPTY;
  status: ReplicaStatus = "connecting";
  private asked = false;

  /** Go on from what was held before, in another run of the program perhaps. */
  resume(held: Held): void {
    this.campaignId = held.campaign_id;
    this.version = held.version;
    this.position = held.position;
    this.document = held.document;
  }

  /** Note that the connection is gone; what is held stays, to resume from. */
  disconnected(): void {
    this.status = "connecting";
    this.asked = false;
    this.company = this.company.disconnected();
  }

  /** The message that says this client lives, which version it holds, and may ask for the digest. */
  heartbeat(withDigest = false): ClientMessage {
    const said = { type: "heartbeat", version: this.version } as const;
    return withDigest ? { ...said, digest: true } : said;
  }

  /** Note that the server, asked over a connection, is where this replica is. */
  confirm(position: string | null): void {
    if (this.document !== null && position === this.position) this.status = "live";
  }

  /**
   * Take one text frame from the server. Messages of a type this release does not know are passed
   * over.
   *
   * @throws MisshapenError: the frame is not JSON, or a known message is misshapen.
   */
  receive(frame: string): Effect[] {
    const message = readServerMessage(frame);
    return message === null ? [] : this.take(message);
  }

  private take(message: ServerMessage): Effect[] {
    switch (message.type) {
      case "campaign_active":
      case "campaign_loaded":
        return [this.replace(message, message.structured_data, message.reason)];
      case "campaign_updated":
        return this.update(message);
      case "campaign_deactivated":
        return this.deactivate(message.campaign_id);
      case "heartbeat":
        return this.compare(message);
      case "committed":
      case "rejected":
        return [{ type: "answered", answer: message }];
      case "error":
        return [{ type: "failed", error: message }];
      default:
        this.company = this.company.hear(message);
        return [{ type: "heard", message }];
    }
  }

  private replace(
    message: CampaignActive | CampaignLoaded | CampaignUpdated,
    document: JsonObject,
    reason: string | null,
    events: EventHeader[] = [],
  ): Changed {
    this.document = document;
    this.hold(message);
    // What somebody else was told is not for whoever this client is now.
    if (reason === "role") this.company = Company.EMPTY;
    return changed(message, null, events, reason);
  }

  private update(message: CampaignUpdated): Effect[] {
    const { version, base, patch } = message;
    const same = message.campaign_id === this.campaignId && this.document !== null;
    if (message.structured_data !== undefined) {
      if (same && version <= this.version && this.status === "live") return [];
      return [this.replace(message, message.structured_data, null, message.events)];
    }
    if (!same || this.position === null || base === undefined || patch === undefined) {
      return this.resync();
    }
    if (version <= this.version) {
      // The answer of a server that has nothing newer.
      if (base === version && version === this.version && patch.length === 0) this.hold(message);
      return [];
    }
    if (base !== this.version) return this.resync();
    return this.apply(message, patch);
  }

  private apply(message: CampaignUpdated, patch: Operation[]): Effect[] {
    let document: Json = null;
    try {
      document = applyPatch(this.document, patch);
    } catch {
      // Whatever it was: from here on this replica may be wrong, and must know it.
    }
    if (!isObject(document)) {
      // The versions agree and the documents do not: only a snapshot can be trusted now.
      this.position = null;
      return this.resync();
    }
    this.document = document;
    this.hold(message);
    return [changed(message, patch, message.events, null)];
  }

  private hold(message: CampaignActive | CampaignLoaded | CampaignUpdated): void {
    if (message.campaign_id !== this.campaignId) this.company = Company.EMPTY;
    this.campaignId = message.campaign_id;
    this.version = message.version;
    this.position = message.position;
    this.status = "live";
    this.asked = false;
  }

  private deactivate(campaignId: string): Effect[] {
    this.campaignId = null;
    this.version = 0;
    this.position = null;
    this.document = null;
    this.company = Company.EMPTY;
    this.status = "waiting";
    this.asked = false;
    return [{ type: "deactivated", campaign_id: campaignId }];
  }

  /** Notice a last message that was lost: nothing else would, at rest. */
  private compare(message: ServerHeartbeat): Effect[] {
    if (message.campaign_id === null) {
      if (this.document !== null) return this.deactivate(this.campaignId ?? "");
      this.status = "waiting";
      return [];
    }
    const same = message.campaign_id === this.campaignId && message.version === this.version;
    const held = same && message.position === this.position ? this.differing(message.digest) : null;
    if (same && (message.position !== this.position || held !== null)) {
      // Another log, another view or another document: no delta from here would lead to the truth.
      this.position = null;
    } else if (
      message.campaign_id === this.campaignId &&
      message.version <= this.version &&
      this.status === "live"
    ) {
      return [];
    }
    // Whatever was asked before has been lost, or was answered by something that was.
    this.asked = false;
    return this.resync(held);
  }

  /** The digest of what is held, where it is not what the server says it is. */
  private differing(told: string | undefined): string | null {
    if (told === undefined || this.status !== "live") return null;
    const held = digest(this.document);
    return held === told ? null : held;
  }

  /** Ask to be brought up to date, once: until it is answered, more gaps tell nothing new. */
  private resync(held: string | null = null): Effect[] {
    this.status = "stale";
    if (this.asked) return [];
    this.asked = true;
    const message = { type: "resync", position: this.position } as const;
    return [{ type: "send", message: held === null ? message : { ...message, digest: held } }];
  }
}

function changed(
  message: CampaignActive | CampaignLoaded | CampaignUpdated,
  patch: Operation[] | null,
  events: EventHeader[],
  reason: string | null,
): Changed {
  const { campaign_id, version } = message;
  return { type: "changed", campaign_id, version, patch, events, reason };
}
