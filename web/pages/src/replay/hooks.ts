/** Where the replay stands, how it moves on, and what is seen from there. */

import type { JsonObject } from "@questlog/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { sentenceOf } from "../shared/server.js";
import type { Archive, Session } from "./archive.js";
import { type Change, differences } from "./changes.js";
import { type History, objectOf } from "./history.js";

/** Nobody waits for what took the table an evening. */
const LONGEST_STEP = 2_000;
const SHORTEST_STEP = 16;
/** How long the scrubber rests before somebody else's view is asked for. */
const SETTLED = 120;
const ADDRESS_EVERY = 250;
const NEWS_EVERY = 10_000;
const VIEWS = 40;

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
    const apart = (history.time(version + 1) - history.time(version)) / speed;
    const wait = Math.max(SHORTEST_STEP, Math.min(LONGEST_STEP, apart));
    const timer = setTimeout(() => go(version + 1), wait);
    return () => clearTimeout(timer);
  }, [playing, version, head, speed, history, go]);
  const toggle = useCallback(() => {
    if (!playing && version >= head) go(1);
    setPlaying(!playing);
  }, [playing, version, head, go]);
  const stop = useCallback(() => setPlaying(false), []);
  return { playing, speed, setSpeed, toggle, stop };
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
      for (let shown = 0; shown !== this.wanted && !this.ended.signal.aborted; ) {
        const rested = this.wanted;
        await new Promise(resolve => setTimeout(resolve, SETTLED));
        // Of a scrubber that moves on; while it plays, what is there in time is shown.
        const version = this.wanted;
        if (rested !== version && !this.views.has(version) && Math.abs(version - rested) > 2) {
          continue;
        }
        const before = version > 1 ? await this.view(version - 1) : {};
        const document = await this.view(version);
        if (this.ended.signal.aborted) return;
        const changes = [...differences(before, document)];
        this.tell({ version, before, document, changes }, null);
        shown = version;
      }
    } catch (error) {
      if (!this.ended.signal.aborted) this.tell(null, sentenceOf(error));
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

/** The log goes on while it is looked at: what is new is taken up, and where one stands is kept. */
export function useNews(
  server: Archive,
  campaignId: string,
  history: History,
): { head: number; sessions: Session[]; refresh: () => Promise<void> } {
  const [head, setHead] = useState(history.head);
  const [sessions, setSessions] = useState<Session[]>([]);
  const refresh = useCallback(async () => {
    const before = history.head;
    await server.events(campaignId, before, page => history.add(page));
    setHead(history.head);
    if (history.head !== before) setSessions(await server.sessions(campaignId));
  }, [server, campaignId, history]);
  useEffect(() => {
    // A log without its sessions is a log nevertheless.
    void server.sessions(campaignId).then(setSessions, () => {});
    const timer = setInterval(() => {
      // Asked again in a while; what is there stays.
      if (!document.hidden) refresh().catch(() => {});
    }, NEWS_EVERY);
    return () => clearInterval(timer);
  }, [server, campaignId, refresh]);
  return { head, sessions, refresh };
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

const KEYS: Partial<Record<string, "play" | "back" | "on" | "first" | "last">> = {
  " ": "play",
  ArrowLeft: "back",
  ArrowRight: "on",
  Home: "first",
  End: "last",
};
