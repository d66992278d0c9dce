/** Rewind to a version: first what it would change and who has seen what it undoes, then for good. */

import { applyPatch, freshId, isObject, type Json, parsePointer } from "@questlog/client";
import { useEffect, useId, useMemo, useState } from "react";
import { charactersOf } from "../shared/document.js";
import { CallError, sentenceOf } from "../shared/server.js";
import { label } from "../shared/things.js";
import type { Archive, Preview, Seen } from "./archive.js";
import { ChangeList } from "./Changes.js";
import { differences, placeName } from "./changes.js";
import { type History, objectOf } from "./history.js";
import { Window } from "./Window.js";
import { viewerName } from "./words.js";

const NAMED = 6;

interface Of {
  server: Archive;
  campaignId: string;
  history: History;
  version: number;
  /** Take up what is new in the log. */
  refresh: () => Promise<void>;
  /** It is done, by the event of this version. */
  onDone: (version: number) => void;
  onClose: () => void;
}

export function Rewind({ server, campaignId, history, version, refresh, onDone, onClose }: Of) {
  const [only, setOnly] = useState("");
  const [asked, setAsked] = useState(0);
  const [preview, setPreview] = useState<Preview | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  /** What came between: it stays until another press. */
  const [notice, setNotice] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  // One id for each preview: whoever presses twice, or again after a lost answer, rewinds once.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another preview is another rewind
  const id = useMemo(() => freshId(), [preview]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again after something came between
  useEffect(() => {
    let gone = false;
    setPreview(null);
    const ask = async (): Promise<void> => {
      const told = await server.preview(campaignId, version, only === "" ? null : only);
      // What it would change is told from the document it was made for: the log must have that.
      await refresh();
      if (gone) return;
      setPreview(told);
      setProblem(null);
    };
    ask().catch((error: unknown) => {
      if (!gone) setProblem(sentenceOf(error));
    });
    return () => {
      gone = true;
    };
  }, [server, campaignId, version, only, asked, refresh]);

  const confirm = async (): Promise<void> => {
    if (preview === null) return;
    setBusy(true);
    setNotice(null);
    try {
      const done = await server.rewind(campaignId, preview, id);
      await refresh();
      onDone(done.version);
    } catch (error) {
      setBusy(false);
      if (error instanceof CallError && error.code === "version_conflict") {
        setNotice("Something happened in the meantime. This is what it would change now.");
        setAsked(asked + 1);
      } else setProblem(sentenceOf(error));
    }
  };

  return (
    <Window title={`Rewind to version ${version}`} onClose={onClose}>
      <p className="hush small">
        What was is not taken out of the log: one more event brings it back, and may be rewound
        itself.
      </p>
      <Parts history={history} version={version} only={only} setOnly={setOnly} />
      {[notice, problem].map(
        each =>
          each !== null && (
            <p className="ember" role="alert" key={each}>
              {each}
            </p>
          ),
      )}
      {preview === null ? (
        problem === null && <p className="hush">Asking what it would change…</p>
      ) : (
        <Previewed preview={preview} document={history.at(preview.version)} />
      )}
      <button
        type="button"
        className="main"
        disabled={preview === null || busy}
        onClick={() => void confirm()}
      >
        Rewind to version {version}
      </button>
    </Window>
  );
}

/** What to bring back: all of it, a character, or another member of the document. */
function Parts({
  history,
  version,
  only,
  setOnly,
}: {
  history: History;
  version: number;
  only: string;
  setOnly: (only: string) => void;
}) {
  const name = useId();
  const parts = useMemo(() => {
    const [then, now] = [objectOf(history.at(version)), objectOf(history.at(history.head))];
    // In a list one's place may be another's by now: it comes back as a whole, or not.
    const people = [now, then]
      .filter(({ characters }) => isObject(characters))
      .flatMap(({ characters }) => charactersOf(characters))
      .map(each => [each.pointer, each.name] as const);
    const members = Object.keys({ ...now, ...then }).map(
      each => [`/${each.replaceAll("~", "~0").replaceAll("/", "~1")}`, label(each)] as const,
    );
    return new Map([...people, ...members]);
  }, [history, version]);
  return (
    <p className="field">
      <label htmlFor={name}>What comes back</label>
      <select id={name} value={only} onChange={event => setOnly(event.target.value)}>
        <option value="">Everything</option>
        {[...parts].map(([pointer, called]) => (
          <option key={pointer} value={pointer}>
            {called} alone
          </option>
        ))}
      </select>
    </p>
  );
}

function Previewed({ preview, document }: { preview: Preview; document: Json }) {
  const changes = useMemo(
    () => [...differences(document, applyPatch(document, preview.patch))],
    [document, preview.patch],
  );
  return (
    <div className="preview">
      <h3>What would change</h3>
      <ChangeList changes={changes} document={document} none="Nothing: it is as it was then." />
      <h3>Who has seen what would be undone</h3>
      {preview.seen.length === 0 ? (
        <p className="hush">Nobody was sent anything later.</p>
      ) : (
        <ul className="seen">
          {preview.seen.map(each => (
            <Witness key={`${each.role} ${each.player_id}`} seen={each} document={document} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Witness({ seen, document }: { seen: Seen; document: Json }) {
  const as = seen.player_id === null ? seen.role : `player:${seen.player_id}`;
  // In their view a list's members may stand at other places: of a list it is said as a whole.
  const told = seen.patch.map(({ path }) => {
    const tokens = parsePointer(path);
    const number = tokens.findIndex(token => /^(?:[0-9]+|-)$/.test(token));
    return placeName(number < 0 ? tokens : tokens.slice(0, number), document);
  });
  const places = [...new Set(told)];
  const more = places.length - NAMED;
  return (
    <li>
      <strong dir="auto">{viewerName(as)}</strong>{" "}
      <span className="hush small">was sent version {seen.version}</span>
      <p className="small" dir="auto">
        {places.length === 0
          ? "Nothing of what they see would change."
          : `They would see change: ${places.slice(0, NAMED).join("; ")}${more > 0 ? `; and ${more} more` : ""}.`}
      </p>
    </li>
  );
}
