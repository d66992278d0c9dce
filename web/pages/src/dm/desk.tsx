/** The DM's desk: one place from which everything is committed, and taken back. */

import { ClosedError, type Operation, RejectedError } from "@questlog/client";
import { useClient } from "@questlog/react";
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import type { Seat } from "../shared/seat.js";
import { Server, sentenceOf } from "../shared/server.js";
import { type Action, inverse } from "./actions.js";

/** How many steps can be taken back. */
const REMEMBERED = 50;

interface Done {
  says: string;
  back: Operation[];
}

export interface Desk {
  seat: Seat;
  /** Commit an action; null is none. */
  act(action: Action | null): Promise<void>;
  /** Do something else that may be refused, and say so where it is. */
  attempt(work: () => Promise<unknown>): Promise<boolean>;
  server: Server;
  undo(): Promise<void>;
  done: readonly Done[];
  problem: string | null;
}

const Context = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const desk = useContext(Context);
  if (desk === null) throw new Error("There is no desk here.");
  return desk;
}

export function DeskProvider({ seat, children }: { seat: Seat; children: ReactNode }) {
  const client = useClient();
  const [done, setDone] = useState<readonly Done[]>([]);
  const [problem, setProblem] = useState<string | null>(null);

  const attempt = useCallback(async (work: () => Promise<unknown>): Promise<boolean> => {
    setProblem(null);
    try {
      await work();
      return true;
    } catch (error) {
      setProblem(whyNot(error));
      return false;
    }
  }, []);

  const act = useCallback(
    async (action: Action | null): Promise<void> => {
      const document = client?.view.document;
      if (client === null || !document || action === null || action.patch.length === 0) return;
      const { says, kind, patch } = action;
      const back = inverse(document, patch);
      if (await attempt(() => client.commit({ kind, patch }))) {
        setDone(known => [...known, { says, back }].slice(-REMEMBERED));
      }
    },
    [client, attempt],
  );

  const undo = useCallback(async (): Promise<void> => {
    const last = done.at(-1);
    if (client === null || last === undefined) return;
    setDone(known => known.slice(0, -1));
    await attempt(() => client.commit({ kind: "action.undone", patch: last.back }));
  }, [client, done, attempt]);

  const server = useMemo(() => new Server(seat), [seat]);

  const desk = useMemo(
    () => ({ seat, server, act, attempt, undo, done, problem }),
    [seat, server, act, attempt, undo, done, problem],
  );
  return <Context.Provider value={desk}>{children}</Context.Provider>;
}

function whyNot(error: unknown): string {
  if (error instanceof RejectedError && error.code === "patch_failed") {
    return "It has changed meanwhile: look again, and do it anew.";
  }
  if (error instanceof ClosedError) return `The connection is closed: ${error.message}`;
  return sentenceOf(error);
}
