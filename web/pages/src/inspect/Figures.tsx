/** The server at a glance: who is here, who lags, what waits. */

import { useView } from "@questlog/react";
import { useEffect, useState } from "react";
import { CallError } from "../shared/server.js";
import type { Live, LiveConnection } from "./api.js";
import { useDesk } from "./desk.js";
import { sizeOf } from "./text.js";

const EVERY = 5_000;

type Told = { live: Live; problem: null } | { live: null; problem: string };

export function Figures() {
  const told = useLive();
  const campaignId = useView(view => view.campaignId, null);
  return (
    <div className="board figures-board">
      <h2>At a glance</h2>
      {told === null && <p className="hush">Asking the server…</p>}
      {told?.problem != null && <p className="hush small">{told.problem}</p>}
      {told?.live != null && <Shown live={told.live} campaignId={campaignId} />}
    </div>
  );
}

function Shown({ live, campaignId }: { live: Live; campaignId: string | null }) {
  const here = live.campaigns.find(each => each.campaign_id === campaignId);
  const members = here?.members ?? [];
  const connections = members.flatMap(each => each.connections);
  const slow = connections.filter(each => each.slow).length;
  const lag = Math.max(0, ...connections.map(each => each.lag));
  return (
    <>
      <dl className="glance">
        <Figure name="Here" value={members.filter(each => each.connections.length > 0).length} />
        <Figure name="Connections" value={connections.length} />
        <Figure name="Furthest behind" value={lag} warn={lag > 10} />
        <Figure
          name="Bytes waiting"
          value={sizeOf(connections.reduce((sum, each) => sum + each.outbox, 0))}
        />
        <Figure name="Slow" value={slow} warn={slow > 0} />
        <Figure name="Campaigns" value={live.campaigns.length} />
        <Figure name="At the door" value={live.waiting} />
      </dl>
      <details className="devices">
        <summary className="small">Every connection</summary>
        <ul>
          {members.map(each => (
            <li key={`${each.role} ${each.player_id}`} className="small">
              <strong dir="auto">{each.player_id ?? each.role}</strong>{" "}
              <span className="hush">{each.status ?? each.role}</span>
              {each.connections.map((one, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a connection has no name
                <span className="device" key={index}>
                  {deviceOf(one)}
                </span>
              ))}
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

function Figure({ name, value, warn }: { name: string; value: string | number; warn?: boolean }) {
  return (
    <div className={warn === true ? "figure ember" : "figure"}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function deviceOf({ transport, version, lag, outbox, slow, last_seen }: LiveConnection): string {
  const behind = lag === 0 ? "" : `, ${lag} behind`;
  const waits = outbox === 0 ? "" : `, ${sizeOf(outbox)} waiting`;
  return `${transport} at ${version}${behind}${waits}${slow ? ", slow" : ""}, heard ${Math.round(last_seen)} s ago`;
}

/** What `GET /api/live` says, every few seconds while somebody looks; null: nothing yet. */
function useLive(): Told | null {
  const { api } = useDesk();
  const live = useView(view => view.connection.state === "live", false);
  const [told, setTold] = useState<Told | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: this page's own connection counts too
  useEffect(() => {
    const ended = new AbortController();
    let refused = false;
    async function ask(): Promise<void> {
      if (document.hidden || refused) return;
      try {
        const patience = AbortSignal.any([ended.signal, AbortSignal.timeout(EVERY)]);
        setTold({ live: await api.live(patience), problem: null });
      } catch (error) {
        if (ended.signal.aborted) return;
        // Asked again it would say no again, and keep count.
        refused = error instanceof CallError && error.final;
        setTold({ live: null, problem: refused ? REFUSED : "No figures: the server is silent." });
      }
    }
    void ask();
    const timer = setInterval(() => void ask(), EVERY);
    document.addEventListener("visibilitychange", () => void ask(), { signal: ended.signal });
    return () => {
      ended.abort();
      clearInterval(timer);
    };
  }, [api, live]);
  return told;
}

const REFUSED =
  "The server keeps its figures to itself: it tells them to its own machine, and to a token made for them.";
