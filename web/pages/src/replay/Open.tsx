/** The way in: a seat, a campaign, and its log read from the beginning. */

import { useEffect, useState } from "react";
import { Closed } from "../shared/Closed.js";
import { carrySeat, type Seat } from "../shared/seat.js";
import { CallError, persist, sentenceOf } from "../shared/server.js";
import { type About, Archive, type Session } from "./archive.js";
import { History } from "./history.js";
import { type Opened, Replay } from "./Replay.js";
import { momentOf } from "./words.js";

type Doing =
  | { is: "reading"; read: number; of: number }
  | { is: "choosing"; campaigns: About[] }
  | { is: "closed"; code: string; sentence: string }
  | { is: "open"; opened: Opened };

export function Open({ seat }: { seat: Seat }) {
  const [doing, setDoing] = useState<Doing>({ is: "reading", read: 0, of: 0 });
  useEffect(() => {
    const ended = new AbortController();
    const tell = (now: Doing) => !ended.signal.aborted && setDoing(now);
    open(seat, ended.signal, tell).then(tell, (error: unknown) => {
      const code = error instanceof CallError ? error.code : "";
      tell({ is: "closed", code, sentence: sentenceOf(error) });
    });
    return () => ended.abort();
  }, [seat]);
  switch (doing.is) {
    case "open":
      return <Replay opened={doing.opened} />;
    case "closed":
      return <Closed code={doing.code} sentence={doing.sentence} />;
    case "choosing":
      return <Shelf campaigns={doing.campaigns} table={seat.table} choose={id => go(seat, id)} />;
    case "reading":
      return <Reading read={doing.read} of={doing.of} />;
  }
}

async function open(seat: Seat, signal: AbortSignal, tell: (now: Doing) => void): Promise<Doing> {
  const server = new Archive(seat);
  const { campaignId } = seat;
  if (campaignId !== null) {
    const opened = await read(seat, server, campaignId, signal, (read, of) =>
      tell({ is: "reading", read, of }),
    );
    return { is: "open", opened };
  }
  const found = await atTable(server, seat, signal);
  if (typeof found !== "string") return { is: "choosing", campaigns: found };
  go(seat, found);
  return { is: "reading", read: 0, of: 0 };
}

/** To the address that names a campaign: a link to a moment does. */
function go(seat: Seat, campaignId: string): void {
  carrySeat(seat, "dm", campaignId);
  const query = new URLSearchParams(location.search);
  query.set("campaign_id", campaignId);
  query.delete("table");
  location.replace(`?${query}`);
}

/** The campaign at the seat's table; where nothing is played there, all that the DM may know of. */
async function atTable(
  server: Archive,
  seat: Seat,
  signal: AbortSignal,
): Promise<string | About[]> {
  const campaigns = await server.campaigns(signal);
  return campaigns.find(each => each.table === seat.table)?.campaign_id ?? campaigns;
}

async function read(
  seat: Seat,
  server: Archive,
  campaignId: string,
  signal: AbortSignal,
  tell: (read: number, of: number) => void,
): Promise<Opened> {
  const { title } = await server.about(campaignId, signal);
  const history = new History();
  // Thousands of events on bad wifi: what is there of them stays, and the rest is asked for again.
  await persist(
    () =>
      server.events(
        campaignId,
        history.head,
        (page, head) => {
          history.add(page);
          tell(history.head, head);
        },
        signal,
      ),
    signal,
    () => tell(history.head, history.head + 1),
  );
  const query = new URLSearchParams(location.search);
  const wanted = query.get("as") ?? "dm";
  const as = isViewer(wanted) ? wanted : "dm";
  const { version, notice } = await beginning(server, campaignId, history, query);
  return {
    server,
    campaignId,
    title,
    history,
    version,
    notice: as === wanted ? notice : `There is no viewer ${wanted}: this is the DM's view.`,
    as: as === "dm" ? null : as,
    guarded: seat.token !== null,
  };
}

function isViewer(as: string): boolean {
  return ["dm", "player", "spectator"].includes(as) || /^player:./.test(as);
}

interface Beginning {
  version: number;
  /** Why it is not what the address says. */
  notice: string | null;
}

/** Where the address says, by version or moment; else where the latest session begins. */
async function beginning(
  server: Archive,
  campaignId: string,
  history: History,
  query: URLSearchParams,
): Promise<Beginning> {
  const { head } = history;
  const [version, at] = [query.get("version"), query.get("at")];
  if (version !== null) {
    const wanted = /^[0-9]+$/.test(version) ? Number(version) : 0;
    if (wanted >= 1 && wanted <= head) return { version: wanted, notice: null };
    return { version: head, notice: `There is no version ${version}: the log has 1 to ${head}.` };
  }
  if (at !== null) {
    // Without an offset, UTC: as the server and the commands read it.
    const moment = momentOf(at, "Z");
    if (moment !== null) return { version: history.versionAt(moment), notice: null };
    return { version: head, notice: `${at} is no moment: 2026-11-26T21:14:00Z is one.` };
  }
  const sessions: Session[] = await server.sessions(campaignId).catch(() => []);
  return { version: Math.min(head, sessions.at(-1)?.from_version ?? 1), notice: null };
}

function Reading({ read, of }: { read: number; of: number }) {
  return (
    <main className="waiting">
      <div className="candle" aria-hidden="true" />
      <p className="tale">Opening the log…</p>
      {of > 0 && (
        <progress aria-label="Events read" value={read} max={of}>
          {read} of {of}
        </progress>
      )}
    </main>
  );
}

function Shelf({
  campaigns,
  table,
  choose,
}: {
  campaigns: About[];
  table: string;
  choose: (campaignId: string) => void;
}) {
  return (
    <main className="waiting">
      <h1>Which game?</h1>
      <p className="hush">Nothing is being played at the table {table}.</p>
      {campaigns.length === 0 ? (
        <p>There is no campaign yet.</p>
      ) : (
        <ul className="options">
          {campaigns.map(({ campaign_id: id, title, version }) => (
            <li key={id}>
              <button type="button" onClick={() => choose(id)}>
                <span dir="auto">{title ?? id}</span>{" "}
                <span className="hush small">{version} events</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </main>
  );
}
