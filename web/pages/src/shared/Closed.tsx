/** What is shown where there is nothing to be seen: why, and what to do about it. */
export function Closed({ sentence }: { sentence: string }) {
  return (
    <main className="closed">
      <h1>The table is closed to you</h1>
      <p role="alert">{sentence}</p>
      <p className="hush">Ask the DM for a link; it opens this page again.</p>
    </main>
  );
}
