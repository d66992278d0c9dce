/** The campaigns there are: opened, put on a table, begun, brought in from a file. */

import { isObject, type JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { carrySeat, type Seat } from "../shared/seat.js";
import { callServer } from "./desk.js";

interface Campaign {
  campaign_id: string;
  title: string | null;
  version: number;
  table: string | null;
}

const EMPTY: JsonObject = { narrative: "", all_narratives: [], characters: {}, initiative: [] };

export function Campaigns({ seat }: { seat: Seat }) {
  const version = useView(view => view.version, 0);
  const [campaigns, setCampaigns] = useState<Campaign[]>([]);
  const [problem, setProblem] = useState<string | null>(null);

  const look = useCallback(async () => {
    const told = await callServer(seat, "GET", "campaigns");
    setCampaigns(told.campaigns as unknown as Campaign[]);
  }, [seat]);

  const attempt = useCallback(
    async (work: () => Promise<unknown>): Promise<boolean> => {
      setProblem(null);
      try {
        await work();
        await look();
        return true;
      } catch (error) {
        setProblem((error as Error).message);
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
            <Seating campaign={each} seat={seat} attempt={attempt} />
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
  seat,
  attempt,
}: {
  campaign: Campaign;
  seat: Seat;
  attempt: Attempt;
}) {
  const path = `campaigns/${encodeURIComponent(campaign.campaign_id)}`;
  return campaign.table === null ? (
    <button
      type="button"
      onClick={() => void attempt(() => callServer(seat, "POST", `${path}/activate`, {}))}
    >
      Play now
    </button>
  ) : (
    <button
      type="button"
      onClick={() => void attempt(() => callServer(seat, "POST", `${path}/deactivate`, {}))}
    >
      End the session
    </button>
  );
}

function Create({ seat, attempt }: { seat: Seat; attempt: Attempt }) {
  const [id, setId] = useState("");
  const [title, setTitle] = useState("");
  const [file, setFile] = useState<File | null>(null);

  async function create(event: FormEvent): Promise<void> {
    event.preventDefault();
    const done = await attempt(async () => {
      const structured_data = file === null ? EMPTY : documentOf(await file.text());
      const path = `campaigns/${encodeURIComponent(id.trim())}`;
      const named = title.trim() === "" ? {} : { title: title.trim() };
      await callServer(seat, "PUT", path, { structured_data, ...named });
    });
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
          From a file, JSON or a recording
          <input
            type="file"
            accept=".json,.jsonl,application/json"
            onChange={event => setFile(event.target.files?.[0] ?? null)}
          />
        </label>
        <button type="submit" className="main">
          Begin
        </button>
      </form>
    </details>
  );
}

/**
 * The document in a file: JSON as it is, or a recording's first.
 *
 * @throws Error: it is neither.
 */
function documentOf(text: string): JsonObject {
  for (const part of [text, text.split("\n", 1)[0] ?? ""]) {
    try {
      const value: unknown = JSON.parse(part);
      if (isObject(value)) return isObject(value.initial_state) ? value.initial_state : value;
    } catch {
      // A recording is a line of JSON after another: its first holds the document.
    }
  }
  throw new Error("The file holds no document.");
}
