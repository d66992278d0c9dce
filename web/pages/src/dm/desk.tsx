/**
 * The DM's desk: one place from which everything is done, one after another, and taken back.
 *
 * Each action is made for the document as it is when its turn comes: who strikes twice strikes
 * twice. Without a connection it waits, and is said to.
 */

import {
  type CampaignClient,
  ClosedError,
  getAt,
  isObject,
  type Json,
  type JsonObject,
  type Operation,
  parsePointer,
  RejectedError,
  type View,
} from "@questlog/client";
import { useClient, useView } from "@questlog/react";
import { createContext, type ReactNode, useContext, useMemo } from "react";
import type { Seat } from "../shared/seat.js";
import { Server, sentenceOf } from "../shared/server.js";
import { Store, useStore } from "../shared/store.js";
import { isTooLarge } from "../shared/things.js";
import { inverse, type Outcome } from "./actions.js";

/** How many steps can be taken back. */
const REMEMBERED = 50;
const TOO_LARGE =
  "There is a number in it that a browser cannot hold exactly: write it as a text, or change it by a program.";

interface Done {
  /** In which campaign: at a table, another may be played by now. */
  campaignId: string | null;
  says: string;
  back: () => Promise<unknown>;
}

interface DeskState {
  done: readonly Done[];
  /** What was not done, and why, since somebody last began something with nothing under way. */
  problems: readonly string[];
  /** How many actions have no answer yet. */
  waiting: number;
  /** What could not be taken back: whoever goes on passes over it. */
  stuck: Done | null;
}

/** A value being written, and what stood there when that was begun. */
export interface Draft {
  campaignId: string | null;
  pointer: string;
  seen: Json;
  text: string;
}

type Work = () => Promise<unknown>;

