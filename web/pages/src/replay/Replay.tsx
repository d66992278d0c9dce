import { useCallback, useDeferredValue, useState } from "react";
import { Head } from "../shared/Head.js";
import { Lamp } from "../shared/Lamp.js";
import { Tabs } from "../shared/Tabs.js";
import { textOf } from "../shared/things.js";
import type { Archive } from "./archive.js";
import { Step } from "./Changes.js";
import { Charts } from "./Charts.js";
import { Events } from "./Events.js";
import { Fork } from "./Fork.js";
import type { History } from "./history.js";
import {
  addressOf,
  useAddress,
  useKeys,
  useNews,
  useOthersView,
  useOwnView,
  usePlayback,
} from "./hooks.js";
import { Rewind } from "./Rewind.js";
import { Stage } from "./Stage.js";
import { Transport } from "./Transport.js";
import { Viewer } from "./Viewer.js";
import { viewerName } from "./words.js";

const PANELS = ["Moment", "Changes", "Events", "Charts"] as const;
type Panel = (typeof PANELS)[number];

export interface Opened {
  server: Archive;
  campaignId: string;
  title: string | null;
  history: History;
  /** Where to begin, and through whose eyes: what the address says. */
  version: number;
  as: string | null;
  guarded: boolean;
  /** Why that is not quite what the address says. */
  notice: string | null;
}

/** The replay: everything at once on a wide screen, one panel at a time on a phone. */
export function Replay({ opened }: { opened: Opened }) {
  const { server, campaignId, history } = opened;
  const { head, sessions, refresh, replaced } = useNews(server, campaignId, history);
  const [version, setVersion] = useState(opened.version);
  const [as, setAs] = useState(opened.as);
  const [panel, setPanel] = useState<Panel>("Moment");
  const [asking, setAsking] = useState<"rewind" | "fork" | null>(null);
  const go = useCallback(
    (to: number) => setVersion(Math.max(1, Math.min(history.head, Math.round(to)))),
    [history],
  );
  const playback = usePlayback(history, version, head, go);
  const { toggle, stop } = playback;
  useKeys(
    useCallback(
      key => {
        if (key === "play") return toggle();
        stop();
        go({ back: version - 1, on: version + 1, first: 1, last: history.head }[key]);
      },
      [toggle, stop, go, version, history],
    ),
  );
  useAddress(campaignId, version, as);
  // The scrubber goes first: what it stands at is put on the stage as fast as that can be drawn.
  const staged = useDeferredValue(version);
  const own = useOwnView(history, staged);
  const theirs = useOthersView(server, campaignId, version, as);
  const scenery = as === null ? own : theirs.scenery;
  const title = textOf(scenery?.document.title) ?? opened.title ?? campaignId;
  const jump = useCallback(
    (to: number) => {
      stop();
      go(to);
    },
    [stop, go],
  );
  return (
    <div className="frame replay" data-panel={panel}>
      <Head
        title={title}
        named={`${title} · Replay`}
        aside={
          <div className="viewer">
            <Lamp />
            <Viewer as={as} setAs={setAs} history={history} head={head} sessions={sessions} />
          </div>
        }
      />
      {replaced && (
        <p className="notice ember small" role="alert">
          This is another log by now.{" "}
          <button type="button" className="slim" onClick={() => location.reload()}>
            Read it anew
          </button>
        </p>
      )}
      {opened.notice !== null && (
        <p className="notice ember small" role="alert">
          {opened.notice}
        </p>
      )}
      <main className="panels">
        <section
          className="panel moment"
          data-name="Moment"
          aria-label="Moment"
          aria-busy={scenery === null || scenery.version !== version}
        >
          {theirs.problem !== null && as !== null && (
            <p className="ember" role="alert">
              {theirs.problem}
            </p>
          )}
          {as !== null && theirs.problem === null && (
            <p className="hush small" role="status">
              {scenery === null ? "Asking the server what" : "What"} {viewerName(as)}{" "}
              {scenery === null ? "saw…" : `saw at version ${scenery.version}`}
            </p>
          )}
          {scenery !== null && <Stage scenery={scenery} />}
        </section>
        <section className="panel" data-name="Changes" aria-label="Changes">
          <div className="from-here">
            {as === null && (
              <>
                <button
                  type="button"
                  onClick={() => setAsking("rewind")}
                  disabled={version === head}
                >
                  Rewind to here…
                </button>
                <button type="button" onClick={() => setAsking("fork")}>
                  Fork…
                </button>
              </>
            )}
            <CopyLink path={addressOf(campaignId, version, as)} />
          </div>
          {scenery !== null && (
            <Step
              event={history.event(scenery.version)}
              changes={scenery.changes}
              // What is gone is named by what it was.
              document={scenery.version > 1 ? scenery.before : scenery.document}
              own={as === null}
            />
          )}
        </section>
        <section className="panel" data-name="Events" aria-label="Events">
          {as === null ? (
            <Events history={history} head={head} version={staged} sessions={sessions} go={jump} />
          ) : (
            <p className="board hush">
              The log tells what only the DM knows. It is here again in the DM's view.
            </p>
          )}
        </section>
        <section
          className="panel"
          data-name="Charts"
          aria-label="Charts"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
          tabIndex={0}
        >
          {as === null ? (
            <Charts history={history} head={head} version={staged} go={jump} />
          ) : (
            <p className="board hush">So do the charts.</p>
          )}
        </section>
      </main>
      <footer className="hand">
        <Transport
          history={history}
          head={head}
          version={version}
          sessions={sessions}
          playback={playback}
          go={go}
        />
        <Tabs name="Panels" of={PANELS} shown={panel} show={setPanel} />
      </footer>
      {asking === "rewind" && (
        <Rewind
          server={server}
          campaignId={campaignId}
          history={history}
          version={version}
          refresh={refresh}
          onDone={done => {
            setAsking(null);
            jump(done);
          }}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "fork" && (
        <Fork
          server={server}
          campaignId={campaignId}
          history={history}
          head={head}
          version={version}
          guarded={opened.guarded}
          onClose={() => setAsking(null)}
        />
      )}
    </div>
  );
}

/** A link to this very moment; where the browser lets nobody copy, it is there to be copied. */
function CopyLink({ path }: { path: string }) {
  const [copied, setCopied] = useState<string | null>(null);
  const [shown, setShown] = useState(false);
  const link = new URL(path, location.href).href;
  const copy = (): void => {
    const done = navigator.clipboard?.writeText(link) ?? Promise.reject(new Error("no clipboard"));
    done.then(
      () => setCopied(link),
      () => setShown(true),
    );
  };
  return (
    <>
      <button type="button" onClick={copy}>
        {copied === link ? "Copied" : "Copy link"}
      </button>
      {shown && <input readOnly aria-label="A link to this moment" value={link} />}
    </>
  );
}
