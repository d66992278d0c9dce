/**
 * The client: what a program calls, and what keeps its replica connected.
 *
 *     const client = new CampaignClient({ url: location.origin, campaignId: "the-drowned-bell" });
 *     client.subscribe(() => console.log(client.view.version, client.view.document));
 *     client.start();
 */

import { Backoff } from "./backoff.js";
import { PATIENCE, type Patience, type World } from "./carrier.js";
import { ClosedError, RejectedError } from "./closing.js";
import { type Connection, type ConnectionState, sameConnection } from "./connection.js";
import { freshId, subjectOf } from "./ids.js";
import { Keeper } from "./keeper.js";
import { Ladder, WAYS, type Way } from "./ladder.js";
import { Line } from "./line.js";
import type {
  ClientMessage,
  CommitMessage,
  Committed,
  DecideMessage,
  SuggestMessage,
} from "./messages.js";
import { type Effect, type Held, Replica } from "./replica.js";
import { defaultStorage, type Kept, type Storage } from "./storage.js";
import type { JsonObject } from "./values.js";
import type { Refused, View } from "./view.js";
import { isOffline, watchWorld } from "./world.js";

export interface ClientOptions {
  /** The server, `http://HOST:PORT`, with a prefix or none. */
  url: string;
  /** The campaign to follow; none: whatever is played at `table`. */
  campaignId?: string | null;
  table?: string;
  role?: "player" | "dm";
  playerId?: string | null;
  /**
   * The token to show; none: nobody in particular.
   *
   * @param refused null at first; later, the one that the server takes no more.
   */
  getToken?: (refused: string | null) => Promise<string | null>;
  /** Where the view is kept; null: nowhere. */
  storage?: Storage | null;
  /** How to connect, best first. */
  ways?: readonly Way[];
  backoff?: Backoff;
  ladder?: Ladder;
  patience?: Partial<Patience>;
  world?: World;
}

export class CampaignClient {
  private readonly replica = new Replica();
  private readonly line: Line;
  private readonly keeper: Keeper | null;
  private readonly listeners = new Set<() => void>();
  private readonly effects = new Set<(effect: Effect) => void>();
  private shown: View;
  private token: string | null = null;
  private status: string | null | undefined;
  private lease: number | null = null;
  private unanswered: readonly SuggestMessage[] = [];
  private refused: readonly Refused[] = [];
  private restored = false;
  private held: Held | null = null;
  private keptAt = 0;
  private readonly stopping = new AbortController();
  private started: Promise<void> | null = null;

  constructor(private readonly options: ClientOptions) {
    const storage = options.storage === undefined ? defaultStorage() : options.storage;
    this.keeper =
      storage === null
        ? null
        : new Keeper(
            storage,
            () => this.findKey(),
            () => this.toKeep(),
          );
    const globals = { fetch: globalThis.fetch.bind(globalThis), WebSocket: globalThis.WebSocket };
    this.line = new Line({
      replica: this.replica,
      ladder: options.ladder ?? new Ladder(options.ways ?? WAYS),
      backoff: options.backoff ?? new Backoff(),
      world: options.world ?? globals,
      patience: { ...PATIENCE, ...options.patience },
      place: () => this.place(),
      renew: () => this.renew(),
      now: () => Date.now(),
      onEffect: effect => this.carryOut(effect),
      onLive: () => this.resume(),
      onMoved: () => this.moved(),
    });
    this.shown = this.look();
  }

  /** What there is to show now; the same object until something changes. */
  get view(): View {
    return this.shown;
  }

  /** Have `listener` called after each change; returns what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Have `listener` told of everything that comes of a message: changes, signals, answers. */
  onEffect(listener: (effect: Effect) => void): () => void {
    this.effects.add(listener);
    return () => this.effects.delete(listener);
  }

  /** Show what was kept, then connect and stay connected until `close` or a server's last word. */
  start(): void {
    this.started ??= this.run();
  }

  /** Let go of the connection; requests without an answer fail with a ClosedError. */
  close(): void {
    this.line.end(new ClosedError("closed", "The client was closed."));
    this.stopping.abort();
    this.keeper?.flush();
  }

  /** Look at once whether the connection is alive, and do not wait for the next attempt. */
  wake(): void {
    this.line.wake();
  }

