/**
 * The log as a list. Of thousands of events only those in sight are elements of the page.
 */

import { useDeferredValue, useLayoutEffect, useMemo, useRef, useState } from "react";
import { hasText } from "../shared/search.js";
import type { Logged, Session } from "./archive.js";
import type { History } from "./history.js";
import { actorName, clock, day, hour } from "./words.js";

const ROW = 44;
const BEYOND = 6;
const LEAP = 10;

export function Events({
  history,
  head,
  version,
  sessions,
  go,
}: {
  history: History;
  head: number;
  version: number;
  sessions: readonly Session[];
  go: (version: number) => void;
}) {
  const [wanted, setWanted] = useState("");
  const search = useDeferredValue(wanted.trim().toLowerCase());
  const found = useMemo(() => matching(history, search, head), [history, search, head]);
  const count = found?.length ?? head;
  const place = found === null ? version - 1 : placeIn(found, version);
  const begins = useMemo(
    () => new Map(sessions.map(each => [each.from_version, each.title ?? `${each.number}`])),
    [sessions],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const looked = (): void =>
      setSight({ top: element.scrollTop, height: element.clientHeight || 600 });
    const resized = new ResizeObserver(looked);
    resized.observe(element);
    return () => resized.disconnect();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: also where the list is another
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null || element.clientHeight === 0) return;
    const [top, height] = [place * ROW, element.clientHeight];
    if (top >= element.scrollTop && top + ROW <= element.scrollTop + height) return;
    element.scrollTop = top - height / 2;
    setSight({ top: element.scrollTop, height });
  }, [place, found, sight.height]);
  const first = Math.max(0, Math.floor(sight.top / ROW) - BEYOND);
  const last = Math.min(count, Math.ceil((sight.top + sight.height) / ROW) + BEYOND);
  const rows = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
  const to = (next: number): void => {
    const bounded = Math.max(0, Math.min(count - 1, next));
    go(found === null ? bounded + 1 : (found[bounded] ?? version));
  };
  return (
    <div className="board log">
      <div className="row">
        <h2>Events</h2>
        <input
          type="search"
          aria-label="Search the events"
          placeholder="Search"
          value={wanted}
          onChange={event => setWanted(event.target.value)}
        />
      </div>
      {found !== null && (
        <p className="hush small" role="status">
          {count === 0 ? "Nothing of that." : `${count} of ${head}`}
        </p>
      )}
      <div
        className="events"
        ref={scroller}
        role="listbox"
        aria-label="Events of the log"
        tabIndex={0}
        aria-activedescendant={place >= first && place < last ? `event-${place}` : undefined}
        onScroll={event => {
          const { scrollTop, clientHeight } = event.currentTarget;
          setSight({ top: scrollTop, height: clientHeight });
        }}
        onKeyDown={event => {
          const by = STEPS[event.key];
          if (by === undefined) return;
          event.preventDefault();
          to(place + by);
        }}
      >
        <div role="presentation" style={{ height: `${count * ROW}px` }}>
          {rows.map(row => {
            const one = history.event(found === null ? row + 1 : (found[row] as number));
            if (one === undefined) return null;
            return (
              <Row
                key={row}
                row={row}
                count={count}
                event={one}
                time={history.time(one.version)}
                session={begins.get(one.version)}
                chosen={row === place && one.version === version}
                go={go}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

const STEPS: Partial<Record<string, number>> = {
  ArrowUp: -1,
  ArrowDown: 1,
  PageUp: -LEAP,
  PageDown: LEAP,
};

function Row({
  row,
  count,
  event,
  time,
  session,
  chosen,
  go,
}: {
  row: number;
  count: number;
  event: Logged;
  time: number;
  session: string | undefined;
  chosen: boolean;
  go: (version: number) => void;
}) {
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and says which is meant
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the list's
    <div
      role="option"
      id={`event-${row}`}
      className={`event${session === undefined ? "" : " begins"}`}
      aria-selected={chosen}
      aria-setsize={count}
      aria-posinset={row + 1}
      style={{ top: `${row * ROW}px`, height: `${ROW}px` }}
      onClick={() => go(event.version)}
    >
      <span className="number">{event.version}</span>
      <span className="what">
        <span className="kind" dir="auto">
          {event.kind}
        </span>
        <span className="hush small" dir="auto">
          {session === undefined ? "" : `Session: ${session} · `}
          {actorName(event.actor)}
        </span>
      </span>
      <time className="hush small" dateTime={event.at} title={`${day(time)}, ${clock(time)}`}>
        {hour(time)}
      </time>
    </div>
  );
}

const TEXTS = new WeakMap<Logged, string>();

/** The versions whose events have a text; null where there is none to look for. */
function matching(history: History, search: string, head: number): number[] | null {
  if (search === "") return null;
  const found: number[] = [];
  for (let version = 1; version <= head; version += 1) {
    const event = history.event(version);
    if (event === undefined) break;
    let text = TEXTS.get(event);
    if (text === undefined) {
      const { kind, actor, patch, data } = event;
      text = JSON.stringify([kind, actor.member, patch, data]).toLowerCase();
      TEXTS.set(event, text);
    }
    if (hasText(text, search)) found.push(version);
  }
  return found;
}

/** The place of the latest of `found` up to a version. */
function placeIn(found: readonly number[], version: number): number {
  return found.findLastIndex(each => each <= version);
}
