import {
  type Carrier,
  type Host,
  isThere,
  MissedError,
  type Patience,
  type Place,
  type World,
} from "./carrier.js";
import { isOurs, SILENT } from "./closing.js";
import type { ClientMessage } from "./messages.js";
import { protocolsOf, socketUrl } from "./target.js";

/** A WebSocket. */
export class SocketCarrier implements Carrier {
  readonly way = "socket";
  readonly acknowledgeEvery = 1_000;
  private socket: WebSocket | null = null;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly world: World,
    private readonly place: Place,
    private readonly host: Host,
    private readonly patience: Patience,
  ) {}

  send(message: ClientMessage): void {
    // 1: OPEN. What cannot be sent now is sent again over the next connection, or is of this one.
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  reply(message: ClientMessage): void {
    this.send(message);
  }

  doubt(): void {
    if (this.socket?.readyState === 1) this.ask(this.patience.doubt);
  }

  async run(signal: AbortSignal): Promise<number | null> {
    let failure: unknown = null;
    const { opened, code } = await new Promise<{ opened: boolean; code: number | null }>(
      resolve => {
        const socket = this.open();
        this.socket = socket;
        let opened = false;
        const end = (code: number | null) => {
          clearTimeout(this.silence);
          signal.removeEventListener("abort", leave);
          socket.onopen = socket.onmessage = socket.onclose = null;
          // A socket whose peer is gone would wait long for its farewell: it is not waited for.
          if (socket.readyState < 2) socket.close(code === SILENT ? SILENT : 1000);
          this.socket = null;
          resolve({ opened, code });
        };
        const leave = () => end(null);
        signal.addEventListener("abort", leave);
        this.silence = setTimeout(() => end(null), this.patience.connect);
        socket.onopen = () => {
          opened = true;
          // Asked where it stands, a table says whether it is empty, a campaign its digest.
          this.send(this.host.replica.heartbeat(true));
          this.listen(() => end(SILENT));
        };
        socket.onmessage = event => {
          this.listen(() => end(SILENT));
          try {
            this.host.take(String(event.data));
          } catch (error) {
            failure = error;
            end(null);
          }
        };
        socket.onclose = event =>
          end(event.code === 1005 || event.code === 1006 ? null : event.code);
      },
    );
    if (failure !== null) throw failure;
    const brought = this.host.replica.status !== "connecting";
    if (!signal.aborted && !brought && !isOurs(code)) {
      // A browser does not say why a handshake failed: whether a server is there is asked for.
      if (opened || (await isThere(this.world, this.place, signal, this.patience)))
        throw new MissedError();
    }
    return code === SILENT ? null : code;
  }

  /** Whether a socket gets through: one is opened, and its first message awaited. */
  leadsThere(signal: AbortSignal): Promise<boolean> {
    return new Promise(resolve => {
      const socket = this.open();
      const end = (through: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", leave);
        socket.onmessage = socket.onclose = null;
        if (socket.readyState < 2) socket.close(1000);
        resolve(through);
      };
      const leave = () => end(false);
      const timer = setTimeout(leave, this.patience.connect);
      signal.addEventListener("abort", leave);
      socket.onmessage = () => end(true);
      socket.onclose = leave;
    });
  }

  private open(): WebSocket {
    const { target, campaignId, table } = this.place;
    const url = socketUrl(target, campaignId, table, this.host.replica.position);
    return new this.world.WebSocket(url, protocolsOf(target));
  }

  /** Note that something was heard; after a while of silence, ask, and then give up. */
  private listen(giveUp: () => void): void {
    this.giveUp = giveUp;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.ask(this.patience.answer), this.patience.silence);
  }

  private giveUp: () => void = () => {};

  private ask(patience: number): void {
    this.send(this.host.replica.heartbeat(true));
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.giveUp(), patience);
  }
}
