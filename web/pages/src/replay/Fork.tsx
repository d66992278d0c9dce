/** Fork from a version: another campaign, which goes its own way from there. */

import { freshId } from "@questlog/client";
import { type FormEvent, useId, useMemo, useState } from "react";
import { sentenceOf } from "../shared/server.js";
import { nameOf } from "../shared/things.js";
import type { Archive } from "./archive.js";
import { type History, objectOf } from "./history.js";
import { Window } from "./Window.js";
import { clock, day } from "./words.js";

interface Of {
  server: Archive;
  campaignId: string;
  history: History;
  head: number;
  version: number;
  /** Whether the server asks for tokens: each names one campaign. */
  guarded: boolean;
  onClose: () => void;
}

export function Fork({ server, campaignId, history, head, version, guarded, onClose }: Of) {
  const [id, setId] = useState(`${campaignId}-${version}`);
  const [problem, setProblem] = useState<string | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const name = useId();
  // One key for each name: pressed again after a lost answer it is the same fork.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another name is another fork
  const key = useMemo(() => freshId(), [id, version]);
  const fork = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const { campaign_id } = await server.fork(campaignId, id.trim(), version, key);
      setMade(campaign_id);
      setProblem(null);
    } catch (error) {
      setProblem(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  if (made !== null) {
    const query = new URLSearchParams({ campaign_id: made, version: String(version) });
    return (
      <Window title="Forked" onClose={onClose}>
        <p role="status">
          <strong dir="auto">{made}</strong> goes its own way from version {version}.
        </p>
        {guarded ? (
          <>
            <p className="hush">It has seats of its own. A token for its DM is printed by:</p>
            <pre className="verbatim small">questlog token --campaign {quoted(made)} --role dm</pre>
          </>
        ) : (
          <p>
            <a href={`?${query}`}>Open it</a>
          </p>
        )}
      </Window>
    );
  }
  return (
    <Window title={`Fork from version ${version}`} onClose={onClose}>
      <Begins history={history} head={head} version={version} />
      <form className="stack" onSubmit={event => void fork(event)}>
        <p className="field">
          <label htmlFor={name}>The new campaign's id</label>
          <input
            id={name}
            value={id}
            maxLength={128}
            autoComplete="off"
            spellCheck={false}
            onChange={event => setId(event.target.value)}
          />
        </p>
        {problem !== null && (
          <p className="ember" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" className="main" disabled={busy || id.trim() === ""}>
          Fork
        </button>
      </form>
    </Window>
  );
}

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What it would begin with, and what stays out of it. */
function Begins({ history, head, version }: { history: History; head: number; version: number }) {
  const time = history.time(version);
  const scene = nameOf(objectOf(history.at(version)).scene);
  const later = head - version;
  return (
    <ul className="preview-of">
      <li>
        It begins as it was on {day(time)}, {clock(time)}
        {scene === null ? "." : `: ${scene}.`}
      </li>
      <li>
        {version === 1 ? "One event" : `${version} events`} of this log come along, with rules and
        suggestions as they were.
      </li>
      <li>
        {later === 0 ? "Nothing" : later === 1 ? "One later event" : `${later} later events`}{" "}
        {later > 1 ? "stay" : "stays"} out of it. This campaign is not changed.
      </li>
    </ul>
  );
}
