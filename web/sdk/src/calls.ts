/** The ways for whom no socket gets through: Server-Sent Events, long polls, and calls upwards. */

import {
  type Carrier,
  type Host,
  isThere,
  MissedError,
  type Patience,
  type Place,
  pause,
  type World,
} from "./carrier.js";
import { ClosedError } from "./closing.js";
import type { ClientMessage, ServerMessage } from "./messages.js";
import { callUrl, headersOf } from "./target.js";
import { isObject } from "./values.js";

const FINAL = new Set([400, 401, 403, 404, 405, 422]);
/** A server of another release may have no such call; a proxy may have eaten it. */
const NO_SUCH = new Set([404, 405]);
const REFUSED = new Set([400, 413, 422]);

/** A frame was refused as a whole. */
class RefusedError extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail);
  }
}

/** The connection is gone: come back. */
class GoneError extends Error {}

interface Updates {
  messages: ServerMessage[];
  position?: string | null;
}

/**
 * Calls down and calls up.
 *
 * What comes down and the answers to what went up are two streams of messages in no order. Only the
 * first may move the replica, or an answer that was long on its way would take it back.
 */
abstract class HttpCarrier implements Carrier {
  abstract readonly way: "stream" | "poll";
  readonly acknowledgeEvery: number | null = null;
  private readonly outgoing: ClientMessage[] = [];
  private woken: () => void = () => {};
  private gap: (message: ClientMessage) => void = () => {};
  private doubted: () => void = () => {};

  constructor(
    protected readonly world: World,
    protected readonly place: Place,
    protected readonly host: Host,
    protected readonly patience: Patience,
  ) {}

  send(message: ClientMessage): void {
    this.outgoing.push(message);
    this.woken();
  }

  /** Begin anew from what the replica can prove: that is what a resync would ask for. */
  reply(message: ClientMessage): void {
    this.gap(message);
  }

  doubt(): void {
    this.doubted();
  }

  async run(signal: AbortSignal): Promise<number | null> {
    const { campaignId, table } = this.place;
    try {
      const found = campaignId ?? (await this.seated(table, signal));
      if (found === null) {
        this.host.take(EMPTY_TABLE);
        await pause(this.patience.seats, signal);
        return null;
      }
      const watch = campaignId === null ? [this.watch(table, found)] : [];
      await firstOf(signal, [
        within => this.follow(found, within),
        within => this.sendAll(found, within),
        within => this.untilGap(found, within),
        within => this.untilLost(within),
        ...watch,
      ]);
    } catch (error) {
      if (!(error instanceof GoneError)) throw error;
    }
    // A way that brings nothing while the server is there is a way that something stands in.
    const brought = this.host.replica.status !== "connecting";
    if (
      !brought &&
      !signal.aborted &&
      (await isThere(this.world, this.place, signal, this.patience))
    ) {
      throw new MissedError();
    }
    return null;
  }

  /** Bring messages until there are no more. */
  protected abstract follow(campaignId: string, signal: AbortSignal): Promise<void>;

  protected take(message: ServerMessage): void {
    this.host.take(JSON.stringify(message));
  }

  private untilGap(campaignId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => resolve());
      this.gap = message => {
        if (message.type !== "resync" || message.digest === undefined) return resolve();
        // What it held is for the server to log; the answer is of no use here.
        this.post(campaignId, message, signal).then(() => resolve(), reject);
      };
    });
  }

  /** Once there is reason to doubt: a server that answers nothing for a while is not there. */
  private untilLost(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      signal.addEventListener("abort", () => resolve());
      this.doubted = () => {
        const patience = AbortSignal.any([signal, AbortSignal.timeout(this.patience.doubt)]);
        const url = `${this.place.target.url}/healthz`;
        this.world.fetch(url, { signal: patience, cache: "no-store" }).then(
          () => this.host.heard(),
          () => resolve(),
        );
      };
    });
  }

  /** The campaign at a table, as far as this client may know of it. */
  private async seated(table: string, signal: AbortSignal): Promise<string | null> {
    const { target } = this.place;
    const answer = await this.call("GET", `${target.url}/api/campaigns`, signal);
    const body = (await reached(answer.json())) as {
      campaigns: { campaign_id: string; table: string }[];
    };
    return body.campaigns.find(each => each.table === table)?.campaign_id ?? null;
  }

  /** End the connection where another campaign is at the table. */
  private watch(table: string, campaignId: string): (signal: AbortSignal) => Promise<void> {
    return async signal => {
      while (!signal.aborted) {
        await pause(this.patience.seats, signal);
        if (signal.aborted || (await this.seated(table, signal)) !== campaignId) return;
      }
    };
  }

  /** Send frames one after the other, and take their answers; at rest, ask for the digest. */
  private async sendAll(campaignId: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const frame = await this.next(signal);
      if (signal.aborted) return;
      try {
        const { messages } = await this.post(campaignId, frame, signal);
        for (const message of messages) if (this.isOfNow(message)) this.take(message);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        const id = "id" in frame ? (frame.id ?? null) : null;
        const { code, detail } = error;
        // Nothing more will come of this one; what it asked is answered so.
        this.take({ type: "rejected", id, code, message: detail, version: null, timestamp: "" });
      }
    }
  }

  private async next(signal: AbortSignal): Promise<ClientMessage> {
    if (this.outgoing.length === 0) {
      const waited = new AbortController();
      this.woken = () => waited.abort();
      await pause(this.patience.silence, AbortSignal.any([signal, waited.signal]));
    }
    return this.outgoing.shift() ?? this.host.replica.heartbeat(true);
  }

  /** Whether an answer says nothing of a version that is to come, or has gone by. */
  private isOfNow(message: ServerMessage): boolean {
    return message.type !== "heartbeat" || message.version === this.host.replica.version;
  }

  private async post(id: string, message: ClientMessage, signal: AbortSignal): Promise<Updates> {
    const url = callUrl(this.place.target, id, "messages");
    const answer = await this.call("POST", url, signal, { body: JSON.stringify(message) });
    return (await reached(answer.json())) as Updates;
  }

  /**
   * Make a call and give its answer.
   *
   * @throws ClosedError: the server will not have this client as it is.
   * @throws MissedError: what answered is no server of ours.
   * @throws RefusedError: what was posted is refused.
   * @throws GoneError, TypeError: it is to be made again later.
   */
  protected async call(
    method: string,
    url: string,
    signal: AbortSignal,
    more: { body?: string; headers?: Record<string, string>; patience?: number } = {},
  ): Promise<Response> {
    const { patience = 2 * this.patience.silence, headers, ...rest } = more;
    // A stream is read for as long as it lasts: there, silence is watched for where it is read.
    const within = Number.isFinite(patience)
      ? AbortSignal.any([signal, AbortSignal.timeout(patience)])
      : signal;
    const answer = await reached(
      this.world.fetch(url, {
        method,
        headers: { ...headersOf(this.place.target), ...headers },
        signal: within,
        cache: "no-store",
        ...rest,
      }),
    );
    this.host.heard();
    if (answer.status === 200) return answer;
    throw await refusalOf(answer, method === "POST");
  }
}

