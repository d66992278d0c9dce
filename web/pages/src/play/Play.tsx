import { useClient, usePart, useView } from "@questlog/react";
import { useEffect, useState } from "react";
import { Closed } from "../shared/Closed.js";
import { Head } from "../shared/Head.js";
import { Lamp } from "../shared/Lamp.js";
import { Part } from "../shared/Part.js";
import type { Seat } from "../shared/seat.js";
import { placeOf, Server } from "../shared/server.js";
import { Tabs } from "../shared/Tabs.js";
import { textOf } from "../shared/things.js";
import { Company } from "./Company.js";
import { Party } from "./Party.js";
import { Rest } from "./Rest.js";
import { Scene } from "./Scene.js";
import { Since } from "./Since.js";
import { Story } from "./Story.js";
import { Suggest } from "./Suggest.js";
import { OwnPoints, You } from "./You.js";

const PANELS = ["Story", "Party", "You", "Table"] as const;
type Panel = (typeof PANELS)[number];

/** The player's page: everything at once on a wide screen, one panel at a time on a phone. */
export function Play({ seat }: { seat: Seat }) {
  const [panel, setPanel] = useState<Panel>("Story");
  const closed = useView(view => view.connection.closed, null);
  const waiting = useView(view => view.connection.state === "waiting", false);
  const hasDocument = useView(view => view.document !== null, false);
  if (closed !== null && !hasDocument)
    return <Closed code={closed.code} sentence={closed.message} />;
  return (
    <div className="frame play" data-panel={panel}>
      <Top seat={seat} />
      {seat.notice !== null && (
        <p className="notice ember" role="alert">
          {seat.notice}
        </p>
      )}
      {closed !== null && (
        <p className="notice ember" role="alert">
          {closed.message} Ask the DM for a new link.
        </p>
      )}
      {hasDocument ? (
        <main
          className="panels"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
          tabIndex={0}
        >
          <section className="panel story" data-name="Story" aria-label="Story">
            <Part name="What changed">
              <Since playerId={seat.playerId} />
            </Part>
            <Part name="The scene">
              <Scene />
            </Part>
            <Part name="The story">
              <Story />
            </Part>
          </section>
          <section className="panel" data-name="Party" aria-label="Party">
            <Part name="The party">
              <Party />
            </Part>
          </section>
          <section className="panel" data-name="You" aria-label="You">
            <Part name="Your character">
              <You playerId={seat.playerId} />
            </Part>
          </section>
          <section className="panel" data-name="Table" aria-label="Table">
            <Part name="The company">
              <Company seat={seat} />
            </Part>
            <Part name="The rest">
              <Rest playerId={seat.playerId} />
            </Part>
          </section>
        </main>
      ) : (
        <Empty waiting={waiting} />
      )}
      {/* Not taken away between two sessions: somebody may be writing. */}
      <footer className="hand" hidden={!hasDocument}>
        <Suggest seat={seat} />
        <Tabs name="Panels" of={PANELS} shown={panel} show={setPanel} />
      </footer>
    </div>
  );
}

function Top({ seat }: { seat: Seat }) {
  return (
    <Head title={useTitle(seat)} aside={<Lamp />}>
      {youAre(seat)} <OwnPoints playerId={seat.playerId} />
    </Head>
  );
}

function youAre(seat: Seat): string {
  if (seat.role === "spectator") return "You watch.";
  return seat.playerId === null ? "You watch, and may suggest." : `You are ${seat.playerId}.`;
}

/** The document's title, else the campaign's, else its id. */
function useTitle(seat: Seat): string {
  const client = useClient();
  const own = textOf(usePart("/title"));
  const campaignId = useView(view => view.campaignId, null);
  const [told, setTold] = useState<string | null>(null);
  useEffect(() => {
    if (client === null || campaignId === null) return;
    const ended = new AbortController();
    new Server(seat)
      .call<{ title: string | null }>(placeOf(campaignId), { signal: ended.signal })
      .then(({ title }) => setTold(title))
      // The id will do.
      .catch(() => {});
    return () => ended.abort();
  }, [client, campaignId, seat]);
  return own ?? told ?? campaignId ?? "Questlog";
}

function Empty({ waiting }: { waiting: boolean }) {
  return (
    <main className="waiting">
      <div className="candle" aria-hidden="true" />
      <p className="tale">
        {waiting ? "Nothing is being played at this table yet." : "Coming to the table…"}
      </p>
      {waiting && <p className="hush">Stay: this page opens by itself when the DM begins.</p>}
    </main>
  );
}
