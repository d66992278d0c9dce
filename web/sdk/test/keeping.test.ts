/** What is kept of proposals: over reloads, by two tabs at once, and where they are refused. */

import "fake-indexeddb/auto";
import { afterEach, expect, test } from "vitest";
import { CampaignClient } from "../src/client.js";
import { freshId } from "../src/ids.js";
import { BrowserStorage } from "../src/storage.js";

type Said = { type: string; id?: string; content?: string };

/** A server that can be reached or not, and says what it is told to. */
class Table {
  reachable = true;
  refuses = false;
  longest = Number.POSITIVE_INFINITY;
  readonly heard: Said[] = [];
  /** Of each table: what is kept by another test is not found. */
  readonly storage = new BrowserStorage(freshId());
  private readonly clients: CampaignClient[] = [];

  open(): CampaignClient {
    const client = new CampaignClient({
      url: "http://t",
      campaignId: "c",
      playerId: "mira",
      ways: ["socket"],
      storage: this.storage,
      world: { WebSocket: this.socket(), fetch: () => Promise.reject(new Error("no network")) },
    });
    this.clients.push(client);
    client.start();
    return client;
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  private socket(): typeof WebSocket {
    const table = this;
    class Socket {
      readyState = 0;
      onopen: (() => void) | null = null;
      onmessage: ((event: { data: string }) => void) | null = null;
      onclose: ((event: { code: number }) => void) | null = null;

      constructor() {
        setTimeout(() => {
          if (!table.reachable) return this.onclose?.({ code: 1006 });
          this.readyState = 1;
          this.onopen?.();
          this.say({
            type: "campaign_active",
            campaign_id: "c",
            version: 1,
            position: "p",
            structured_data: {},
            reason: "connect",
          });
        }, 0);
      }

      send(text: string): void {
        const message = JSON.parse(text) as Said;
        if (message.type !== "player_suggestion") return;
        if (text.length > table.longest) {
          // As a server does that reads no more of it.
          setTimeout(() => this.onclose?.({ code: 1009 }), 0);
          this.readyState = 3;
          return;
        }
        table.heard.push(message);
        const { id } = message;
        this.say(
          table.refuses
            ? { type: "rejected", id, code: "too_many", message: "Enough.", version: null }
            : { type: "committed", id, version: 2, position: "q", duplicate: false },
        );
      }

      close(): void {
        this.readyState = 3;
      }

      private say(message: object): void {
        setTimeout(
          () => this.onmessage?.({ data: JSON.stringify({ timestamp: "", ...message }) }),
          0,
        );
      }
    }
    return Socket as unknown as typeof WebSocket;
  }
}

let table = new Table();

afterEach(() => {
  table.close();
  table = new Table();
});

/** Wait until a client's view is so. */
function until(
  client: CampaignClient,
  is: (view: CampaignClient["view"]) => boolean,
): Promise<void> {
  return new Promise(resolve => {
    const look = (): void => {
      if (!is(client.view)) return;
      stop();
      resolve();
    };
    const stop = client.subscribe(look);
    look();
  });
}

/** Wait until so many proposals are kept for the next visit. */
async function kept(count: number): Promise<void> {
  const key = JSON.stringify(["http://t", "c", "player", "mira"]);
  while ((await table.storage.suggestions(key)).length !== count) {
    await new Promise(resolve => setTimeout(resolve, 1));
  }
}

test("two tabs without a connection lose neither's proposal", async () => {
  table.reachable = false;
  const [one, other] = [table.open(), table.open()];
  one.suggest("I wait.").catch(() => {});
  await kept(1);
  other.suggest("I run.").catch(() => {});
  await kept(2);
  table.close();
  table.reachable = true;
  const next = table.open();
  await until(next, view => view.connection.state === "live" && view.unanswered.length === 0);
  await kept(0);
  expect(table.heard.map(each => each.content)).toEqual(["I wait.", "I run."]);
});

test("what is refused after a reload is told, and nothing is sent again", async () => {
  table.reachable = false;
  table
    .open()
    .suggest("A long plan.")
    .catch(() => {});
  await kept(1);
  table.close();
  table.reachable = table.refuses = true;
  const next = table.open();
  await until(next, view => view.refused.length === 1);
  const [refused] = next.view.refused;
  expect(refused?.suggestion.content).toBe("A long plan.");
  expect(refused?.error.message).toBe("Enough.");
  // It is told until it was read, over another reload too, and sent no more.
  table.close();
  const last = table.open();
  await until(last, view => view.refused.length === 1 && view.connection.state === "live");
  expect(table.heard.length).toBe(1);
  last.dismiss(refused?.suggestion.id ?? "");
  expect(last.view.refused).toEqual([]);
  await kept(0);
});

test("what the server would not even read is given up, and does not stand in the way", async () => {
  table.longest = 1_000;
  const client = table.open();
  await until(client, view => view.connection.state === "live");
  const long = client.suggest("x".repeat(2_000));
  const short = client.suggest("I wait.");
  await expect(long).rejects.toMatchObject({ code: "too_large" });
  await short;
  expect(client.view.refused.map(each => each.suggestion.content.length)).toEqual([2_000]);
  await kept(1);
});
