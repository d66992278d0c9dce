import { useView } from "@questlog/react";
import { useState } from "react";
import { Scene } from "../play/Scene.js";
import { Story } from "../play/Story.js";
import { Closed } from "../shared/Closed.js";
import { Head } from "../shared/Head.js";
import { Lamp } from "../shared/Lamp.js";
import { Part } from "../shared/Part.js";
import type { Seat } from "../shared/seat.js";
import { Tabs } from "../shared/Tabs.js";
import { textOf } from "../shared/things.js";
import { Campaigns } from "./Campaigns.js";
import { Crew, Invite } from "./Crew.js";
import { DeskProvider } from "./desk.js";
import { Editor } from "./Editor.js";
import { Inbox } from "./Inbox.js";
import { Quick } from "./Quick.js";
import { type Draft, RulesPanel } from "./RulesPanel.js";
import { SeeAs } from "./SeeAs.js";
import { Tell } from "./Tell.js";
import { useRules } from "./useRules.js";

const VIEWS = ["Play", "Document", "Visibility", "Campaigns"] as const;
type Shown = (typeof VIEWS)[number];

/** The DM's console. */
export function Dm({ seat }: { seat: Seat }) {
  const closed = useView(view => view.connection.closed, null);
  const waiting = useView(view => view.connection.state === "waiting", false);
  const hasDocument = useView(view => view.document !== null, false);
  if (closed?.code === "unauthenticated" && !hasDocument) {
    return <Closed code={closed.code} sentence={closed.message} />;
  }
  return (
    <DeskProvider seat={seat}>
      <div className="frame dm">
        <Top seat={seat} />
        {closed !== null && (
          <p className="notice ember" role="alert">
            {closed.message}
          </p>
        )}
        {hasDocument ? (
          <Console seat={seat} />
        ) : (
          <main className="waiting">
            {waiting && <p className="tale">Nothing is being played at this table.</p>}
            <Campaigns seat={seat} />
          </main>
        )}
      </div>
    </DeskProvider>
  );
}

function Top({ seat }: { seat: Seat }) {
  const campaignId = useView(view => view.campaignId, null);
  const own = textOf(useView(view => view.document?.title, undefined));
  const title = own ?? campaignId ?? "The DM's console";
  const version = useView(view => view.version, 0);
  return (
    <Head title={title} named={`DM: ${title}`} aside={<Lamp />}>
      {version > 0 && <>Version {version} · </>}
      {campaignId !== null && (
        <>
          <a href={`replay?campaign_id=${encodeURIComponent(campaignId)}`}>Replay</a> ·{" "}
          <a href={`inspect?campaign_id=${encodeURIComponent(campaignId)}`}>Inspect</a> ·{" "}
        </>
      )}
      {seat.token === null ? "an open server" : "DM"}
    </Head>
  );
}

function Console({ seat }: { seat: Seat }) {
  const [shown, setShown] = useState<Shown>("Play");
  const rules = useRules();
  const [draft, setDraft] = useState<Draft | null>(null);
  const leased = useView(view => view.leased, false);
  const lease = useView(view => view.company.lease, null);
  return (
    <>
      {lease !== null && lease.lease !== null && !leased && (
        <p className="notice river small" role="status">
          {lease.name ?? lease.member ?? "Another"} is at the wheel: what you do here goes past
          them.
        </p>
      )}
      <Tabs name="Views" of={VIEWS} shown={shown} show={setShown} className="views" />
      <main className={`desk ${shown.toLowerCase()}`}>
        {shown === "Play" && (
          <>
            <section className="panel" aria-label="Characters">
              <Part name="The characters">
                <Quick rules={rules} />
              </Part>
            </section>
            <section className="panel story" aria-label="Story">
              <Part name="The scene">
                <Scene />
              </Part>
              <Part name="The story">
                <Story />
              </Part>
            </section>
            <section className="panel" aria-label="Table">
              <Inbox />
              <Crew />
              <Invite />
              <Part name="Another view">
                <SeeAs />
              </Part>
            </section>
          </>
        )}
        {shown === "Document" && (
          <>
            <Part name="The document">
              <Editor />
            </Part>
            <Part name="Another view">
              <SeeAs />
            </Part>
          </>
        )}
        {shown === "Visibility" && (
          <Part name="The rules">
            <RulesPanel rules={rules} draft={draft} setDraft={setDraft} />
          </Part>
        )}
        {shown === "Campaigns" && <Campaigns seat={seat} />}
      </main>
      <Tell />
    </>
  );
}
