import type { Seat } from "../shared/seat.js";

/** Whoever is no DM is told so, and where their own page is. */
export function NotYours({ seat, sentence }: { seat: Seat; sentence: string | null }) {
  const { campaignId, table } = seat;
  const place = new URLSearchParams(campaignId === null ? { table } : { campaign_id: campaignId });
  return (
    <main className="closed">
      <h1>This page is the DM’s</h1>
      <p role="alert">
        {sentence ??
          `It shows the whole log, secrets and all. You came with a ${seat.role}’s link.`}
      </p>
      <p>
        <a href={`./play?${place}`}>Go to your own page</a>
      </p>
      <p className="hush">Or ask the DM for a link of theirs; it opens this page.</p>
    </main>
  );
}
