/**
 * How a page begins: whoever opened it is seated, and the connection is made, while what shows it
 * all is still on its way. A phone on bad wifi then has the game by the time it can draw it.
 *
 * This is the small part of a page that is there first: nothing here may need React.
 */

import { CampaignClient, type ClientOptions } from "@questlog/client";
import {
  findSeat,
  keepSeat,
  leaveSeat,
  leaveUnproven,
  NoSeatError,
  offerSeat,
  type Seat,
} from "./seat.js";
import { CallError } from "./server.js";
import { findSignIn, type SignIn } from "./signin.js";

export type Entered<T> =
  /** Whoever it is has a seat, and this is what was made of it. */
  | { is: "in"; seated: T }
  /** One has to say who one is. */
  | { is: "door"; signIn: SignIn }
  /** The page is the DM's, and whoever it is is none. */
  | { is: "other"; seat: Seat }
  | { is: "closed"; sentence: string };

export interface Way<T> {
  /** Make of a seat what the page is about. */
  sit(seat: Seat, signIn: SignIn | null): T;
  /** Show what can be shown until the page has come; returns what ends that. */
  meanwhile?(page: HTMLElement, seated: T): () => void;
  /** Fetch what shows it. */
  load(): Promise<{ show(page: HTMLElement, entered: Entered<T>): void }>;
}

export function enter<T>(role: "player" | "dm", { sit, meanwhile, load }: Way<T>): void {
  const page = document.getElementById("page");
  if (page === null) return;
  // A link that is opened where its page is already: browsers only change what is behind the #.
  addEventListener("hashchange", () => {
    if (/[#&](token|invite)=/.test(location.hash)) location.reload();
  });
  let stop = (): void => {};
  const entering = letIn(role, sit).then(entered => {
    if (entered.is === "in") stop = meanwhile?.(page, entered.seated) ?? stop;
    return entered;
  });
  Promise.all([load(), entering])
    .then(([{ show }, entered]) => {
      stop();
      show(page, entered);
    })
    .catch(error => {
      stop();
      console.error(error);
      broken(page);
    });
}

async function letIn<T>(role: "player" | "dm", sit: Way<T>["sit"]): Promise<Entered<T>> {
  try {
    let seat = await findSeat(role);
    // Who has no seat of the server's own may have one by their name at a provider.
    const signIn = seat.token === null ? await findSignIn(seat.url) : null;
    if (signIn !== null) {
      if (signIn.token === null) return { is: "door", signIn };
      // Having come back, the address says again which campaign it is about.
      seat = { ...(await findSeat(role)), token: signIn.token };
    }
    if (role === "dm" && seat.role !== "dm") {
      // The next visit must not find it where a DM's would be.
      letGo(seat, role);
      offerSeat(seat);
      return { is: "other", seat };
    }
    return { is: "in", seated: sit(seat, signIn) };
  } catch (error) {
    const known = error instanceof NoSeatError || error instanceof CallError;
    // Whatever it was, somebody will look for it here.
    if (!known) console.error(error);
    return { is: "closed", sentence: known ? error.message : "The page failed to open." };
  }
}

/** A part of the page did not come: on bad wifi, or of a server that has a newer one by now. */
function broken(page: HTMLElement): void {
  const said = document.createElement("p");
  said.setAttribute("role", "alert");
  said.textContent = "A part of this page did not come. ";
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Try again";
  again.addEventListener("click", () => location.reload());
  page.replaceChildren(said, again);
}

/** What a page does with a seat: whoever has another comes back with that. */
function letGo(seat: Seat, role: "player" | "dm"): void {
  if (leaveSeat(seat, role)) location.reload();
}

function letGoUnproven(seat: Seat, role: "player" | "dm"): void {
  if (leaveUnproven(seat, role)) location.reload();
}

export interface Following {
  seat: Seat;
  client: CampaignClient;
}

/** Follow the campaign of a seat, beginning now. */
export function follow(
  role: "player" | "dm",
  more: Pick<ClientOptions, "world"> = {},
): Way<Following>["sit"] {
  return (seat, signIn) => {
    const client = new CampaignClient({
      url: seat.url,
      campaignId: seat.campaignId,
      table: seat.table,
      role,
      playerId: seat.token === null ? seat.playerId : null,
      // What a DM sees, at whichever page, is not left on a machine: it holds every secret.
      ...(role === "dm" || seat.role === "dm" ? { storage: null } : {}),
      getToken: tokensOf(seat, role, signIn),
      ...more,
    });
    const settled = client.subscribe(() => {
      const { state, closed } = client.view.connection;
      if (state === "live" || state === "waiting") keepSeat(seat, role);
      // A seat at another campaign, say: one's own is looked for.
      else if (closed?.code === "forbidden") letGoUnproven(seat, role);
      else return;
      settled();
    });
    client.start();
    return { seat, client };
  };
}

/** What tells a client its token, and what becomes of one that the server takes no more. */
function tokensOf(seat: Seat, role: "player" | "dm", signIn: SignIn | null) {
  return async (refused: string | null): Promise<string | null> => {
    if (refused === null) return seat.token;
    if (signIn !== null) return signIn.renew();
    // A seat that is lost is not asked for again: the DM gives another.
    letGo(seat, role);
    return null;
  };
}
