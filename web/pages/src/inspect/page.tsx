import { CampaignProvider } from "@questlog/react";
import { follow } from "../shared/enter.js";
import type { Seat } from "../shared/seat.js";
import { showing } from "../shared/show.js";
import type { SignIn } from "../shared/signin.js";
import { Api } from "./api.js";
import { Desk, DeskProvider } from "./desk.js";
import { Inspect } from "./Inspect.js";
import { Log } from "./log.js";
import { Wire } from "./wire.js";

interface Seated {
  seat: Seat;
  signIn: SignIn | null;
}

export const show = showing<Seated>(({ seat, signIn }) => {
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
  // The wire shows a connection from its first word.
  const wire = new Wire(seat.token);
  const { client } = follow("dm", { world: wire.world })(seat, signIn);
  const api = new Api(seat);
  const log = new Log(api, client);
  log.follow();
  return new Desk(seat, client, api, log, wire);
}