/** Server-Sent Events, read by `fetch`: the browser's own reader can show no token. */
export class StreamCarrier extends HttpCarrier {
  readonly way = "stream";
  override readonly acknowledgeEvery = 5_000;

  protected async follow(campaignId: string, signal: AbortSignal): Promise<void> {
    const { position } = this.host.replica;
    const silent = new AbortController();
    const within = AbortSignal.any([signal, silent.signal]);
    let timer = setTimeout(() => silent.abort(), this.patience.connect);
    const answer = await this.call(
      "GET",
      callUrl(this.place.target, campaignId, "stream"),
      within,
      {
        headers: position === null ? {} : { "Last-Event-ID": position },
        patience: Number.POSITIVE_INFINITY,
      },
    );
    if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      throw new MissedError();
    }
    this.send(this.host.replica.heartbeat(true));
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let buffer = "";
    try {
      for (;;) {
        const { done, value } = await reached(reader.read());
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), 2 * this.patience.silence);
        this.host.heard();
        const events = (buffer + decoder.decode(value, { stream: true })).split("\n\n");
        buffer = events.pop() ?? "";
        for (const line of events.flatMap(event => event.split("\n"))) {
          if (line.startsWith("data: ")) this.host.take(line.slice(6));
        }
      }
    } finally {
      clearTimeout(timer);
      reader.cancel().catch(() => {});
    }
  }
}

/** Long polls. */
export class PollCarrier extends HttpCarrier {
  readonly way = "poll";
  /** A member may come with several devices, and each is told what is said. */
  private readonly device = Array.from(crypto.getRandomValues(new Uint8Array(8)), byte =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

  protected async follow(campaignId: string, signal: AbortSignal): Promise<void> {
    this.send(this.host.replica.heartbeat(true));
    let [introduce, wait]: [string | null, number] = ["1", 0];
    while (!signal.aborted) {
      const url = callUrl(this.place.target, campaignId, "updates", {
        since: this.host.replica.position,
        wait: String(wait / 1_000),
        introduce,
        client: this.device,
      });
      const answer = await this.call("GET", url, signal, {
        patience: wait + this.patience.silence,
      });
      const told = (await reached(answer.json())) as Updates;
      for (const message of told.messages) this.take(message);
      this.host.confirm(told.position ?? null);
      introduce = null;
      wait = this.patience.poll;
    }
  }
}

const EMPTY_TABLE =
  '{"type":"heartbeat","campaign_id":null,"version":0,"position":null,"timestamp":""}';

/** What a call that was not answered with 200 comes to. */
async function refusalOf(answer: Response, posted: boolean): Promise<Error> {
  const { status } = answer;
  const problem: unknown = await answer.json().catch(() => null);
  if (!isObject(problem) || typeof problem.code !== "string") {
    // A proxy that does not reach the server for now: nobody has said no.
    if (status >= 500) return new MissedError();
    return new MissedError(new ClosedError("forbidden", `The server refused: HTTP ${status}.`));
  }
  const detail = typeof problem.detail === "string" ? problem.detail : "";
  const final = new ClosedError(problem.code, detail);
  if (posted && REFUSED.has(status)) return new RefusedError(problem.code, detail);
  if (NO_SUCH.has(status) && problem.code === "invalid") return new MissedError(final);
  return FINAL.has(status) ? final : new GoneError(problem.code);
}

/** Run all of `work` until the first of it ends, by itself or by an error, which is thrown. */
async function firstOf(
  signal: AbortSignal,
  work: ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const ended = new AbortController();
  const within = AbortSignal.any([signal, ended.signal]);
  const running = work.map(each => each(within));
  try {
    await Promise.race(running);
  } finally {
    ended.abort();
    await Promise.allSettled(running);
  }
}

/** What a network brings; whatever a browser calls it when it does not, the connection is gone. */
async function reached<T>(brought: Promise<T>): Promise<T> {
  try {
    return await brought;
  } catch (error) {
    throw new GoneError(String(error));
  }
}
