/** Where a client keeps what it holds, to show it at once when it is opened again. */

import type { SuggestMessage } from "./messages.js";
import type { Held } from "./replica.js";

/** What is kept of one view. */
export interface Kept {
  held: Held | null;
  /** When it was last known to be the truth, in milliseconds since 1970. */
  heardAt: number;
}

/**
 * What is kept by key: a view, and the suggestions that nobody has answered yet, each by itself.
 * Two tabs of one player share both, and neither takes away what the other has said.
 */
export interface Storage {
  load(key: string): Promise<Kept | null>;
  save(key: string, kept: Kept): Promise<void>;
  /** The oldest first. */
  suggestions(key: string): Promise<KeptSuggestion[]>;
  /** Keep a suggestion, in the place of what was kept under its id. */
  keepSuggestion(key: string, kept: KeptSuggestion): Promise<void>;
  dropSuggestion(key: string, id: string): Promise<void>;
  /** Forget a view: whose it was has lost the seat. What they have said is their own. */
  forget(key: string): Promise<void>;
}

const VIEWS = "views";
const SUGGESTIONS = "suggestions";

/** To be sent again, under the same id; or refused, and not read by whoever made it yet. */
export interface KeptSuggestion {
  /** When it was made, in milliseconds since 1970. */
  at: number;
  suggestion: SuggestMessage;
  refused: { code: string; message: string } | null;
}

/** IndexedDB. Where a browser has none, or keeps nothing, nothing is kept, and nothing fails. */
export class BrowserStorage implements Storage {
  private readonly opened: Promise<IDBDatabase | null>;

  constructor(name = "questlog") {
    // Where there is none at all, or it may not be touched, this throws and does not reject.
    this.opened = Promise.resolve(name)
      .then(open)
      .catch(() => null);
  }

  async load(key: string): Promise<Kept | null> {
    const kept = await this.ask(VIEWS, "readonly", store => store.get(key));
    return (kept as Kept | undefined) ?? null;
  }

  async save(key: string, kept: Kept): Promise<void> {
    await this.ask(VIEWS, "readwrite", store => store.put(kept, key));
  }

  async suggestions(key: string): Promise<KeptSuggestion[]> {
    const all = await this.ask(SUGGESTIONS, "readonly", store => store.getAll(ofKey(key)));
    const kept = (all as KeptSuggestion[] | undefined) ?? [];
    return kept.sort((one, other) => one.at - other.at);
  }

  async keepSuggestion(key: string, kept: KeptSuggestion): Promise<void> {
    const { id } = kept.suggestion;
    await this.ask(SUGGESTIONS, "readwrite", store => store.put(kept, [key, id]));
  }

  async dropSuggestion(key: string, id: string): Promise<void> {
    await this.ask(SUGGESTIONS, "readwrite", store => store.delete([key, id]));
  }

  async forget(key: string): Promise<void> {
    await this.ask(VIEWS, "readwrite", store => store.delete(key));
  }

  private async ask(
    name: string,
    mode: IDBTransactionMode,
    request: (store: IDBObjectStore) => IDBRequest,
  ): Promise<unknown> {
    const database = await this.opened;
    if (database === null) return undefined;
    try {
      return await promised(request(database.transaction(name, mode).objectStore(name)));
    } catch {
      // Full, or taken away by the browser: what is shown does not depend on it.
      return undefined;
    }
  }
}

/** Where a page keeps things; null: it has nowhere to. */
export function defaultStorage(): Storage | null {
  return globalThis.indexedDB ? new BrowserStorage() : null;
}

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 2);
  request.onupgradeneeded = () => {
    const { result } = request;
    for (const store of [VIEWS, SUGGESTIONS]) {
      if (!result.objectStoreNames.contains(store)) result.createObjectStore(store);
    }
  };
  return promised(request);
}

/** All keys that begin with this one. */
function ofKey(key: string): IDBKeyRange {
  return IDBKeyRange.bound([key], [key, []]);
}

function promised<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
