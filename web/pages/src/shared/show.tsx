/** What is shown of a page, once that has come too. */

import { CampaignProvider } from "@questlog/react";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Closed } from "./Closed.js";
import type { Entered, Following } from "./enter.js";
import { NotYours } from "./NotYours.js";
import type { Seat } from "./seat.js";
import type { SignIn } from "./signin.js";

/** Return what shows a page: `inside` to whoever is seated, and the door to others. */
export function showing<T>(inside: (seated: T) => ReactNode) {
  return (page: HTMLElement, entered: Entered<T>): void => {
    createRoot(page).render(<StrictMode>{elementOf(entered, inside)}</StrictMode>);
  };
}

/** The same for a page that follows a campaign. */
export function showingCampaign(inside: (seat: Seat) => ReactNode) {
  return showing<Following>(({ seat, client }) => (
    <CampaignProvider value={client}>{inside(seat)}</CampaignProvider>
  ));
}

function elementOf<T>(entered: Entered<T>, inside: (seated: T) => ReactNode): ReactNode {
  switch (entered.is) {
    case "in":
      return inside(entered.seated);
    case "door":
      return <Door signIn={entered.signIn} />;
    case "other":
      return <NotYours seat={entered.seat} />;
    case "closed":
      return <Closed sentence={entered.sentence} />;
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
