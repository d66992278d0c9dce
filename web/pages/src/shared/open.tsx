/** How a page begins: whoever opened it is seated, a client follows, and the page is shown. */

import { CampaignClient } from "@questlog/client";
import { CampaignProvider } from "@questlog/react";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Closed } from "./Closed.js";
import { findSeat, leaveSeat, NoSeatError, type Seat } from "./seat.js";

export function openPage(role: "player" | "dm", show: (seat: Seat) => ReactNode): void {
  const page = document.getElementById("page");
  if (page === null) return;
  const root = createRoot(page);
  void open(role, show).then(element => root.render(<StrictMode>{element}</StrictMode>));
}

async function open(role: "player" | "dm", show: (seat: Seat) => ReactNode): Promise<ReactNode> {
  try {
    const seat = await findSeat(role);
    const client = clientOf(seat, role);
    client.start();
    return <CampaignProvider value={client}>{show(seat)}</CampaignProvider>;
  } catch (error) {
    const known = error instanceof NoSeatError;
    return <Closed sentence={known ? error.message : "The server could not be reached."} />;
  }
}

function clientOf(seat: Seat, role: "player" | "dm"): CampaignClient {
  return new CampaignClient({
    url: seat.url,
    campaignId: seat.campaignId,
    table: seat.table,
    role,
    playerId: seat.token === null ? seat.playerId : null,
    // What a DM sees is not left on a machine: it holds every secret.
    ...(role === "dm" ? { storage: null } : {}),
    getToken: async refused => {
      // A seat that is lost is not asked for again: the DM gives another.
      if (refused !== null) leaveSeat(seat, role);
      return refused === null ? seat.token : null;
    },
  });
}
