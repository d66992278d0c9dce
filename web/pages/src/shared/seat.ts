/**
 * How a page gets in: by a token or an invite behind the `#`, which no browser sends anywhere and
 * which leaves the address bar at once, or by the seat that this browser got before.
 *
 * A token that came by a link is this tab's until the server has taken it: a link that somebody
 * made up costs nobody the seat they have.
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
  /** Why the link that was opened is not what seats them; null: it is, or there was none. */
  notice: string | null;
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
  const campaignId = query.get("campaign_id") || null;
  const place = { url, campaignId, table: query.get("table") || "main" };
  const name = placeOf(place, role);
  const invite = given.get("invite");
  let notice = read("sessionStorage", NOTICE);
  remove("sessionStorage", NOTICE);
  let token = given.get("token")?.trim() ?? null;
  if (token !== null && !/^[\w.-]+$/.test(token)) {
    token = null;
    notice = MANGLED;
  }
  if (token === null && invite !== null) {
    const joined = await join(url, invite, name);
    if (joined.is === "seated") token = joined.token;
    else notice = joined.sentence;
  }
  if (token !== null) write("sessionStorage", name, token);
  const known = token ?? read("sessionStorage", name) ?? read("localStorage", name);
  if (known === null && notice === MANGLED) throw new NoSeatError(MANGLED);
  const said = claimsOf(known);
  const believed = query.get("player_id");
  return {
    ...place,
    token: known,
    role: isRole(said?.role) ? said.role : role,
    playerId: known === null ? believed : typeof said?.sub === "string" ? said.sub : null,
    notice,
  };
}

/** The server has taken a seat: from now on it is this browser's. */
export function keepSeat(seat: Seat, role: "player" | "dm"): void {
  const name = placeOf(seat, role);
  // A player's at the DM's page would be found there instead of the DM's.
  const fits = role === "player" || seat.role === "dm";
  if (seat.token === null || !fits || read("sessionStorage", name) !== seat.token) return;
  if (write("localStorage", name, seat.token)) remove("sessionStorage", name);
}

/**
 * Have a seat open the page of a campaign by its id too, unless this browser has another there: of
 * the campaign that was found at a table, or is gone to from its page.
 */
export function carrySeat(seat: Seat, role: "player" | "dm", campaignId: string): void {
  const name = placeOf({ ...seat, campaignId }, role);
  if (seat.token !== null && read("localStorage", name) === null) {
    write("localStorage", name, seat.token);
  }
}

/** Have a player's seat found at the player's page, by this tab, unless there is one. */
export function offerSeat(seat: Seat): void {
  const name = placeOf(seat, "player");
  if (seat.token !== null && read("localStorage", name) === null) {
    write("sessionStorage", name, seat.token);
  }
}

/** Let go of a seat that the server does not take; returns whether this browser has another. */
export function leaveSeat(seat: Seat, role: "player" | "dm"): boolean {
  const name = placeOf(seat, role);
  if (read("localStorage", name) === seat.token) remove("localStorage", name);
  if (read("sessionStorage", name) === seat.token) remove("sessionStorage", name);
  return hasAnother(name);
}

/** The same for one that the server has never taken; another stays. */
export function leaveUnproven(seat: Seat, role: "player" | "dm"): boolean {
  const name = placeOf(seat, role);
  if (seat.token === null || read("sessionStorage", name) !== seat.token) return false;
  remove("sessionStorage", name);
  return read("localStorage", name) !== seat.token && hasAnother(name);
}

function hasAnother(name: string): boolean {
  if (read("localStorage", name) === null) return false;
  write("sessionStorage", NOTICE, "The link was not taken. This is your own seat.");
  return true;
}

function placeOf({ campaignId, table }: Pick<Seat, "campaignId" | "table">, role: string): string {
  return `${role} ${campaignId ?? `table ${table}`}`;
}

/** What is to be said once the page is opened anew. */
const NOTICE = "notice";
const MANGLED = "The link was not taken: it is not whole.";

type Joined = { is: "seated"; token: string } | { is: "refused"; sentence: string | null };

async function join(url: string, invite: string, name: string): Promise<Joined> {
  const again = read("localStorage", joinName(invite)) !== null;
  try {
    // One id for each invite: asked again after an answer got lost, the server knows it by that.
    const body = { invite, id: joinId(invite) };
    const server = new Server({ url, token: null });
    const { token } = await server.call<{ token: string }>("/api/join", { body });
    return { is: "seated", token };
  } catch (error) {
    if (!(error instanceof CallError && error.final)) throw error;
    const seated = (read("sessionStorage", name) ?? read("localStorage", name)) !== null;
    if (!seated) throw new NoSeatError(error.message);
    // This browser's own, opened once more, has done what it was for; another's has done nothing.
    const sentence = again
      ? null
      : `The link was not taken: ${error.message} This is your own seat.`;
    return { is: "refused", sentence };
  }
}

function joinName(invite: string): string {
  return `join ${invite.slice(0, 8)}`;
}

function joinId(invite: string): string {
  const name = joinName(invite);
  const known = read("localStorage", name);
  if (known !== null) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const made = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  write("localStorage", name, made);
  return made;
}

type Place = "sessionStorage" | "localStorage";

// A private window may refuse to keep anything: the seat then lasts as long as the page is open.

function read(place: Place, name: string): string | null {
  try {
    return globalThis[place].getItem(PREFIX + name);
  } catch {
    return null;
  }
}

function write(place: Place, name: string, value: string): boolean {
  try {
    globalThis[place].setItem(PREFIX + name, value);
    return true;
  } catch {
    return false;
  }
}

function remove(place: Place, name: string): void {
  try {
    globalThis[place].removeItem(PREFIX + name);
  } catch {
    // Then there is nothing to be removed.
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
