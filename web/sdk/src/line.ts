/**
 * The line: what keeps a replica connected, over whichever way gets through, and its requests.
 *
 * Whatever ends a connection, the next one begins at the position the replica can prove; requests
 * that were not answered are sent again, in their order and under their ids, so that each happens
 * once.
 */

import type { Backoff } from "./backoff.js";
import { PollCarrier, StreamCarrier } from "./calls.js";
import {
  type Carrier,
  type Host,
  MissedError,
  type Patience,
  type Place,
  pause,
  type World,
} from "./carrier.js";
import { ClosedError, isFinal, RejectedError, TOO_BIG } from "./closing.js";
import type { Ladder, Way } from "./ladder.js";
import type { ClientMessage, Committed, Rejected, ServerError } from "./messages.js";
import type { Effect, Replica } from "./replica.js";
import { SocketCarrier } from "./socket.js";
import { checkToken, SUBPROTOCOL } from "./target.js";
import { MisshapenError } from "./wire.js";

/** A request that is not answered yet, as it goes over the wire, however often. */
interface Pending {
  message: ClientMessage;
  campaignId: string | null;
  resolve(answer: Committed): void;
  reject(error: Error): void;
}

export interface LineOptions {
  replica: Replica;
  ladder: Ladder;
  backoff: Backoff;
  world: World;
  patience: Patience;
  /** Where to connect; asked for each time, since tokens run out. */
  place(): Promise<Place>;
  /** Called where the token was not taken; returns whether there is another. */
  renew(): Promise<boolean>;
  now(): number;
  /** Told of everything that comes of a message. */
  onEffect(effect: Effect): void;
  /** Called whenever a connection has brought its first message. */
  onLive(): void;
  /** Called whenever anything has happened. */
  onMoved(): void;
}

export class Line implements Host {
  readonly replica: Replica;
  /** Why there will be no more connections; null while there may be. */
  closed: ClosedError | null = null;
  /** When the server was last heard, in milliseconds since 1970; 0: never. */
  heardAt = 0;
  /** When it will be tried again, in milliseconds since 1970; null where it is not waited for. */
  retryAt: number | null = null;
  private carrier: Carrier | null = null;
  private readonly pending = new Map<string, Pending>();
  private readonly over = new AbortController();
  private sleeping: AbortController | null = null;
  private refusal: ServerError | null = null;
  private missed: ClosedError | null = null;
  private acknowledging: ReturnType<typeof setTimeout> | undefined;
  private acknowledgedAt = 0;

  constructor(private readonly options: LineOptions) {
    this.replica = options.replica;
  }

  /** How it is connected; null while it is not. */
  get way(): Way | null {
    return this.replica.status === "connecting" ? null : (this.carrier?.way ?? null);
  }

  /** Send a message that nobody answers; lost where there is no connection. */
  send(message: ClientMessage): void {
    if (this.replica.status !== "connecting") this.carrier?.send(message);
  }

  /**
   * Send a request, over as many connections as it takes, and return its answer.
   *
   * @throws RejectedError: it was refused.
   * @throws ClosedError: there will be no answer; the outcome is unknown.
   */
  request(id: string, message: ClientMessage): Promise<Committed> {
    if (this.closed !== null) return Promise.reject(this.closed);
    if (this.pending.has(id)) {
      return Promise.reject(new RejectedError("invalid", "A request of this id is under way."));
    }
    return new Promise<Committed>((resolve, reject) => {
      this.pending.set(id, { message, campaignId: this.replica.campaignId, resolve, reject });
      this.send(message);
    }).finally(() => this.pending.delete(id));
  }

  /** There is reason to doubt the connection, or to hope for one: look at once. */
  wake(): void {
    this.sleeping?.abort();
    this.carrier?.doubt();
  }

  /** Stay connected until it is ended, by its owner or by a server. */
  async run(): Promise<void> {
    let attempt = 0;
    try {
      while (this.closed === null) {
        const code = await this.visit();
        const brought = this.replica.status !== "connecting";
        this.replica.disconnected();
        // A server that answers and at once asks to come back later must not be hammered.
        if (brought && (code === null || code < 4000)) attempt = 0;
        const delay = this.options.backoff.delay(attempt) * 1_000;
        attempt += 1;
        await this.sleep(delay);
      }
    } catch (error) {
      const sentence = `The client failed: ${error}`;
      this.end(error instanceof ClosedError ? error : new ClosedError("error", sentence));
      if (!(error instanceof ClosedError)) throw error;
    }
  }

  /** Connect once; where the token is not taken and there is another, that is no last word. */
  private async visit(): Promise<number | null> {
    try {
      const code = await this.connect();
      if (this.giveUpLargest(code)) return null;
      if (isFinal(code)) throw this.final(code);
      return code;
    } catch (error) {
      const refused = error instanceof ClosedError && error.code === "unauthenticated";
      if (refused && (await this.options.renew())) return null;
      throw error;
    }
  }

  /** What the server would not even read is not sent again, or nothing else would ever get there. */
  private giveUpLargest(code: number | null): boolean {
    if (this.refusal?.code !== "too_large" && code !== TOO_BIG) return false;
    const sizeOf = ({ message }: Pending) => JSON.stringify(message).length;
    const [largest] = [...this.pending.values()].sort((one, other) => sizeOf(other) - sizeOf(one));
    if (largest === undefined) return false;
    const sentence = this.refusal?.message ?? "The server takes no message of this length.";
    largest.reject(new RejectedError("too_large", sentence));
    return true;
  }

