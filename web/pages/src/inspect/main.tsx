import { CampaignClient } from "@questlog/client";
import { CampaignProvider } from "@questlog/react";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Closed } from "../shared/Closed.js";
import { findSeat, leaveSeat, NoSeatError, type Seat } from "../shared/seat.js";
import { signedIn } from "../shared/signin.js";
import { Api } from "./api.js";
import { Desk, DeskProvider } from "./desk.js";
import { Inspect } from "./Inspect.js";
import { Log } from "./log.js";
import { NotYours } from "./NotYours.js";
import { Wire } from "./wire.js";

async function open(): Promise<ReactNode> {
  try {
    const seat = await signedIn(await findSeat("dm"));
    if (seat.role !== "dm") {
      // The next visit must not find it where a DM's would be.
      leaveSeat(seat, "dm");
      return <NotYours seat={seat} sentence={null} />;
    }
    return <Opened desk={sit(seat)} />;
  } catch (error) {
    const known = error instanceof NoSeatError;
    return <Closed sentence={known ? error.message : "The server could not be reached."} />;
  }
}

function Opened({ desk }: { desk: Desk }) {
  return (
    <CampaignProvider value={desk.client}>
      <DeskProvider value={desk}>
        <Inspect />
      </DeskProvider>
    </CampaignProvider>
  );
}

function sit(seat: Seat): Desk {
  const wire = new Wire(seat.token);
  const client = new CampaignClient({
    url: seat.url,
    campaignId: seat.campaignId,
    table: seat.table,
    role: "dm",
    getToken: async refused => {
      if (refused !== null) leaveSeat(seat, "dm");
      return refused === null ? seat.token : null;
    },
    // Nothing kept: the wire shows a connection from its first word, and secrets stay in no browser.
    storage: null,
    world: wire.world,
  });
  const api = new Api(seat);
  const log = new Log(api, client);
  log.follow();
  client.start();
  return new Desk(seat, client, api, log, wire);
}

const page = document.getElementById("page");
if (page !== null) {
  const root = createRoot(page);
  void open().then(element => root.render(<StrictMode>{element}</StrictMode>));
}
