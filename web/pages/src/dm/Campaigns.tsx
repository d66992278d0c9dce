/** The campaigns there are: opened, put on a table, begun, brought in from a file. */

import type { JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { carrySeat, type Seat } from "../shared/seat.js";
import { placeOf, type Server, sentenceOf } from "../shared/server.js";
import { useDesk } from "./desk.js";
import { bringIn } from "./importing.js";

interface Campaign {
  campaign_id: string;
  title: string | null;
  version: number;
  table: string | null;
}

const EMPTY: JsonObject = { narrative: "", all_narratives: [], characters: {}, initiative: [] };

export function Campaigns({ seat }: { seat: Seat }) {
  const { server } = useDesk();
  const version = useView(view => view.version, 0);
  const [campaigns, setCampaigns] = useState<Campaign[]>([]);
  const [problem, setProblem] = useState<string | null>(null);

  const look = useCallback(async () => {
    setCampaigns((await server.call<{ campaigns: Campaign[] }>("/api/campaigns")).campaigns);
  }, [server]);

  const attempt = useCallback(
    async (work: () => Promise<unknown>): Promise<boolean> => {
      setProblem(null);
      try {
        await work();
        await look();
        return true;
      } catch (error) {
        setProblem(sentenceOf(error));
        return false;
      }
    },
    [look],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: looked at again at every version
  useEffect(() => {
    void attempt(async () => {});
  }, [attempt, version]);

  return (
    <div className="board">
      <h2>Campaigns</h2>
      {problem !== null && (
        <p className="ember small" role="alert">
          {problem}
        </p>
      )}
      <ul className="campaigns">
        {campaigns.map(each => (
          <li key={each.campaign_id}>
            <a
              href={`?campaign_id=${encodeURIComponent(each.campaign_id)}`}
              onClick={() => carrySeat(seat, "dm", each.campaign_id)}
              dir="auto"
            >
              {each.title ?? each.campaign_id}
            </a>
            <span className="hush small">
              version {each.version}
              {each.table !== null && `, at the table ${each.table}`}
            </span>
            <Seating campaign={each} server={server} attempt={attempt} />
          </li>
        ))}
        {campaigns.length === 0 && <li className="hush">There are none yet.</li>}
      </ul>
      <Create seat={seat} attempt={attempt} />
    </div>
  );
}

type Attempt = (work: () => Promise<unknown>) => Promise<boolean>;

function Seating({
  campaign,
  server,
  attempt,
}: {
  campaign: Campaign;
  server: Server;
  attempt: Attempt;
}) {
  const path = placeOf(campaign.campaign_id);
  return campaign.table === null ? (
    <button
      type="button"
      onClick={() => void attempt(() => server.call(`${path}/activate`, { body: {} }))}
    >
      Play now
    </button>
  ) : (
    <button
      type="button"
      onClick={() => void attempt(() => server.call(`${path}/deactivate`, { body: {} }))}
    >
      End the session
    </button>
  );
}

function Create({ seat, attempt }: { seat: Seat; attempt: Attempt }) {
  const { server } = useDesk();
  const [id, setId] = useState("");
  const [title, setTitle] = useState("");
  const [file, setFile] = useState<File | null>(null);
  /** How far an import has come; null: there is none. */
  const [steps, setSteps] = useState<number | null>(null);

  async function create(event: FormEvent): Promise<void> {
    event.preventDefault();
    const [campaignId, named] = [id.trim(), title.trim() === "" ? null : title.trim()];
    setSteps(0);
    const done = await attempt(async () => {
      if (file !== null) return bringIn(server, campaignId, named, file, setSteps);
      const body = { structured_data: EMPTY, ...(named === null ? {} : { title: named }) };
      return server.call(placeOf(campaignId), { method: "PUT", body });
    });
    setSteps(null);
    if (!done) return;
    carrySeat(seat, "dm", id.trim());
    location.search = `?campaign_id=${encodeURIComponent(id.trim())}`;
  }

  return (
    <details>
      <summary>Begin another</summary>
      <form className="create" onSubmit={event => void create(event)}>
        <label>
          Its id
          <input required value={id} onChange={event => setId(event.target.value)} />
        </label>
        <label>
          Its title
          <input value={title} onChange={event => setTitle(event.target.value)} />
        </label>
        <label>
          From a file: a document as JSON, or a recording (.jsonl, .gz)
          <input
            type="file"
            accept=".json,.jsonl,.gz,application/json"
            onChange={event => setFile(event.target.files?.[0] ?? null)}
          />
        </label>
        <button type="submit" className="main" disabled={steps !== null}>
          Begin
        </button>
        {steps !== null && steps > 0 && (
          <p className="hush small" role="status">
            {steps === 1 ? "One step" : `${steps} steps`} brought in…
          </p>
        )}
      </form>
    </details>
  );
}
