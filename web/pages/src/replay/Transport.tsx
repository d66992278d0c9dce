/** The scrubber over the whole log, and what moves it. */

import { type FormEvent, useId, useMemo, useState } from "react";
import type { Session } from "./archive.js";
import type { History } from "./history.js";
import { FASTEST, type Playback } from "./hooks.js";
import { clock, day, momentOf } from "./words.js";

const SPEEDS = [0.5, 1, 2, 5, 20, 100, 1_000];
const MINUTE = 60_000;

export function Transport({
  history,
  head,
  version,
  sessions,
  playback,
  go,
}: {
  history: History;
  head: number;
  version: number;
  sessions: readonly Session[];
  playback: Playback;
  go: (version: number) => void;
}) {
  const time = history.time(version);
  const session = sessionAt(sessions, version);
  const said = `Version ${version} of ${head}, ${day(time)}, ${clock(time)}`;
  const by = (step: number): void => {
    playback.stop();
    go(version + step);
  };
  return (
    <section className="transport" aria-label="Replay">
      <div className="track">
        <Marks sessions={sessions} head={head} version={version} />
        <input
          type="range"
          aria-label="Version"
          aria-valuetext={said}
          min={1}
          max={Math.max(head, 2)}
          step={1}
          value={version}
          disabled={head < 2}
          onChange={event => {
            playback.stop();
            go(event.target.valueAsNumber);
          }}
        />
      </div>
      <div className="controls">
        <div className="buttons">
          <button type="button" aria-label="To the beginning" onClick={() => by(-head)}>
            <Icon of="first" />
          </button>
          <button type="button" aria-label="A step back" onClick={() => by(-1)}>
            <Icon of="back" />
          </button>
          <button
            type="button"
            className="main"
            aria-label={playback.playing ? "Pause" : "Play"}
            onClick={playback.toggle}
          >
            <Icon of={playback.playing ? "pause" : "play"} />
          </button>
          <button type="button" aria-label="A step on" onClick={() => by(1)}>
            <Icon of="on" />
          </button>
          <button type="button" aria-label="To the end" onClick={() => by(head)}>
            <Icon of="last" />
          </button>
        </div>
        <p className="where" role={playback.playing ? undefined : "status"}>
          <strong>{version}</strong> <span className="hush">of {head}</span>
          <time className="small" dateTime={history.event(version)?.at}>
            <span className="date">{day(time)}, </span>
            {clock(time)}
          </time>
        </p>
        <label className="speed">
          <span className="unseen">Speed</span>
          <select
            value={playback.speed}
            onChange={event => playback.setSpeed(Number(event.target.value))}
          >
            {SPEEDS.map(each => (
              <option key={each} value={each}>
                {each}×
              </option>
            ))}
            <option value={FASTEST}>Fastest</option>
          </select>
        </label>
        <Sessions sessions={sessions} now={session} go={go} />
        <GoTo history={history} head={head} go={go} />
      </div>
    </section>
  );
}

// Drawn and not written: few fonts have these signs, and some have them in colours of their own.
const ICONS = {
  first: "M5 4h2v16H5zM20 4v16L8 12z",
  back: "M16 4v16L6 12z",
  play: "M7 4v16l12-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  on: "M8 4v16l10-8z",
  last: "M17 4h2v16h-2zM4 4v16l12-8z",
} as const;

function Icon({ of }: { of: keyof typeof ICONS }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={ICONS[of]} />
    </svg>
  );
}

/** Where on the log it was played: a band for each session. */
function Marks({
  sessions,
  head,
  version,
}: {
  sessions: readonly Session[];
  head: number;
  version: number;
}) {
  const now = sessionAt(sessions, version);
  const bands = useMemo(
    () =>
      sessions.map(({ number, from_version: from, to_version: to }) => {
        const left = shareOf(from, head);
        return { number, left, width: shareOf(to ?? head, head) - left };
      }),
    [sessions, head],
  );
  return (
    <div className="marks" aria-hidden="true">
      {bands.map(({ number, left, width }) => (
        <div
          key={number}
          className={number === now?.number ? "band lit" : "band"}
          style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
        />
      ))}
    </div>
  );
}

function shareOf(version: number, head: number): number {
  return head < 2 ? 0 : (version - 1) / (head - 1);
}

export function sessionAt(sessions: readonly Session[], version: number): Session | undefined {
  return sessions.findLast(
    each => each.from_version <= version && version <= (each.to_version ?? version),
  );
}

function Sessions({
  sessions,
  now,
  go,
}: {
  sessions: readonly Session[];
  now: Session | undefined;
  go: (version: number) => void;
}) {
  if (sessions.length === 0) return null;
  return (
    <label className="session">
      <span className="unseen">Session</span>
      <select
        value={now?.number ?? ""}
        onChange={event => {
          const chosen = sessions.find(each => each.number === Number(event.target.value));
          if (chosen !== undefined) go(chosen.from_version);
        }}
      >
        {now === undefined && <option value="">Between sessions</option>}
        {sessions.map(each => (
          <option key={each.number} value={each.number}>
            {each.title ?? `Session ${each.number}`} · {day(Date.parse(each.began_at))}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A version by its number, or a moment by day and time: what there was then. */
function GoTo({
  history,
  head,
  go,
}: {
  history: History;
  head: number;
  go: (version: number) => void;
}) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  const problem = useId();
  const jump = (event: FormEvent): void => {
    event.preventDefault();
    const version = versionOf(text, history, head);
    setWrong(version === null);
    if (version === null) return;
    setText("");
    go(version);
  };
  return (
    <form className="goto" onSubmit={jump}>
      <input
        aria-label="Go to a version, or a moment"
        aria-invalid={wrong}
        aria-describedby={wrong ? problem : undefined}
        placeholder="Go to 120, or 21:14"
        value={text}
        enterKeyHint="go"
        autoComplete="off"
        onChange={event => {
          setText(event.target.value);
          setWrong(false);
        }}
      />
      {wrong && (
        <p className="ember small" id={problem} role="alert">
          A version from 1 to {head}, a time, or a day and a time.
        </p>
      )}
    </form>
  );
}

function versionOf(text: string, history: History, head: number): number | null {
  const wanted = text.trim();
  if (/^#?[0-9]+$/.test(wanted)) {
    const version = Number(wanted.replace("#", ""));
    return version >= 1 && version <= head ? version : null;
  }
  // An hour alone is the latest there was, of an evening past midnight too.
  const hour = /^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$/.exec(wanted);
  if (hour !== null) {
    const moment = new Date(history.time(head));
    const [hours, minutes, seconds] = hour.slice(1).map(each => Number(each ?? 59));
    if ((hours ?? 0) > 23 || (minutes ?? 0) > 59 || (seconds ?? 0) > 59) return null;
    moment.setHours(hours ?? 0, minutes ?? 0, seconds ?? 59, 999);
    const last = moment.getTime();
    moment.setDate(moment.getDate() - 1);
    const before = moment.getTime();
    const after = last > history.time(head) + MINUTE && before >= history.time(1);
    return history.versionAt(after ? before : last);
  }
  const moment = momentOf(wanted, "");
  return moment === null ? null : history.versionAt(moment);
}
