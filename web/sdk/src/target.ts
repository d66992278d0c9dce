/** Where a client connects, and as whom. */

import { ClosedError } from "./closing.js";

export interface Target {
  /** The server, `http://HOST:PORT`, with a prefix or none. */
  readonly url: string;
  readonly role: "player" | "dm";
  readonly playerId: string | null;
  readonly token: string | null;
}

export const SUBPROTOCOL = "questlog.v1";

type Query = Record<string, string | null | undefined>;

// What a subprotocol may be made of (RFC 9110, token), and so any of ours.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** @throws ClosedError: no server could have given this token. */
export function checkToken({ token }: Target): void {
  if (token === null || TOKEN.test(token)) return;
  throw new ClosedError("unauthenticated", "This is no token: it has characters that none has.");
}

export function headersOf(target: Target): Record<string, string> {
  return target.token === null ? {} : { Authorization: `Bearer ${target.token}` };
}

export function protocolsOf(target: Target): string[] {
  return target.token === null ? [SUBPROTOCOL] : [SUBPROTOCOL, `bearer.${target.token}`];
}

/** The URL of the socket of a campaign, or of a table where `campaignId` is null. */
export function socketUrl(
  target: Target,
  campaignId: string | null,
  table: string,
  since: string | null,
): string {
  const place = campaignId === null ? { table } : { campaign_id: campaignId };
  const query = encoded({ ...place, player_id: target.playerId, since });
  return `${target.url.replace(/^http/, "ws")}/ws/campaign/${target.role}?${query}`;
}

/** The URL of a call about a campaign. */
export function callUrl(
  target: Target,
  campaignId: string,
  call: string,
  query: Query = {},
): string {
  // What an open server believes of whoever calls; any other asks for the token.
  const believed =
    target.token === null && target.role === "player"
      ? { role: "player", player_id: target.playerId }
      : {};
  const path = `${target.url}/api/campaigns/${encodeURIComponent(campaignId)}`;
  const said = encoded({ ...believed, ...query });
  return `${call === "" ? path : `${path}/${call}`}${said === "" ? "" : `?${said}`}`;
}

function encoded(query: Query): string {
  const known = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== null && pair[1] !== undefined,
  );
  return new URLSearchParams(known).toString();
}
