/**
 * How a page gets in: by a token or an invite behind the `#`, which no browser sends anywhere and
 * which leaves the address bar at once, or by the seat that this browser got before.
 */

import { CallError, Server } from "./server.js";

export interface Seat {
  /** The server, with a prefix or none. */
  url: string;
  /** The campaign this page is about; null: whatever is played at `table`. */
  campaignId: string | null;
  table: string;
  token: string | null;
  playerId: string | null;
  role: Role;
}

export type Role = "dm" | "player" | "spectator";

/** A sentence for whoever opened the page: there is no way in. */
export class NoSeatError extends Error {
  override name = "NoSeatError";
}

const PREFIX = "questlog.";

/**
 * The seat of whoever opened this page.
 *
 * @throws NoSeatError: an invite was refused, with the server's sentence.
 */
export async function findSeat(role: "player" | "dm" = "player"): Promise<Seat> {
  const url = new URL(".", location.href).href.replace(/\/$/, "");
  const query = new URLSearchParams(location.search);
  const given = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  const campaignId = query.get("campaign_id");
  const place = { url, campaignId, table: query.get("table") ?? "main" };
  const name = placeOf(place, role);
  const invite = given.get("invite");
  const token = given.get("token") ?? (invite === null ? null : await join(url, invite, name));
  const known = token ?? kept(name);
  const said = claimsOf(known);
  // A player's at the DM's page would be found there instead of the DM's.
  const fits = role === "player" || !isRole(said?.role) || said.role === "dm";
  if (token !== null && fits) keep(name, token);
  const believed = query.get("player_id");
  return {
    ...place,
    token: known,
    role: isRole(said?.role) ? said.role : role,
    playerId: known === null ? believed : typeof said?.sub === "string" ? said.sub : null,
  };
}

/**
 * Have a seat open the page of a campaign by its id too, unless this browser has another there: of
 * the campaign that was found at a table, or is gone to from its page.
 */
export function carrySeat(seat: Seat, role: "player" | "dm", campaignId: string): void {
  const name = placeOf({ ...seat, campaignId }, role);
  if (seat.token !== null && kept(name) === null) keep(name, seat.token);
}

/** Let go of a seat that the server takes no more. */
export function leaveSeat(seat: Seat, role: "player" | "dm"): void {
  try {
    localStorage.removeItem(PREFIX + placeOf(seat, role));
  } catch {
    // A private window kept nothing.
  }
}

function placeOf({ campaignId, table }: Pick<Seat, "campaignId" | "table">, role: string): string {
  return `${role} ${campaignId ?? `table ${table}`}`;
}

async function join(url: string, invite: string, name: string): Promise<string | null> {
  try {
    // One id for each invite: asked again after an answer got lost, the server knows it by that.
    const body = { invite, id: joinId(invite) };
    const server = new Server({ url, token: null });
    return (await server.call<{ token: string }>("/api/join", { body })).token;
  } catch (error) {
    if (!(error instanceof CallError && error.final)) throw error;
    // The link was used before, by this browser, which still has the seat.
    if (kept(name) !== null) return null;
    throw new NoSeatError(error.message);
  }
}

function joinId(invite: string): string {
  const name = `join ${invite.slice(0, 8)}`;
  const known = kept(name);
  if (known !== null) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const made = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  keep(name, made);
  return made;
}

function kept(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // A private window forgets; the seat then lasts as long as the page is open.
  }
}

/** What a token says of its holder: for what is shown, and for nothing that matters. */
function claimsOf(token: string | null): { sub?: unknown; role?: unknown } | null {
  const payload = token?.split(".")[1];
  if (payload === undefined) return null;
  try {
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return null;
  }
}

function isRole(value: unknown): value is Role {
  return value === "dm" || value === "player" || value === "spectator";
}
