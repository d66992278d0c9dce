import type { Seat } from "./seat.js";

/** Whoever is no DM is told so at the DM's pages, and where their own page is. */
export function NotYours({ seat }: { seat: Seat }) {
  const { campaignId, table } = seat;
  const place = new URLSearchParams(campaignId === null ? { table } : { campaign_id: campaignId });
  return (
    <main className="closed">
      <h1>This page is the DM’s</h1>
      <p role="alert">It shows the whole game, secrets and all. You came as a {seat.role}.</p>
      <p>
        <a href={`./play?${place}`}>Go to your own page</a>
      </p>
      <p className="hush">Or ask the DM for a link of theirs; it opens this page.</p>
    </main>
  );
}
