import { CampaignClient } from "@questlog/client";
import { CampaignProvider } from "@questlog/react";
import { tokensOf } from "../shared/enter.js";
import { leaveSeat, type Seat } from "../shared/seat.js";
import { showing } from "../shared/show.js";
import type { SignIn } from "../shared/signin.js";
import { Api } from "./api.js";
import { Desk, DeskProvider } from "./desk.js";
import { Inspect } from "./Inspect.js";
import { Log } from "./log.js";
import { NotYours } from "./NotYours.js";
import { Wire } from "./wire.js";

interface Seated {
  seat: Seat;
  signIn: SignIn | null;
}

export const show = showing<Seated>(({ seat, signIn }) => {
  if (seat.role !== "dm") {
    // The next visit must not find it where a DM's would be.
    leaveSeat(seat, "dm");
    return <NotYours seat={seat} sentence={null} />;
  }
  const desk = sit(seat, signIn);
  return (
    <CampaignProvider value={desk.client}>
      <DeskProvider value={desk}>
        <Inspect />
      </DeskProvider>
    </CampaignProvider>
  );
});

function sit(seat: Seat, signIn: SignIn | null): Desk {
  const wire = new Wire(seat.token);
  const client = new CampaignClient({
    url: seat.url,
    campaignId: seat.campaignId,
    table: seat.table,
    role: "dm",
    getToken: tokensOf(seat, "dm", signIn),
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
