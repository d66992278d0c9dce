/** Where a client keeps what it holds, to show it at once when it is opened again. */

import type { SuggestMessage } from "./messages.js";
import type { Held } from "./replica.js";

/** What is kept of one view. */
export interface Kept {
  held: Held | null;
  /** When it was last known to be the truth, in milliseconds since 1970. */
  heardAt: number;
  /** Suggestions that nobody has answered yet: sent again, under the same ids. */
  suggestions: SuggestMessage[];
}

export interface Storage {
  load(key: string): Promise<Kept | null>;
  save(key: string, kept: Kept): Promise<void>;
  /** Forget a view: whose it was has lost the seat. */
  forget(key: string): Promise<void>;
}

const STORE = "views";

/** IndexedDB. Where a browser has none, or keeps nothing, nothing is kept, and nothing fails. */
export class BrowserStorage implements Storage {
  private readonly opened: Promise<IDBDatabase | null>;

  constructor(name = "questlog") {
    this.opened = open(name).catch(() => null);
  }

  async load(key: string): Promise<Kept | null> {
    const kept = await this.ask("readonly", store => store.get(key));
    return (kept as Kept | undefined) ?? null;
  }

  async save(key: string, kept: Kept): Promise<void> {
    await this.ask("readwrite", store => store.put(kept, key));
  }

  async forget(key: string): Promise<void> {
    await this.ask("readwrite", store => store.delete(key));
  }

  private async ask(
    mode: IDBTransactionMode,
    request: (store: IDBObjectStore) => IDBRequest,
  ): Promise<unknown> {
    const database = await this.opened;
    if (database === null) return undefined;
    try {
      return await promised(request(database.transaction(STORE, mode).objectStore(STORE)));
    } catch {
      // Full, or taken away by the browser: what is shown does not depend on it.
      return undefined;
    }
  }
}

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return promised(request);
}

function promised<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