  /**
   * Commit a change as DM, and wait until it is durable.
   *
   * After a lost connection it is sent again, under the same id, so that it happens once.
   *
   * @throws RejectedError: nothing was changed; its code says why.
   * @throws ClosedError: the client was closed before the answer; the outcome is unknown.
   */
  async commit(change: Omit<CommitMessage, "type" | "id"> & { id?: string }): Promise<Committed> {
    const id = change.id ?? freshId();
    const lease = change.lease ?? this.lease;
    const message = {
      type: "commit",
      ...change,
      id,
      ...(lease === null ? {} : { lease }),
    } as const;
    // A lease that was lost is named on: another is at the wheel, and is not to be passed by.
    return this.line.request(id, message);
  }

  /**
   * Propose something to the DM; `view.company.suggestions` tells what becomes of it.
   *
   * Kept until it is answered, over reloads too, and sent under one id: it happens once.
   */
  suggest(
    content: string,
    more: Pick<SuggestMessage, "suggestion_type" | "metadata"> = {},
  ): Promise<Committed> {
    return this.sendSuggestion({ type: "player_suggestion", id: freshId(), content, ...more });
  }

  /** Whoever it was has read that a suggestion was refused. */
  dismiss(id: string): void {
    this.refused = this.refused.filter(each => each.suggestion.id !== id);
    void this.keeper?.drop(id);
    this.moved();
  }

  /** Dispose of a suggestion as DM. */
  decide(message: Omit<DecideMessage, "type">): Promise<Committed> {
    return this.line.request(message.id, { type: "decide_suggestion", ...message });
  }

  /** Take the wheel: commits name the lease until it is let go of, and are refused once it is lost. */
  async takeLease(name: string | null = null): Promise<Committed> {
    const id = freshId();
    const done = await this.line.request(id, { type: "take_lease", id, name });
    this.lease = done.version;
    this.moved();
    return done;
  }

  async releaseLease(): Promise<void> {
    if (this.lease === null) return;
    const [id, lease] = [freshId(), this.lease];
    this.lease = null;
    this.moved();
    await this.line.request(id, { type: "release_lease", id, lease });
  }

  /** Go on at the wheel, by the lease that was taken before: after a reload, say. */
  holdLease(lease: number): void {
    this.lease = lease;
    this.moved();
  }

  /** Seat a campaign at a table, for a session of this title. */
  activate(campaignId: string, table = "main", title: string | null = null): Promise<Committed> {
    const id = freshId();
    const message = { type: "activate", id, campaign_id: campaignId, table, title } as const;
    return this.line.request(id, message);
  }

  deactivate(): Promise<Committed> {
    const id = freshId();
    return this.line.request(id, { type: "deactivate", id });
  }

  /** Have something passed on and not logged; lost where there is no connection. */
  signal(name: string, data: JsonObject | null = null, to: string | string[] | null = null): void {
    this.line.send({ type: "signal", name, data, to });
  }

  /** Say something of oneself (ready, typing, away), now and over each connection to come. */
  sayStatus(status: string | null): void {
    if (status === this.status) return;
    this.status = status;
    this.line.send({ type: "player_status", status });
  }

  private async run(): Promise<void> {
    watchWorld(this.stopping.signal, {
      wake: () => {
        this.line.wake();
        this.moved();
      },
      hide: () => this.keeper?.flush(),
    });
    await this.restore();
    try {
      await this.line.run();
    } finally {
      this.stopping.abort();
      const lost = ["unauthenticated", "forbidden", "unknown_campaign"];
      // Whose seat is gone keeps nothing of what could be seen from it.
      if (lost.includes(this.line.closed?.code ?? "")) await this.keeper?.forget();
    }
  }

  private async restore(): Promise<void> {
    if (this.keeper === null) return;
    const kept = await this.keeper.load();
    if (this.line.closed !== null) return;
    void this.sendKept(this.keeper);
    if (kept !== null && kept.held !== null) {
      this.replica.resume(kept.held);
      this.held = kept.held;
      this.restored = true;
      this.keptAt = kept.heardAt;
    }
    this.moved();
  }

