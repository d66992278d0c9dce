import { CampaignClient } from "@questlog/client";
import { CampaignProvider } from "@questlog/react";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Closed } from "../shared/Closed.js";
import { findSeat, leaveSeat, NoSeatError } from "../shared/seat.js";
import { Play } from "./Play.js";

async function open(): Promise<ReactNode> {
  try {
    const seat = await findSeat();
    const client = new CampaignClient({
      url: seat.url,
      campaignId: seat.campaignId,
      table: seat.table,
      playerId: seat.token === null ? seat.playerId : null,
      getToken: async refused => {
        // A seat that is lost is not asked for again: the DM gives another.
        if (refused !== null) leaveSeat(seat, "player");
        return refused === null ? seat.token : null;
      },
    });
    client.start();
    return (
      <CampaignProvider value={client}>
        <Play seat={seat} />
      </CampaignProvider>
    );
  } catch (error) {
    const known = error instanceof NoSeatError;
    return <Closed sentence={known ? error.message : "The server could not be reached."} />;
  }
}

const page = document.getElementById("page");
if (page !== null) {
  const root = createRoot(page);
  void open().then(element => root.render(<StrictMode>{element}</StrictMode>));
}