  /** Have no more connections, for this reason. */
  end(error: ClosedError): void {
    if (this.closed !== null) return;
    this.closed = error;
    clearTimeout(this.acknowledging);
    this.over.abort();
    for (const pending of this.pending.values()) pending.reject(error);
    this.options.onMoved();
  }

  take(frame: string): void {
    const connecting = this.replica.status === "connecting";
    this.heardAt = this.options.now();
    let effects: Effect[];
    try {
      effects = this.replica.receive(frame);
    } catch (error) {
      if (!(error instanceof MisshapenError)) throw error;
      throw new ClosedError("bad_json", `The server does not speak ${SUBPROTOCOL}.`);
    }
    for (const effect of effects) this.carryOut(effect);
    this.settle(connecting);
  }

  confirm(position: string | null): void {
    const connecting = this.replica.status === "connecting";
    this.heardAt = this.options.now();
    this.replica.confirm(position);
    this.settle(connecting);
  }

  heard(): void {
    this.heardAt = this.options.now();
  }

  private carryOut(effect: Effect): void {
    if (effect.type === "send") this.carrier?.reply(effect.message);
    else if (effect.type === "answered") this.answer(effect.answer);
    else if (effect.type === "failed") this.refusal = effect.error;
    else if (effect.type !== "heard") this.acknowledge();
    this.options.onEffect(effect);
  }

  private settle(wasConnecting: boolean): void {
    if (wasConnecting && this.replica.status !== "connecting") {
      this.options.ladder.brought();
      this.missed = null;
      this.sendPending();
      this.options.onLive();
    }
    this.options.onMoved();
  }

  /** Connect once, the way that is in turn; returns the close code, null without one. */
  private async connect(): Promise<number | null> {
    const { ladder, world, patience } = this.options;
    const place = await this.options.place();
    checkToken(place.target);
    const left = new AbortController();
    const signal = AbortSignal.any([this.over.signal, left.signal]);
    const carriers = { socket: SocketCarrier, stream: StreamCarrier, poll: PollCarrier };
    const carrier = new carriers[ladder.way](world, place, this, patience);
    this.refusal = null;
    this.carrier = carrier;
    if (!ladder.best) void this.climb(place, left);
    let code: number | null = null;
    try {
      code = await carrier.run(signal);
    } catch (error) {
      if (!(error instanceof MissedError)) throw error;
      this.missed ??= error.refusal;
      const sure = error.refusal !== null;
      // No way leads to a server, and something said why.
      if (ladder.missed(sure) && sure && this.missed !== null) throw this.missed;
      return null;
    } finally {
      this.carrier = null;
      left.abort();
    }
    if (code === null && this.replica.status === "connecting") ladder.unanswered();
    return code;
  }

  /** Try the best way from time to time; once it gets through, give up the present one. */
  private async climb(place: Place, left: AbortController): Promise<void> {
    const { ladder, world, patience } = this.options;
    while (!left.signal.aborted && !this.over.signal.aborted) {
      const signal = AbortSignal.any([left.signal, this.over.signal]);
      await pause(ladder.climbAfter * 1_000, signal);
      if (signal.aborted) return;
      const through = await new SocketCarrier(world, place, this, patience).leadsThere(signal);
      if (signal.aborted) return;
      ladder.climbed(through);
      if (through) left.abort();
    }
  }

  private async sleep(delay: number): Promise<void> {
    this.sleeping = new AbortController();
    this.retryAt = this.options.now() + delay;
    this.options.onMoved();
    await pause(delay, AbortSignal.any([this.over.signal, this.sleeping.signal]));
    this.sleeping = null;
    this.retryAt = null;
    this.options.onMoved();
  }

  /** Send what has no answer yet, in order; the log knows by its id what it has already. */
  private sendPending(): void {
    for (const pending of [...this.pending.values()]) {
      const { campaignId } = this.replica;
      if (pending.campaignId !== null && pending.campaignId !== campaignId) {
        const sentence = "Another campaign is at the table; the outcome is unknown.";
        pending.reject(new RejectedError("invalid", sentence));
        continue;
      }
      pending.campaignId = campaignId;
      this.send(pending.message);
    }
  }

  /** Say which version is held: at once, but not too often. */
  private acknowledge(): void {
    const every = this.carrier?.acknowledgeEvery ?? null;
    if (every === null || this.acknowledging !== undefined) return;
    const wait = Math.max(0, this.acknowledgedAt + every - this.options.now());
    this.acknowledging = setTimeout(() => {
      this.acknowledging = undefined;
      this.acknowledgedAt = this.options.now();
      if (this.replica.status === "live") this.send(this.replica.heartbeat());
    }, wait);
  }

  private answer(answer: Committed | Rejected): void {
    const pending = this.pending.get(answer.id ?? "");
    if (answer.type === "committed") pending?.resolve(answer);
    else pending?.reject(new RejectedError(answer.code, answer.message, answer.version));
  }

  private final(code: number | null): ClosedError {
    const sentence = `The server closed the socket with ${code}.`;
    return this.refusal === null
      ? new ClosedError("invalid", sentence, code)
      : new ClosedError(this.refusal.code, this.refusal.message, code);
  }
}
