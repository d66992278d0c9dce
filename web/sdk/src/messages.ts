/** The messages of protocol 1. Made by `make docs` from the server's own types. */

import type { Json, JsonObject, Operation } from "./values.js";

/** A snapshot: it replaces what the replica holds. */
export interface CampaignActive {
  type: "campaign_active";
  campaign_id: string;
  version: number;
  position: string;
  structured_data: JsonObject;
  reason: "activated" | "connected" | "lagged" | "resync" | "role";
  timestamp: string;
}

/** A snapshot of the campaign just activated at the followed table. */
export interface CampaignLoaded {
  type: "campaign_loaded";
  campaign_id: string;
  version: number;
  position: string;
  structured_data: JsonObject;
  reason: "activated" | "connected" | "lagged" | "resync" | "role";
  timestamp: string;
}

/** A delta from `base` to `version`; in full mode the whole document instead of it. */
export interface CampaignUpdated {
  type: "campaign_updated";
  campaign_id: string;
  version: number;
  position: string;
  events: EventHeader[];
  timestamp: string;
  base?: number;
  patch?: Operation[];
  structured_data?: JsonObject;
}

/** The campaign left the followed table: there is nothing to see until the next is loaded. */
export interface CampaignDeactivated {
  type: "campaign_deactivated";
  campaign_id: string;
  timestamp: string;
}

/** Where the followed campaign stands, so that a lost last message is noticed. */
export interface ServerHeartbeat {
  type: "heartbeat";
  campaign_id: string | null;
  version: number;
  position: string | null;
  timestamp: string;
  digest?: string;
}

/** The request `id` is done and durable as of `version`. */
export interface Committed {
  type: "committed";
  id: string;
  version: number;
  position: string;
  duplicate: boolean;
  timestamp: string;
}

/** The request `id` changed nothing; `code` says why. */
export interface Rejected {
  type: "rejected";
  id: string | null;
  code: string;
  message: string;
  version: number | null;
  timestamp: string;
}

/** Something is wrong with the connection or a message that asked for no answer. */
export interface ServerError {
  type: "error";
  code: string;
  message: string;
  timestamp: string;
}

/** Who is there, whole: it replaces what was known. */
export interface Presence {
  type: "presence";
  members: Member[];
  timestamp: string;
  counts?: Record<string, number>;
}

/** Somebody came who was not there: their first connection. */
export interface PlayerJoined {
  type: "player_joined";
  player_id: string | null;
  role: "dm" | "player" | "spectator";
  status: string | null;
  connections: number;
  version: number;
  timestamp: string;
}

/** Somebody has been gone for longer than the grace. */
export interface PlayerLeft {
  type: "player_left";
  player_id: string | null;
  role: "dm" | "player" | "spectator";
  timestamp: string;
}

/** Somebody says something else of themselves. */
export interface PlayerStatus {
  type: "player_status";
  player_id: string | null;
  role: "dm" | "player" | "spectator";
  status: string | null;
  timestamp: string;
}

/** A suggestion as it stands now, for the DM and its author. */
export interface SuggestionTold {
  type: "suggestion";
  id: string;
  player_id: string | null;
  content: string;
  suggestion_type: string | null;
  metadata: JsonObject | null;
  state: "accepted" | "dismissed" | "pending";
  answer: string | null;
  timestamp: string;
}

/** A signal, passed on and not logged; `from` null: of somebody this viewer may not know of. */
export interface SignalTold {
  type: "signal";
  name: string;
  data: Json;
  from: Sender | null;
  timestamp: string;
}

/** Who is at the wheel, for DMs; all null: nobody. */
export interface LeaseTold {
  type: "lease";
  lease: number | null;
  member: string | null;
  name: string | null;
  timestamp: string;
}

/** A piece of a narration, as it is spoken: its entry in the document has it soon. */
export interface NarrationTold {
  type: "narration";
  id: string;
  offset: number;
  text: string;
  timestamp: string;
}

export type ServerMessage =
  | CampaignActive
  | CampaignDeactivated
  | CampaignLoaded
  | CampaignUpdated
  | Committed
  | LeaseTold
  | NarrationTold
  | PlayerJoined
  | PlayerLeft
  | PlayerStatus
  | Presence
  | Rejected
  | ServerError
  | ServerHeartbeat
  | SignalTold
  | SuggestionTold;

/** Give a token, at first or again. */
export interface Authenticate {
  type: "authenticate";
  token: string;
}

/** Ask for what is missing since `position`; without one, for a snapshot. */
export interface Resync {
  type: "resync";
  position?: string | null;
  digest?: string;
}

/** Say that this client lives and which version it holds; the server answers with its own. */
export interface ClientHeartbeat {
  type: "heartbeat";
  version?: number;
  digest?: boolean;
}

/** Commit a change: exactly one of `patch` and `structured_data`. DM only. */
export interface CommitMessage {
  type: "commit";
  id?: string | null;
  kind?: string;
  expected_version?: number | null;
  lease?: number | null;
  patch?: Operation[];
  structured_data?: JsonObject;
  meta?: JsonObject | null;
}

