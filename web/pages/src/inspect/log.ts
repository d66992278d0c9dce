/** The event log as far as it is loaded: a stretch without gaps that ends at the head. */

import type { CampaignClient, JsonObject } from "@questlog/client";
import { hasText } from "../shared/search.js";
import { persist, sentenceOf } from "../shared/server.js";
import { Store } from "../shared/store.js";
import type { Api, LoggedEvent } from "./api.js";
import type { Reader } from "./blame.js";

const PAGE = 200;
const LARGEST = 1_000;
/** A page that stays open for days does not keep a whole year's log. */
const MOST = 50_000;

export interface Loaded {
  campaignId: string | null;
  /** Oldest first. */
  events: readonly LoggedEvent[];
  /** Whether a page further back is on its way. */
  busy: boolean;
  /** Why there is nothing new; null: all is well. */
  problem: string | null;
}

const NOTHING: Loaded = { campaignId: null, events: [], busy: false, problem: null };

export class Log implements Reader {
  readonly store = new Store<Loaded>(NOTHING);
  private stopping = new AbortController();
  private pumping = false;

  constructor(
    private readonly api: Api,
    private readonly client: CampaignClient,
  ) {}

  /** Load what the client's view has moved to, from now on. */
  follow(): void {
    this.client.subscribe(() => this.moved());
    this.moved();
  }

  private get first(): number {
    return this.store.read().events[0]?.version ?? 0;
  }

  private get last(): number {
    return this.store.read().events.at(-1)?.version ?? 0;
  }

  private moved(): void {
    const { campaignId, version, document } = this.client.view;
    if (campaignId === null || document === null) return;
    if (campaignId !== this.store.read().campaignId || version < this.last) {
      this.stopping.abort();
      this.stopping = new AbortController();
      this.pumping = false;
      this.store.set({ ...NOTHING, campaignId });
    }
    if (version > this.last && !this.pumping) void this.pump(campaignId, this.stopping.signal);
  }

  private async pump(campaignId: string, signal: AbortSignal): Promise<void> {
    this.pumping = true;
    try {
      while (!signal.aborted && this.last < this.client.view.version) {
        const last = this.store.read().events.at(-1);
        // The last one once more: a store that was put back from a backup has another log.
        const after = last?.version ?? Math.max(0, this.client.view.version - PAGE) + 1;
        const page = await this.page(campaignId, after - 1, LARGEST, signal);
        if (signal.aborted) return;
        if (last !== undefined && page[0]?.hash !== last.hash) {
          this.store.set({ ...NOTHING, campaignId });
          continue;
        }
        const fresh = last === undefined ? page : page.slice(1);
        // The server knows of no such event after all.
        if (fresh.length === 0) return;
        const events = [...this.store.read().events, ...fresh];
        this.store.change({ events: events.slice(-MOST), problem: null });
      }
    } catch (error) {
      if (!signal.aborted) this.store.change({ problem: sentenceOf(error) });
    } finally {
      if (!signal.aborted) this.pumping = false;
    }
  }

  /** Load a page further back; false: there is none. */
  async older(): Promise<boolean> {
    const { campaignId, busy } = this.store.read();
    if (busy || campaignId === null || this.first <= 1) return false;
    const { signal } = this.stopping;
    this.store.change({ busy: true });
    try {
      const until = this.first - 1;
      const page = await this.between(Math.max(0, until - PAGE), until, signal);
      if (signal.aborted) return false;
      this.store.change({ events: [...page, ...this.store.read().events], problem: null });
      return true;
    } catch (error) {
      if (!signal.aborted) this.store.change({ problem: sentenceOf(error) });
      return false;
    } finally {
      if (!signal.aborted) this.store.change({ busy: false });
    }
  }

  async one(version: number, signal: AbortSignal): Promise<LoggedEvent | null> {
    return (await this.between(version - 1, version, signal))[0] ?? null;
  }

  async between(
    after: number,
    until: number,
    signal: AbortSignal,
  ): Promise<readonly LoggedEvent[]> {
    const { events, campaignId } = this.store.read();
    if (campaignId === null) return [];
    if (this.first > 0 && after + 1 >= this.first && until <= this.last) {
      return events.slice(after + 1 - this.first, until + 1 - this.first);
    }
    const found: LoggedEvent[] = [];
    while (after + found.length < until) {
      const begin = after + found.length;
      const page = await this.page(campaignId, begin, Math.min(LARGEST, until - begin), signal);
      if (page.length === 0) throw new Error(`There is no event after version ${begin}.`);
      found.push(...page);
    }
    return found;
  }

  async state(version: number, signal: AbortSignal): Promise<JsonObject> {
    const { view } = this.client;
    // A DM's view is the document itself.
    if (view.version === version && view.document !== null) return view.document;
    const campaignId = this.store.read().campaignId ?? "";
    return persist(() => this.api.state(campaignId, version, signal), signal, this.failed);
  }

  private page(
    campaignId: string,
    after: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<LoggedEvent[]> {
    return persist(() => this.api.events(campaignId, after, limit, signal), signal, this.failed);
  }

  private readonly failed = (sentence: string): void => {
    this.store.change({ problem: `${sentence} It is tried again.` });
  };
}

export interface Filter {
  kind: string;
  actor: string;
  text: string;
  path: string;
}

export const ALL: Filter = { kind: "", actor: "", text: "", path: "" };

/** Events as text, made once: a filter reads thousands at every key. */
const texts = new WeakMap<LoggedEvent, string>();

export function matches(event: LoggedEvent, filter: Filter): boolean {
  const { kind, actor, text, path } = filter;
  if (!event.kind.includes(kind.trim().toLowerCase())) return false;
  const who = `${event.actor.member} ${event.actor.role}`.toLowerCase();
  if (!who.includes(actor.trim().toLowerCase())) return false;
  if (!touches(event, path.trim())) return false;
  return text === "" || hasText(textOf(event), text);
}

/** Whether an event changed something at a path, or all that is around it. */
function touches({ patch }: LoggedEvent, path: string): boolean {
  const at = (place: string | undefined) =>
    place !== undefined && (place.startsWith(path) || path.startsWith(`${place}/`));
  return path === "" || patch.some(each => at(each.path) || at(each.from));
}

function textOf(event: LoggedEvent): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const made = JSON.stringify([event.patch, event.data, event.meta]).toLowerCase();
  texts.set(event, made);
  return made;
}
