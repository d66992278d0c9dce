/** The event stream, newest first, and what narrows it. */

import { useDeferredValue, useMemo, useState } from "react";
import { useStore } from "../shared/store.js";
import type { LoggedEvent } from "./api.js";
import { useDesk } from "./desk.js";
import { ALL, type Filter, matches } from "./log.js";
import { Rows } from "./Rows.js";

/** Pages that one look further back may take, where nothing is found. */
const PAGES = 20;

export function Stream() {
  const { log } = useDesk();
  const { events, busy, problem } = useStore(log.store);
  const [filter, setFilter] = useState<Filter>(ALL);
  const wanted = useDeferredValue(filter);
  const found = useMemo(
    () => events.filter(event => matches(event, wanted)).reverse(),
    [events, wanted],
  );
  const first = events[0]?.version ?? 0;
  const filtering = Object.values(filter).some(each => each !== "");

  /** Go back until something more is found, or enough has been looked through. */
  async function further(): Promise<void> {
    for (let page = 0; page < PAGES; page += 1) {
      const known = log.store.read().events[0]?.version ?? 0;
      if (!(await log.older())) return;
      const { events: now } = log.store.read();
      if (now.some(event => event.version < known && matches(event, filter))) return;
    }
  }

  return (
    <div className="board stream">
      <div className="row">
        <h2>The log</h2>
        <p className="hush small" role="status">
          {found.length === events.length ? "" : `${found.length} of `}
          {events.length} loaded
        </p>
      </div>
      <Filters filter={filter} onChange={setFilter} events={events} />
      {problem !== null && (
        <p className="ember small" role="alert">
          {problem}
        </p>
      )}
      {found.length === 0 ? (
        <p className="hush nothing">
          {events.length === 0 ? "Reading the log…" : "Nothing of that among these events."}
        </p>
      ) : (
        <Rows events={found} onEnd={filtering ? null : () => void log.older()} />
      )}
      <div className="row small">
        <span className="hush">
          {first > 1 ? `Read back to version ${first}` : first === 1 ? "Read to the beginning" : ""}
        </span>
        {first > 1 && (
          <button type="button" disabled={busy} onClick={() => void further()}>
            {busy ? "Reading…" : filtering ? "Look further back" : "Older"}
          </button>
        )}
      </div>
    </div>
  );
}

function Filters({
  filter,
  onChange,
  events,
}: {
  filter: Filter;
  onChange: (filter: Filter) => void;
  events: readonly LoggedEvent[];
}) {
  const kinds = useMemo(() => namesOf(events, event => event.kind), [events]);
  const actors = useMemo(() => namesOf(events, event => event.actor.member), [events]);
  const field = (name: keyof Filter, label: string, list: string[] = []) => (
    <>
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        value={filter[name]}
        list={list.length > 0 ? `known-${name}` : undefined}
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        onChange={event => onChange({ ...filter, [name]: event.target.value })}
      />
      {list.length > 0 && (
        <datalist id={`known-${name}`}>
          {list.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </>
  );
  return (
    // biome-ignore lint/a11y/useSemanticElements: no form is sent, and `search` is not known to all
    <div className="filters" role="search" aria-label="Filter the events">
      {field("kind", "Kind", kinds)}
      {field("actor", "Actor", actors)}
      {field("path", "Touches path")}
      {field("text", "Text in it")}
    </div>
  );
}

function namesOf(events: readonly LoggedEvent[], name: (event: LoggedEvent) => string): string[] {
  return [...new Set(events.map(name))].sort();
}
