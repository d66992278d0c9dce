/** The way in: a seat, a campaign, and its log read from the beginning. */

import { useCallback, useEffect, useState } from "react";
import { Closed } from "../shared/Closed.js";
import { carrySeat, leaveSeat, type Seat } from "../shared/seat.js";
import { CallError, sentenceOf } from "../shared/server.js";
import { type About, Archive, type Session } from "./archive.js";
import { History } from "./history.js";
import { type Opened, Replay } from "./Replay.js";

type Doing =
  | { is: "reading"; read: number; of: number }
  | { is: "choosing"; campaigns: About[] }
  | { is: "closed"; sentence: string }
  | { is: "open"; opened: Opened };

export function Open({ seat }: { seat: Seat }) {
  const [doing, setDoing] = useState<Doing>({ is: "reading", read: 0, of: 0 });
  const open = useCallback(
    async (chosen: string | null, signal: AbortSignal): Promise<void> => {
      const server = new Archive(seat);
      try {
        const campaignId = chosen ?? seat.campaignId ?? (await atTable(server, seat, signal));
        if (typeof campaignId !== "string") {
          setDoing({ is: "choosing", campaigns: campaignId });
          return;
        }
        // The address will name the campaign: the seat is to be found by that.
        if (seat.campaignId === null) carrySeat(seat, "dm", campaignId);
        const opened = await read(seat, server, campaignId, signal, (read, of) =>
          setDoing({ is: "reading", read, of }),
        );
        if (!signal.aborted) setDoing({ is: "open", opened });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof CallError && error.status === 401) leaveSeat(seat, "dm");
        setDoing({ is: "closed", sentence: sentenceOf(error) });
      }
    },
    [seat],
  );
  useEffect(() => {
    const ended = new AbortController();
    void open(null, ended.signal);
    return () => ended.abort();
  }, [open]);
  switch (doing.is) {
    case "open":
      return <Replay opened={doing.opened} />;
    case "closed":
      return <Closed sentence={doing.sentence} />;
    case "choosing":
      return (
        <Shelf
          campaigns={doing.campaigns}
          table={seat.table}
          choose={id => void open(id, new AbortController().signal)}
        />
      );
    case "reading":
      return <Reading read={doing.read} of={doing.of} />;
  }
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
  await server.events(
    campaignId,
    0,
    (page, head) => {
      history.add(page);
      tell(history.head, head);
    },
    signal,
  );
  const query = new URLSearchParams(location.search);
  const as = query.get("as");
  return {
    server,
    campaignId,
    title,
    history,
    version: await beginning(server, campaignId, history, query),
    as: as === "dm" ? null : as,
    guarded: seat.token !== null,
  };
}

/** Where the address says, by version or moment; else where the latest session begins. */
async function beginning(
  server: Archive,
  campaignId: string,
  history: History,
  query: URLSearchParams,
): Promise<number> {
  const version = Number(query.get("version") ?? Number.NaN);
  if (Number.isInteger(version)) return Math.max(1, Math.min(history.head, version));
  const moment = Date.parse(query.get("at") ?? "");
  if (!Number.isNaN(moment)) return history.versionAt(moment);
  const sessions: Session[] = await server.sessions(campaignId).catch(() => []);
  return Math.min(history.head, sessions.at(-1)?.from_version ?? 1);
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