  /** Send again what another tab, or this one before, has not got an answer to. */
  private async sendKept(keeper: Keeper): Promise<void> {
    for (const { suggestion, refused } of await keeper.suggestions()) {
      if (this.unanswered.some(each => each.id === suggestion.id)) continue;
      if (refused === null) {
        // What comes of it is told in the view.
        this.sendSuggestion(suggestion).catch(() => {});
      } else this.refuse(suggestion, new RejectedError(refused.code, refused.message));
    }
  }

  private async sendSuggestion(message: SuggestMessage): Promise<Committed> {
    this.unanswered = [...this.unanswered, message];
    this.moved();
    const kept = this.keeper?.keep(message, null);
    try {
      const answer = await this.line.request(message.id, message);
      void kept?.then(() => this.keeper?.drop(message.id));
      return answer;
    } catch (error) {
      // Closed without an answer it is kept: the next client sends it again.
      if (error instanceof RejectedError) {
        void kept?.then(() => this.keeper?.keep(message, error));
        this.refuse(message, error);
      }
      throw error;
    } finally {
      if (this.line.closed === null) {
        this.unanswered = this.unanswered.filter(each => each !== message);
        this.moved();
      }
    }
  }

  private refuse(suggestion: SuggestMessage, error: RejectedError): void {
    this.refused = [...this.refused, { suggestion, error }];
    this.moved();
  }

  private async place() {
    const { url, role, playerId, table, campaignId, getToken } = this.options;
    this.token = getToken === undefined ? null : (this.token ?? (await getToken(null)));
    const target = {
      url: url.replace(/\/+$/, ""),
      role: role ?? "player",
      playerId: playerId ?? null,
      token: this.token,
    };
    return { target, campaignId: campaignId ?? null, table: table ?? "main" };
  }

  private async renew(): Promise<boolean> {
    const refused = this.token;
    this.token = (await this.options.getToken?.(refused)) ?? null;
    return this.token !== null && this.token !== refused;
  }

  private carryOut(effect: Effect): void {
    if (effect.type === "changed" || effect.type === "deactivated") {
      this.restored = false;
      if (this.line.closed === null) this.keeper?.schedule();
    }
    for (const listener of this.effects) listener(effect);
  }

  /** Say again what nobody answers and a connection may have lost. */
  private resume(): void {
    this.restored = false;
    if (this.status !== undefined) {
      this.line.send({ type: "player_status", status: this.status } satisfies ClientMessage);
    }
  }

  private moved(): void {
    this.shown = this.look();
    for (const listener of [...this.listeners]) listener();
  }

  private look(): View {
    const { document, version, campaignId, company } = this.replica;
    const connection = this.connection();
    const shown = this.shown as View | undefined;
    const same = shown !== undefined && sameConnection(shown.connection, connection);
    return {
      document,
      version,
      campaignId,
      company,
      connection: same ? shown.connection : connection,
      restored: this.restored,
      kept: this.held,
      steering: this.lease !== null && company.lease?.lease === this.lease,
      leased: this.lease !== null,
      unanswered: this.unanswered,
      refused: this.refused,
    };
  }

  private connection(): Connection {
    const { closed, retryAt, way } = this.line;
    return { state: this.state(), way, retryAt, heardAt: this.line.heardAt || this.keptAt, closed };
  }

  private state(): ConnectionState {
    const { status } = this.replica;
    if (this.line.closed !== null) return "closed";
    if (status !== "connecting") return status;
    if (isOffline()) return "offline";
    return this.line.heardAt === 0 && this.line.retryAt === null ? "connecting" : "reconnecting";
  }

  private toKeep(): Kept {
    const { campaignId, version, position, document } = this.replica;
    const held =
      campaignId === null || document === null
        ? null
        : { campaign_id: campaignId, version, position, document };
    return { held, heardAt: this.line.heardAt || this.keptAt };
  }

  /** Under what a view is kept: two who use one browser never see each other's. */
  private async findKey(): Promise<string> {
    const { url, campaignId, table, role, playerId, getToken } = this.options;
    if (getToken !== undefined) this.token ??= await getToken(null);
    const place = campaignId ?? `table ${table ?? "main"}`;
    return JSON.stringify([
      url,
      place,
      role ?? "player",
      subjectOf(this.token) ?? playerId ?? null,
    ]);
  }
}