/** Seat a campaign at a table, for a session called `title`. DM only. */
export interface ActivateMessage {
  type: "activate";
  campaign_id: string;
  table?: string;
  id?: string | null;
  title?: string | null;
}

/** Take the followed campaign from its table. DM only. */
export interface DeactivateMessage {
  type: "deactivate";
  id?: string | null;
}

/** Say something of oneself, in a word or two; null takes it back. */
export interface StatusMessage {
  type: "player_status";
  status?: string | null;
}

/** Have something passed on, and not logged. */
export interface SignalMessage {
  type: "signal";
  name: string;
  data?: Json;
  to?: string | string[] | null;
}

/** Propose something to the DM. */
export interface SuggestMessage {
  type: "player_suggestion";
  id: string;
  content: string;
  suggestion_type?: string | null;
  metadata?: JsonObject | null;
}

/** Dispose of a suggestion. DM only. */
export interface DecideMessage {
  type: "decide_suggestion";
  id: string;
  decision: "accept" | "accepted" | "answer" | "answered" | "dismiss" | "dismissed";
  player_id?: string | null;
  answer?: string | null;
  patch?: Operation[];
}

/** Take the wheel; the version in the answer is the lease. DM only. */
export interface TakeLeaseMessage {
  type: "take_lease";
  id?: string | null;
  name?: string | null;
}

/** Let go of the wheel. DM only. */
export interface ReleaseLeaseMessage {
  type: "release_lease";
  lease: number;
  id?: string | null;
}

/** Stream text into the document: begin, chunks, end. DM only. */
export interface NarrationMessage {
  type: "narration";
  id: string;
  phase: "begin" | "chunk" | "end";
  offset?: number;
  text?: string;
  path?: string;
  speaker?: string | null;
}

export type ClientMessage =
  | ActivateMessage
  | Authenticate
  | ClientHeartbeat
  | CommitMessage
  | DeactivateMessage
  | DecideMessage
  | NarrationMessage
  | ReleaseLeaseMessage
  | Resync
  | SignalMessage
  | StatusMessage
  | SuggestMessage
  | TakeLeaseMessage;

/** What a `campaign_updated` tells of an event: that it happened, not what was in it. */
export interface EventHeader {
  version: number;
  id: string;
  kind: string;
  actor: Actor;
  at: string;
}

/** One member at the campaign, with however many connections they have. */
export interface Member {
  player_id: string | null;
  role: "dm" | "player" | "spectator";
  status: string | null;
  connections: number;
  version: number;
}

/** Who sent a signal. */
export interface Sender {
  player_id: string | null;
  role: "dm" | "player" | "spectator";
}

/** Who committed: an opaque member id and the role they acted in. */
export interface Actor {
  member: string;
  role: "dm" | "player" | "spectator";
}

/** By type and member: of which JSON types it is; a question mark: it may be absent. */
export const SERVER_SHAPES: Record<string, Record<string, string>> = {
  campaign_active: {
    campaign_id: "string",
    version: "number",
    position: "string",
    structured_data: "object",
    reason: "string",
    timestamp: "string",
  },
  campaign_loaded: {
    campaign_id: "string",
    version: "number",
    position: "string",
    structured_data: "object",
    reason: "string",
    timestamp: "string",
  },
  campaign_updated: {
    campaign_id: "string",
    version: "number",
    position: "string",
    events: "array",
    timestamp: "string",
    base: "?number",
    patch: "?array",
    structured_data: "?object",
  },
  campaign_deactivated: {
    campaign_id: "string",
    timestamp: "string",
  },
  heartbeat: {
    campaign_id: "null|string",
    version: "number",
    position: "null|string",
    timestamp: "string",
    digest: "?string",
  },
  committed: {
    id: "string",
    version: "number",
    position: "string",
    duplicate: "boolean",
    timestamp: "string",
  },
  rejected: {
    id: "null|string",
    code: "string",
    message: "string",
    version: "null|number",
    timestamp: "string",
  },
  error: {
    code: "string",
    message: "string",
    timestamp: "string",
  },
  presence: {
    members: "array",
    timestamp: "string",
    counts: "?object",
  },
  player_joined: {
    player_id: "null|string",
    role: "string",
    status: "null|string",
    connections: "number",
    version: "number",
    timestamp: "string",
  },
  player_left: {
    player_id: "null|string",
    role: "string",
    timestamp: "string",
  },
  player_status: {
    player_id: "null|string",
    role: "string",
    status: "null|string",
    timestamp: "string",
  },
  suggestion: {
    id: "string",
    player_id: "null|string",
    content: "string",
    suggestion_type: "null|string",
    metadata: "null|object",
    state: "string",
    answer: "null|string",
    timestamp: "string",
  },
  signal: {
    name: "string",
    data: "any",
    from: "null|object",
    timestamp: "string",
  },
  lease: {
    lease: "null|number",
    member: "null|string",
    name: "null|string",
    timestamp: "string",
  },
  narration: {
    id: "string",
    offset: "number",
    text: "string",
    timestamp: "string",
  },
};