export class Desk {
  readonly server: Server;
  readonly state = new Store<DeskState>({ done: [], problems: [], waiting: 0, stuck: null });
  /** What is being written in the document: kept while another view is looked at. */
  readonly drafts = new Store<readonly Draft[]>([]);
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly seat: Seat,
    private readonly client: CampaignClient,
  ) {
    this.server = new Server(seat);
  }

  /** Commit what `make` makes of the document, after all that was done before. */
  act(make: (document: JsonObject) => Outcome): Promise<boolean> {
    return this.inTurn(() => {
      const { document } = this.client.view;
      if (document === null) throw new Error("Nothing is being played.");
      const made = make(document);
      if (typeof made === "string") throw new Error(made);
      const { says, kind, patch } = made;
      if (patch.some(({ value }) => isTooLarge(value))) throw new Error(TOO_LARGE);
      const back = inverse(document, patch);
      return {
        says,
        work: () => this.commit(kind, patch),
        back: () => this.commit("action.undone", this.free(back)),
      };
    });
  }

  /** Do something that is no commit, after all that was done before, and with a way back. */
  run(says: string, work: Work, back: Work): Promise<boolean> {
    return this.inTurn(() => ({ says, work, back }));
  }

  /** Do something at once that may be refused, and say so where it is. */
  async attempt(work: Work): Promise<boolean> {
    this.begun();
    try {
      await work();
      return true;
    } catch (error) {
      this.failed(whyNot(error));
      return false;
    }
  }

  /** What is being written at a pointer of the campaign that is played; undefined: nothing. */
  draftAt(pointer: string): Draft | undefined {
    const { campaignId } = this.client.view;
    return this.drafts
      .read()
      .find(each => each.campaignId === campaignId && each.pointer === pointer);
  }

  /** Write at a pointer, or write there no more. */
  draft(pointer: string, written: Pick<Draft, "seen" | "text"> | null): void {
    const { campaignId } = this.client.view;
    const known = this.draftAt(pointer);
    const others = this.drafts.read().filter(each => each !== known);
    this.drafts.set(written === null ? others : [...others, { ...written, campaignId, pointer }]);
  }

  /**
   * Take back what was done last in this campaign.
   *
   * What cannot be taken back stays the last until it is passed over: pressed again, this must not
   * take back something else, which was done before it.
   */
  undo(): Promise<boolean> {
    return this.queued(async campaignId => {
      const { done, stuck } = this.state.read();
      const last = done.findLast(each => each.campaignId === campaignId);
      if (last === undefined) return;
      const others = done.filter(each => each !== last);
      if (last === stuck) {
        this.state.change({ done: others, stuck: null });
        return;
      }
      try {
        await last.back();
        this.state.change({ done: others });
      } catch (error) {
        this.state.change({ stuck: last });
        throw new Error(`${last.says}, not taken back. ${whyNot(error)}`);
      }
    });
  }

  private inTurn(make: () => { says: string; work: Work; back: Work }): Promise<boolean> {
    return this.queued(async campaignId => {
      const { says, work, back } = make();
      try {
        await work();
      } catch (error) {
        throw new Error(`${says}, not done. ${whyNot(error)}`);
      }
      const done = [...this.state.read().done, { says, campaignId, back }];
      this.state.change({ done: done.slice(-REMEMBERED), stuck: null });
    });
  }

  /** Do something in its turn, and in the campaign that it was begun in or not at all. */
  private queued(work: (campaignId: string | null) => Promise<unknown>): Promise<boolean> {
    const { campaignId } = this.client.view;
    this.begun();
    this.state.change({ waiting: this.state.read().waiting + 1 });
    const turn = this.last.then(async () => {
      try {
        // What is done without a connection is made for what is there once there is one again.
        await this.connected();
        if (this.client.view.campaignId !== campaignId) {
          throw new Error("It was not done: another campaign is played here by now.");
        }
        await work(campaignId);
        return true;
      } catch (error) {
        this.failed(whyNot(error));
        return false;
      } finally {
        this.state.change({ waiting: this.state.read().waiting - 1 });
      }
    });
    this.last = turn;
    return turn;
  }

  private begun(): void {
    if (this.state.read().waiting === 0) this.state.change({ problems: [] });
  }

  private failed(sentence: string): void {
    this.state.change({ problems: [...this.state.read().problems, sentence] });
  }

  private connected(): Promise<void> {
    return this.until(({ connection }) => {
      if (connection.closed !== null) throw connection.closed;
      return connection.state === "live" || connection.state === "waiting";
    });
  }

  /** Wait until the view is so. */
  private until(is: (view: View) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): boolean => {
        try {
          if (!is(this.client.view)) return false;
          resolve();
        } catch (error) {
          reject(error);
        }
        return true;
      };
      if (look()) return;
      const stop = this.client.subscribe(() => {
        if (look()) stop();
      });
    });
  }

  /** What takes an action back puts nothing over what somebody has put there since. */
  private free(back: Operation[]): Operation[] {
    const document = this.client.view.document ?? {};
    const taken = back.some(({ op, path }) => {
      const tokens = parsePointer(path);
      const inObject = isObject(getAt(document, tokens.slice(0, -1)));
      return op === "add" && inObject && getAt(document, tokens) !== undefined;
    });
    if (taken) throw new Error("Something else is there by now: look at it in the document.");
    return back;
  }

  /** Commit, and wait until this page has it too: what comes next is made for that. */
  private async commit(kind: string, patch: Operation[]): Promise<void> {
    const { client } = this;
    const { version } = await client.commit({ kind, patch });
    const { campaignId } = client.view;
    await this.until(
      view =>
        view.version >= version ||
        view.campaignId !== campaignId ||
        view.connection.closed !== null,
    );
  }
}

const Context = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const desk = useContext(Context);
  if (desk === null) throw new Error("There is no desk here.");
  return desk;
}

/** What the desk has done in the campaign that is played, and how it stands. */
export function useDeskState(): DeskState {
  const state = useStore(useDesk().state);
  const campaignId = useView(view => view.campaignId, null);
  return useMemo(
    () => ({ ...state, done: state.done.filter(each => each.campaignId === campaignId) }),
    [state, campaignId],
  );
}

export function DeskProvider({ seat, children }: { seat: Seat; children: ReactNode }) {
  const client = useClient();
  const desk = useMemo(() => (client === null ? null : new Desk(seat, client)), [seat, client]);
  return desk === null ? null : <Context.Provider value={desk}>{children}</Context.Provider>;
}

function whyNot(error: unknown): string {
  if (error instanceof RejectedError && error.code === "patch_failed") {
    return "It has changed meanwhile: look again, and do it anew.";
  }
  if (error instanceof RejectedError && error.code === "lease_lost") {
    return "Another has taken the wheel: take it again, or leave it to them.";
  }
  if (error instanceof ClosedError) return `The connection is closed: ${error.message}`;
  return sentenceOf(error);
}
