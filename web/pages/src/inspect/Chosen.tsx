/** One event, with all that is recorded of it. */

import type { Operation } from "@questlog/client";
import { useEffect, useState } from "react";
import { useStore } from "../shared/store.js";
import type { LoggedEvent } from "./api.js";
import { useDesk } from "./desk.js";
import { toneOf } from "./text.js";
import { Value } from "./Value.js";

/** Operations shown at once. */
const PAGE = 200;

export function Chosen() {
  const desk = useDesk();
  const version = useStore(desk.chosen);
  const found = useEvent(version);
  if (version === null) {
    return (
      <div className="board">
        <h2>Event</h2>
        <p className="hush">Choose one of the events: it is opened here, with its patch.</p>
      </div>
    );
  }
  return (
    <div className="board">
      <div className="row">
        <h2>Event {version}</h2>
        <div className="steps">
          <button
            type="button"
            className="slim"
            disabled={version <= 1}
            onClick={() => desk.choose(version - 1)}
          >
            <span aria-hidden="true">←</span> Before
          </button>
          <button type="button" className="slim" onClick={() => desk.choose(version + 1)}>
            After <span aria-hidden="true">→</span>
          </button>
        </div>
      </div>
      {typeof found === "string" ? (
        <p className="hush" role="status">
          {found}
        </p>
      ) : (
        <Whole key={found.version} event={found} />
      )}
    </div>
  );
}

function Whole({ event }: { event: LoggedEvent }) {
  const [count, setCount] = useState(PAGE);
  const { patch } = event;
  return (
    <>
      <dl className="facts">
        <Fact name="Version">{event.version}</Fact>
        <Fact name="Kind">
          <span className={`kind ${toneOf(event.kind)}`}>{event.kind}</span>
        </Fact>
        <Fact name="Actor">
          {event.actor.member} <span className="hush">({event.actor.role})</span>
        </Fact>
        <Fact name="At">
          <time dateTime={event.at}>{event.at}</time>
        </Fact>
        <Fact name="Schema">{event.schema}</Fact>
        <Fact name="Id" long>
          {event.id}
        </Fact>
        <Fact name="Request" long>
          {event.request}
        </Fact>
        <Fact name="Hash" long>
          {event.hash}
        </Fact>
      </dl>
      <h3>Patch</h3>
      {patch.length === 0 ? (
        <p className="hush">Empty: the document stayed as it was.</p>
      ) : (
        <ol className="operations">
          {patch.slice(0, count).map((each, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: an event never changes
            <Step key={index} operation={each} version={event.version} />
          ))}
        </ol>
      )}
      {patch.length > count && (
        <button type="button" className="slim" onClick={() => setCount(count + PAGE)}>
          {patch.length - count} more operations
        </button>
      )}
      <h3>Data</h3>
      <Value value={event.data} name="the data" />
      <h3>Meta</h3>
      <Value value={event.meta} name="the meta" />
    </>
  );
}

function Fact({
  name,
  long = false,
  children,
}: {
  name: string;
  long?: boolean;
  children: React.ReactNode;
}) {
  return (
    <div className={long ? "long" : ""}>
      <dt>{name}</dt>
      <dd dir="auto">{children}</dd>
    </div>
  );
}

function Step({ operation, version }: { operation: Operation; version: number }) {
  const { op, path, from, value } = operation;
  return (
    <li className="operation">
      <span className={`op ${op}`}>{op}</span>
      <span className="places">
        {from !== undefined && (
          <>
            <Place pointer={from} version={version} gone /> <span aria-hidden="true">→</span>{" "}
          </>
        )}
        <Place pointer={path} version={version} gone={op === "remove"} />
      </span>
      {value !== undefined && <Value value={value} name={path} />}
    </li>
  );
}

/** A path that is asked about when it is pressed. */
function Place({
  pointer,
  version,
  gone = false,
}: {
  pointer: string;
  version: number;
  gone?: boolean;
}) {
  const desk = useDesk();
  // What an event took away is asked for as it was before; an end of a list is known by it alone.
  const appended = pointer.endsWith("/-");
  const at = gone ? version - 1 : appended ? version : desk.client.view.version;
  return (
    <button
      type="button"
      className="place"
      title="Who set this?"
      onClick={() => void desk.blame(pointer, at, version)}
    >
      <span className="unseen">Blame </span>
      {pointer === "" ? "the whole document" : pointer}
    </button>
  );
}

/** The event of a version; a sentence while it is not there. */
function useEvent(version: number | null): LoggedEvent | string {
  const { log } = useDesk();
  const [found, setFound] = useState<LoggedEvent | string>("");
  const { events } = useStore(log.store);
  const there = version !== null && (events.at(-1)?.version ?? 0) >= version;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was not there may come
  useEffect(() => {
    if (version === null) return;
    const ended = new AbortController();
    const set = (value: LoggedEvent | string) => {
      if (!ended.signal.aborted) setFound(value);
    };
    log.one(version, ended.signal).then(
      event => set(event ?? "There is no such event yet."),
      (error: unknown) => set(error instanceof Error ? error.message : "It cannot be read."),
    );
    return () => ended.abort();
  }, [version, log, there]);
  return typeof found !== "string" && found.version !== version ? "Reading it…" : found;
}
