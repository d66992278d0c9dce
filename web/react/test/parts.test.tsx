// @vitest-environment happy-dom
/** A component renders when its own part of the document changes, and at no other time. */

import { CampaignClient, type JsonObject, type Operation } from "@questlog/client";
import { act, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { expect, test } from "vitest";
import { CampaignProvider, useCampaign, usePart, useView } from "../src/index.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const PLACE = { campaign_id: "c", timestamp: "2026-01-01T00:00:00.000Z" };
const DOCUMENT: JsonObject = { party: { mira: { hp: 9 }, tom: { hp: 7 } }, scene: "a cellar" };

/** A server's end of a socket, to speak through. */
class Table {
  sockets: Wire[] = [];
  readonly world = {
    fetch: () => Promise.reject(new TypeError("no network")),
    WebSocket: wireOf(this) as unknown as typeof WebSocket,
  };

  say(message: JsonObject): void {
    for (const socket of this.sockets) {
      socket.onmessage?.({ data: JSON.stringify({ ...PLACE, ...message }) });
    }
  }

  snapshot(): void {
    const position = "1.aaaaaaaaaaaaaaaa";
    const said = { type: "campaign_active", version: 1, position, reason: "connected" };
    this.say({ ...said, structured_data: DOCUMENT });
  }

  update(version: number, ...patch: Operation[]): void {
    const position = `${version}.aaaaaaaaaaaaaaaa`;
    const said = { type: "campaign_updated", version, base: version - 1, position, events: [] };
    this.say({ ...said, patch: patch as unknown as JsonObject[] });
  }
}

interface Wire {
  onmessage: ((event: { data: string }) => void) | null;
}

function wireOf(table: Table) {
  return class {
    readyState = 1;
    onopen: (() => void) | null = null;
    onmessage: Wire["onmessage"] = null;
    onclose: ((event: { code: number }) => void) | null = null;

    constructor() {
      table.sockets.push(this);
      queueMicrotask(() => this.onopen?.());
    }

    send(): void {}

    close(): void {
      this.readyState = 3;
      table.sockets = table.sockets.filter(each => each !== this);
    }
  };
}

test("only what shows a changed part renders again", async () => {
  const table = new Table();
  const client = new CampaignClient({ url: "http://t", storage: null, world: table.world });
  const rendered = { mira: 0, tom: 0, scene: 0, members: 0 };

  function Hp({ who }: { who: "mira" | "tom" }) {
    rendered[who] += 1;
    return <b id={who}>{String(usePart(`/party/${who}/hp`))}</b>;
  }
  function Scene() {
    rendered.scene += 1;
    return <p>{String(usePart("/scene"))}</p>;
  }
  function Members() {
    rendered.members += 1;
    return <i>{useView(view => view.company.members, []).length}</i>;
  }

  const place = document.createElement("div");
  const root = createRoot(place);
  client.start();
  await act(async () => {
    root.render(
      <CampaignProvider value={client}>
        <Hp who="mira" />
        <Hp who="tom" />
        <Scene />
        <Members />
      </CampaignProvider>,
    );
  });
  await act(async () => table.snapshot());
  expect(place.textContent).toBe("97a cellar0");
  const before = { ...rendered };
  await act(async () => table.update(2, { op: "replace", path: "/party/mira/hp", value: 4 }));
  expect(place.textContent).toBe("47a cellar0");
  expect(rendered).toEqual({ ...before, mira: before.mira + 1 });
  await act(async () => table.say({ type: "presence", members: [] }));
  expect(rendered).toEqual({ ...before, mira: before.mira + 1, members: before.members + 1 });
  await act(async () => root.unmount());
  client.close();
});

test("useCampaign connects, tells, and lets go of the socket when it is unmounted", async () => {
  const table = new Table();
  function Page() {
    const { document, status, presence } = useCampaign("http://t", "c", {
      storage: null,
      world: table.world,
    });
    return (
      <p>
        {String(document?.scene)} {status?.state} {presence.length}
      </p>
    );
  }
  const place = document.createElement("div");
  const root = createRoot(place);
  // As in development, where React mounts everything twice.
  await act(async () =>
    root.render(
      <StrictMode>
        <Page />
      </StrictMode>,
    ),
  );
  expect(table.sockets).toHaveLength(1);
  await act(async () => table.snapshot());
  expect(place.textContent).toBe("a cellar live 0");
  await act(async () => root.unmount());
  expect(table.sockets).toHaveLength(0);
});
