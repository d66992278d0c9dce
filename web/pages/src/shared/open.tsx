/** How a page begins: whoever opened it is seated, a client follows, and the page is shown. */

import { CampaignClient } from "@questlog/client";
import { CampaignProvider } from "@questlog/react";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Closed } from "./Closed.js";
import { findSeat, leaveSeat, NoSeatError, type Seat } from "./seat.js";
import { findSignIn, type SignIn } from "./signin.js";

export function openPage(role: "player" | "dm", show: (seat: Seat) => ReactNode): void {
  const page = document.getElementById("page");
  if (page === null) return;
  const root = createRoot(page);
  void open(role, show).then(element => root.render(<StrictMode>{element}</StrictMode>));
}

async function open(role: "player" | "dm", show: (seat: Seat) => ReactNode): Promise<ReactNode> {
  try {
    let seat = await findSeat(role);
    // Who has no seat of the server's own may have one by their name at a provider.
    const signIn = seat.token === null ? await findSignIn(seat.url) : null;
    if (signIn !== null) {
      if (signIn.token === null) return <Door signIn={signIn} />;
      // Having come back, the address says again which campaign it is about.
      seat = { ...(await findSeat(role)), token: signIn.token };
    }
    const client = clientOf(seat, role, signIn);
    client.start();
    return <CampaignProvider value={client}>{show(seat)}</CampaignProvider>;
  } catch (error) {
    if (error instanceof NoSeatError) return <Closed sentence={error.message} />;
    // Whatever it was, somebody will look for it here.
    console.error(error);
    return <Closed sentence="The server could not be reached." />;
  }
}

/** Where one is let in by name. */
function Door({ signIn }: { signIn: SignIn }) {
  return (
    <main className="closed">
      <h1>Who is there?</h1>
      <button type="button" className="main" onClick={() => void signIn.begin()}>
        Sign in
      </button>
      <p className="hush">Or open the link that the DM has given you.</p>
    </main>
  );
}

function clientOf(seat: Seat, role: "player" | "dm", signIn: SignIn | null): CampaignClient {
  return new CampaignClient({
    url: seat.url,
    campaignId: seat.campaignId,
    table: seat.table,
    role,
    playerId: seat.token === null ? seat.playerId : null,
    // What a DM sees is not left on a machine: it holds every secret.
    ...(role === "dm" ? { storage: null } : {}),
    getToken: async refused => {
      if (refused === null) return seat.token;
      if (signIn !== null) return signIn.renew();
      // A seat that is lost is not asked for again: the DM gives another.
      leaveSeat(seat, role);
      return null;
    },
  });
}
