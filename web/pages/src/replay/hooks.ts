/** Where the replay stands, how it moves on, and what is seen from there. */

import type { JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { CallError, sentenceOf } from "../shared/server.js";
import type { Archive, Logged, Session } from "./archive.js";
import { type Change, differences } from "./changes.js";
import { type History, objectOf } from "./history.js";

/** Nobody waits for what took the table an evening. */
const LONGEST_STEP = 2_000;
const SHORTEST_STEP = 16;
/** How long the scrubber rests before somebody else's view is asked for. */
const SETTLED = 120;
const ADDRESS_EVERY = 250;
const AGAIN = 2_000;
export const FASTEST = 1_000_000_000;
const FASTEST_STEPS = 1_200;
const VIEWS = 40;
const SKIPPED = 4;

export interface Playback {
  playing: boolean;
  speed: number;
  setSpeed: (speed: number) => void;
  toggle: () => void;
  stop: () => void;
}

/** Play: a step after the other, as far apart as they were when it was played. */
export function usePlayback(
  history: History,
  version: number,
  head: number,
  go: (version: number) => void,
): Playback {
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(1);
  useEffect(() => {
    if (!playing) return;
    if (version >= head) {
      setPlaying(false);
      return;
    }
    const { to, wait } = stepFrom(history, version, head, speed);
    const timer = setTimeout(() => go(to), wait);
    return () => clearTimeout(timer);
  }, [playing, version, head, speed, history, go]);
  const toggle = useCallback(() => {
    if (!playing && version >= head) go(1);
    setPlaying(!playing);
  }, [playing, version, head, go]);
  const stop = useCallback(() => setPlaying(false), []);
  return { playing, speed, setSpeed, toggle, stop };
}

/** Where to go next, and after how long: several versions at once where they are too close to see. */
function stepFrom(history: History, version: number, head: number, speed: number) {
  // Even the longest log is over in a while: nobody watches thousands of events one by one.
  const most = speed === FASTEST ? Math.ceil(head / FASTEST_STEPS) : head;
  let [to, wait] = [version, 0];
  do {
    const apart = history.time(to + 1) - history.time(to);
    wait += Math.min(LONGEST_STEP, apart) / speed;
    to += 1;
  } while (wait < SHORTEST_STEP && to < head && to - version < most);
  return { to, wait: Math.max(SHORTEST_STEP, wait) };
}

/** What is on the stage: a document, and what the step to it changed. */
export interface Scenery {
  version: number;
  before: JsonObject;
  document: JsonObject;
  changes: Change[];
}

/** As the DM has it: out of the log, at once. */
export function useOwnView(history: History, version: number): Scenery {
  return useMemo(() => {
    const before = objectOf(history.at(version - 1));
    const document = objectOf(history.at(version));
    return { version, before, document, changes: [...differences(before, document)] };
  }, [history, version]);
}

interface Seen {
  as: string;
  scenery: Scenery | null;
  problem: string | null;
}

/**
 * As somebody else saw it: what the server says they did, and nothing of what this page knows.
 *
 * @param as whose view; null: nobody else's.
 */
export function useOthersView(
  server: Archive,
  campaignId: string,
  version: number,
  as: string | null,
): Omit<Seen, "as"> {
  const [seen, setSeen] = useState<Seen | null>(null);
  const looker = useRef<Looker | null>(null);
  useEffect(() => {
    if (as === null) return;
    const fetched = (at: number, signal: AbortSignal) => server.seenBy(campaignId, at, as, signal);
    const made = new Looker(fetched, (scenery, problem) => setSeen({ as, scenery, problem }));
    looker.current = made;
    return () => made.close();
  }, [server, campaignId, as]);
  useEffect(() => {
    if (as !== null) looker.current?.look(version);
  }, [as, version]);
  return seen?.as === as ? seen : { scenery: null, problem: null };
}

/** Fetches the views of one viewer: of those asked for meanwhile only the latest. */
class Looker {
  private wanted = 0;
  private busy = false;
  private readonly ended = new AbortController();
  private readonly views = new Map<number, JsonObject>();

  constructor(
    private readonly fetched: (version: number, signal: AbortSignal) => Promise<JsonObject>,
    private readonly tell: (scenery: Scenery | null, problem: string | null) => void,
  ) {}

  look(version: number): void {
    this.wanted = version;
    if (!this.busy) void this.work();
  }

  close(): void {
    this.ended.abort();
  }

  private async work(): Promise<void> {
    this.busy = true;
    try {
      let skipped = 0;
      for (let shown = 0; shown !== this.wanted && !this.ended.signal.aborted; ) {
        const rested = this.wanted;
        await new Promise(resolve => setTimeout(resolve, SETTLED));
        // Of a scrubber that moves on; while it plays, what is there in time is shown.
        const version = this.wanted;
        const moving = rested !== version && !this.views.has(version);
        // But not for ever: of a fast replay something is to be seen too.
        if (moving && Math.abs(version - rested) > 2 && skipped < SKIPPED) {
          skipped += 1;
          continue;
        }
        skipped = 0;
        const before = version > 1 ? await this.view(version - 1) : {};
        const document = await this.view(version);
        if (this.ended.signal.aborted) return;
        const changes = [...differences(before, document)];
        this.tell({ version, before, document, changes }, null);
        shown = version;
      }
    } catch (error) {
      if (this.ended.signal.aborted) return;
      this.tell(null, sentenceOf(error));
      if (!(error instanceof CallError && error.final)) {
        setTimeout(() => !this.ended.signal.aborted && this.look(this.wanted), AGAIN);
      }
    } finally {
      this.busy = false;
    }
  }

  private async view(version: number): Promise<JsonObject> {
    const known = this.views.get(version);
    if (known !== undefined) return known;
    const view = await this.fetched(version, this.ended.signal);
    this.views.set(version, view);
    for (const oldest of this.views.keys()) {
      if (this.views.size <= VIEWS) break;
      this.views.delete(oldest);
    }
    return view;
  }
}

/** Keep the address a link to this very moment. */
export function useAddress(campaignId: string, version: number, as: string | null): void {
  useEffect(() => {
    // Browsers refuse an address that changes with every step of a scrubber.
    const timer = setTimeout(() => {
      history.replaceState(null, "", addressOf(campaignId, version, as));
    }, ADDRESS_EVERY);
    return () => clearTimeout(timer);
  }, [campaignId, version, as]);
}

/** The address of a moment: never with a token. */
export function addressOf(campaignId: string, version: number, as: string | null): string {
  const query = new URLSearchParams({ campaign_id: campaignId, version: String(version) });
  if (as !== null) query.set("as", as);
  return `${location.pathname}?${query}`;
}

interface News {
  head: number;
  sessions: Session[];
  refresh: () => Promise<void>;
  /** Whether the log is not the one that was read, any more. */
  replaced: boolean;
}

/** The log goes on while it is looked at: what is new is taken up, and where one stands is kept. */
export function useNews(server: Archive, campaignId: string, history: History): News {
  const [head, setHead] = useState(history.head);
  const [sessions, setSessions] = useState<Session[]>([]);
  const [replaced, setReplaced] = useState(false);
  const refresh = useCallback(async () => {
    const last = history.event(history.head);
    const check = (known: Logged | undefined): void => {
      // A store that was put back from a backup has another log under the same name.
      if (last === undefined || known?.hash === last.hash) return;
      setReplaced(true);
      throw new Error("This is another log by now: open the page again.");
    };
    // The last one once more: it tells whether this is the same log.
    let pages = 0;
    const found = await server.events(campaignId, Math.max(0, history.head - 1), page => {
      if (pages === 0) check(page[0]);
      pages += 1;
      history.add(page);
    });
    if (found < (last?.version ?? 0)) check(undefined);
    setHead(history.head);
    if (history.head !== last?.version) setSessions(await server.sessions(campaignId));
  }, [server, campaignId, history]);
  useEffect(() => {
    // A log without its sessions is a log nevertheless.
    void server.sessions(campaignId).then(setSessions, () => {});
  }, [server, campaignId]);
  const told = useView(view => (view.campaignId === campaignId ? view.version : 0), 0);
  const connected = useView(view => view.connection.state === "live", false);
  const busy = useRef(false);
  const [tries, setTries] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: looked at again after each try
  useEffect(() => {
    if (!connected || replaced || told === history.head || busy.current) return;
    busy.current = true;
    const ended = (wait: number) => () =>
      setTimeout(() => {
        busy.current = false;
        setTries(count => count + 1);
      }, wait);
    refresh().then(ended(SETTLED), ended(AGAIN));
  }, [told, connected, replaced, history, refresh, tries]);
  return { head, sessions, refresh, replaced };
}

/** Space, arrows, Home and End, wherever the focus is but where they have a meaning of their own. */
export function useKeys(act: (key: "play" | "back" | "on" | "first" | "last") => void): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  }, [act]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const key = KEYS[event.key];
      const target = event.target instanceof Element ? event.target : null;
      if (key === undefined || target?.closest("dialog") != null) return;
      // What scrolls is scrolled by its own keys.
      const scrolls = target !== null && target !== document.body && isScroller(target);
      if (scrolls && key !== "back" && key !== "on") return;
      const range = target?.matches("input[type=range]") ?? false;
      // The scrubber goes by its arrows itself, and a button is pressed by its space.
      if (range ? key !== "play" : (target?.matches("input, textarea, select") ?? false)) return;
      if (key === "play" && (target?.closest("button, summary, a") ?? null) !== null) return;
      event.preventDefault();
      latest.current(key);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

function isScroller(element: Element): boolean {
  return element.hasAttribute("tabindex") && element.scrollHeight > element.clientHeight;
}

const KEYS: Partial<Record<string, "play" | "back" | "on" | "first" | "last">> = {
  " ": "play",
  ArrowLeft: "back",
  ArrowRight: "on",
  Home: "first",
  End: "last",
};
