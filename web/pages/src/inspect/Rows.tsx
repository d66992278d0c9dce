/**
 * Thousands of events, of which the page holds those that can be seen.
 *
 * Rows are of one height, so where each stands is known without drawing it. Who has scrolled back
 * stays where they are while events come in above.
 */

import { type KeyboardEvent, memo, useCallback, useLayoutEffect, useRef, useState } from "react";
import { useStore } from "../shared/store.js";
import type { LoggedEvent } from "./api.js";
import { useDesk } from "./desk.js";
import { clock, gist, toneOf } from "./text.js";

/** In rem, as in inspect.css: a reader's larger letters have larger rows. */
const HEIGHT = 3.5;
const BEYOND = 6;
const JUMP = 8;
const KEYS: Record<string, number> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: JUMP,
  PageUp: -JUMP,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

export function Rows({
  events,
  onEnd,
}: {
  /** Newest first. */
  events: readonly LoggedEvent[];
  onEnd: (() => void) | null;
}) {
  const desk = useDesk();
  const chosen = useStore(desk.chosen);
  const place = useRef<HTMLDivElement>(null);
  const { row, view, top, seen, goTo } = useScroll(place, events);
  const from = Math.max(0, Math.floor(top / row) - BEYOND);
  const until = Math.min(events.length, Math.ceil((top + view) / row) + BEYOND);
  const shown = events.slice(from, until);
  const active = shown.some(each => each.version === chosen) ? `event-${chosen}` : undefined;
  const choose = useCallback(
    (version: number) => {
      place.current?.focus();
      desk.choose(version);
    },
    [desk],
  );

  function press(event: KeyboardEvent): void {
    if (event.key === "Enter" && chosen !== null) desk.choose(chosen);
    const by = KEYS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const now = events.findIndex(each => each.version === chosen);
    const next = now < 0 ? 0 : Math.min(events.length - 1, Math.max(0, now + by));
    // Looked at beside the list, where there is room; Enter turns to it where there is none.
    desk.chosen.set(events[next]?.version ?? null);
    goTo(next);
  }

  return (
    <div className="rolls">
      <div
        className="roll"
        ref={place}
        role="listbox"
        aria-label="Events, newest first"
        aria-activedescendant={active}
        tabIndex={0}
        onKeyDown={press}
        onScroll={() => {
          seen();
          const element = place.current;
          if (element === null || onEnd === null) return;
          if (element.scrollHeight - element.scrollTop - element.clientHeight < row) onEnd();
        }}
      >
        <div role="presentation" className="rows" style={{ height: events.length * row }}>
          {shown.map((event, index) => (
            <Row
              key={event.version}
              event={event}
              top={(from + index) * row}
              place={from + index + 1}
              size={events.length}
              chosen={event.version === chosen}
              onChoose={choose}
            />
          ))}
        </div>
      </div>
      {top > row && (
        <button type="button" className="newer main" onClick={() => goTo(0)}>
          Newest ↑
        </button>
      )}
    </div>
  );
}

/** Where the list stands, and what keeps it there when events come in above. */
function useScroll(place: React.RefObject<HTMLDivElement | null>, events: readonly LoggedEvent[]) {
  const [{ row, view, top }, setSeen] = useState({ row: 16 * HEIGHT, view: 800, top: 0 });
  /** The event at the upper edge, and how far it is scrolled; null: the newest are looked at. */
  const anchor = useRef<{ version: number; by: number } | null>(null);

  const seen = useCallback(() => {
    const element = place.current;
    if (element === null) return;
    const letters = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const height = letters * HEIGHT;
    const at = element.scrollTop;
    const first = events[Math.floor(at / height)];
    anchor.current =
      at < 1 || first === undefined ? null : { version: first.version, by: at % height };
    const now = { row: height, view: element.clientHeight, top: at };
    setSeen(was =>
      was.row === now.row && was.view === now.view && was.top === now.top ? was : now,
    );
  }, [events, place]);

  useLayoutEffect(() => {
    const element = place.current;
    const held = anchor.current;
    if (element === null) return;
    if (held !== null) {
      const index = events.findIndex(each => each.version <= held.version);
      const at = Math.max(0, index) * row + held.by;
      if (Math.abs(element.scrollTop - at) >= 1) element.scrollTop = at;
    }
    seen();
    const watching = new ResizeObserver(seen);
    watching.observe(element);
    return () => watching.disconnect();
  }, [events, place, row, seen]);

  /** Bring a row into view, no further than it takes. */
  const goTo = (index: number) => {
    const element = place.current;
    if (element === null) return;
    const [above, below] = [index * row, (index + 1) * row - element.clientHeight];
    if (index === 0 || element.scrollTop > above) element.scrollTop = above;
    else if (element.scrollTop < below) element.scrollTop = below;
  };

  return { row, view, top, seen, goTo };
}

const Row = memo(function Row({
  event,
  top,
  place,
  size,
  chosen,
  onChoose,
}: {
  event: LoggedEvent;
  top: number;
  place: number;
  size: number;
  chosen: boolean;
  onChoose: (version: number) => void;
}) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys of all its rows
    <div
      role="option"
      id={`event-${event.version}`}
      className="event"
      aria-selected={chosen}
      aria-posinset={place}
      aria-setsize={size}
      tabIndex={-1}
      style={{ top }}
      onClick={() => onChoose(event.version)}
    >
      <span className="version">{event.version}</span>
      <span className="what">
        <span className={`kind ${toneOf(event.kind)}`}>{event.kind}</span>
        <time className="hush small" dateTime={event.at}>
          {clock(new Date(event.at))}
        </time>
      </span>
      <span className="gist small" dir="auto">
        <span className="actor">{event.actor.member}</span> {gist(event)}
      </span>
    </div>
  );
});
