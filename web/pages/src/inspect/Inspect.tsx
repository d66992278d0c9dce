import { usePart, useView } from "@questlog/react";
import { Closed } from "../shared/Closed.js";
import { Head } from "../shared/Head.js";
import { Lamp } from "../shared/Lamp.js";
import { useStore } from "../shared/store.js";
import { Tabs } from "../shared/Tabs.js";
import { textOf } from "../shared/things.js";
import { BlameBoard } from "./BlameBoard.js";
import { Chosen } from "./Chosen.js";
import { DocumentBoard } from "./DocumentBoard.js";
import { PANELS, useDesk } from "./desk.js";
import { Figures } from "./Figures.js";
import { Stream } from "./Stream.js";
import { WireBoard } from "./WireBoard.js";

/** The developers' page: the log, an event, the document and the wire, side by side or in turn. */
export function Inspect() {
  const desk = useDesk();
  const panel = useStore(desk.panel);
  const closed = useView(view => view.connection.closed, null);
  const hasDocument = useView(view => view.document !== null, false);
  if (closed !== null && !hasDocument)
    return <Closed code={closed.code} sentence={closed.message} />;
  return (
    <div className="frame inspect" data-panel={panel}>
      <Top />
      {closed !== null && (
        <p className="notice ember" role="alert">
          {closed.message} What is shown is no longer live.
        </p>
      )}
      <main className="panels">
        <section className="panel" data-name="Log" aria-label="Log">
          <Stream />
        </section>
        <section className="panel" data-name="Event" aria-label="Event">
          <Chosen />
        </section>
        <section className="panel" data-name="Document" aria-label="Document">
          <BlameBoard />
          <DocumentBoard />
        </section>
        <section className="panel" data-name="Wire" aria-label="Wire">
          <Figures />
          <WireBoard />
        </section>
      </main>
      <footer className="hand">
        <Tabs name="Panels" of={PANELS} shown={panel} show={each => desk.panel.set(each)} />
      </footer>
    </div>
  );
}

function Top() {
  const own = textOf(usePart("/title"));
  const campaignId = useView(view => view.campaignId, null);
  const version = useView(view => view.version, 0);
  const waiting = useView(view => view.connection.state === "waiting", false);
  const title = own ?? campaignId ?? "Questlog";
  return (
    <Head title={title} named={`Inspect: ${title}`} aside={<Lamp />}>
      {waiting
        ? "Nothing is being played at this table yet."
        : `Behind the screen of ${campaignId ?? "…"}, at version ${version}`}
    </Head>
  );
}
