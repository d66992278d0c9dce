/** What the panels share: the client, the log, the wire, and what is looked at. */

import type { CampaignClient } from "@questlog/client";
import { createContext, useContext } from "react";
import type { Seat } from "../shared/seat.js";
import { Store } from "../shared/store.js";
import type { Api } from "./api.js";
import { type Blamed, blame } from "./blame.js";
import type { Log } from "./log.js";
import type { Wire } from "./wire.js";

export const PANELS = ["Log", "Event", "Document", "Wire"] as const;
export type Panel = (typeof PANELS)[number];

export interface Asked {
  pointer: string;
  /** As of which version. */
  at: number;
  /** The event in which the path was chosen; null: the present document. */
  event: number | null;
  leaves: readonly Blamed[];
  /** The first version whose event has been looked at. */
  looked: number;
  state: "looking" | "done" | "stopped";
  problem: string | null;
}

export class Desk {
  readonly panel = new Store<Panel>("Log");
  /** The version of the event that is looked at. */
  readonly chosen = new Store<number | null>(null);
  readonly asked = new Store<Asked | null>(null);
  private looking = new AbortController();

  constructor(
    readonly seat: Seat,
    readonly client: CampaignClient,
    readonly api: Api,
    readonly log: Log,
    readonly wire: Wire,
  ) {}

  /** Look at an event; on a narrow screen, turn to it. */
  choose(version: number): void {
    this.chosen.set(version);
    this.panel.set("Event");
  }

  /** Ask who set what is at a pointer, as of a version. */
  async blame(pointer: string, at: number, event: number | null = null): Promise<void> {
    this.looking.abort();
    this.looking = new AbortController();
    const { signal } = this.looking;
    this.panel.set("Document");
    const asked = { pointer, at, event, leaves: [], looked: at + 1, problem: null } as const;
    this.asked.set({ ...asked, state: "looking" });
    const change = (some: Partial<Asked>) => {
      const now = this.asked.read();
      if (!signal.aborted && now !== null) this.asked.set({ ...now, ...some });
    };
    try {
      for await (const found of blame(this.log, pointer, at, signal)) change(found);
      change({ state: "done" });
    } catch (error) {
      change({ state: "stopped", problem: error instanceof Error ? error.message : "" });
    }
  }

  /** Look no further back; what was found stays. */
  stop(): void {
    this.looking.abort();
    const asked = this.asked.read();
    if (asked !== null) this.asked.set({ ...asked, state: "stopped" });
  }

  forget(): void {
    this.looking.abort();
    this.asked.set(null);
  }
}

const Shared = createContext<Desk | null>(null);

export const DeskProvider = Shared.Provider;

export function useDesk(): Desk {
  const desk = useContext(Shared);
  if (desk === null) throw new Error("This is no part of the page.");
  return desk;
}
