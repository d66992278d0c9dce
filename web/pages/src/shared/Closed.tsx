interface Of {
  /** The server's reason, where it gave one. */
  code?: string;
  sentence: string;
}

/** What is shown where there is nothing to be seen: why, and what to do about it. */
export function Closed({ code = "", sentence }: Of) {
  return (
    <main className="closed">
      <h1>The table is closed to you</h1>
      <p role="alert">{SENTENCES[code] ?? sentence}</p>
      <p className="hush">Ask the DM for a link; it opens this page again.</p>
    </main>
  );
}

/** What the server says to programs is no use to people. */
const SENTENCES: Readonly<Record<string, string>> = {
  unauthenticated: "This browser has no seat here, or has it no more.",
};
