/** What a client keeps for the next visit: its view, and what nobody has answered yet. */

import type { RejectedError } from "./closing.js";
import type { SuggestMessage } from "./messages.js";
import type { Kept, KeptSuggestion, Storage } from "./storage.js";

/** Milliseconds: soon, for pages are closed without a word; and not with each change of a fight. */
const SAVE_SOON = 200;
const SAVE_EVERY = 2_000;
/** Some browsers never answer: nobody waits for those. */
const LATE = 1_500;

export class Keeper {
  private found: Promise<string> | null = null;
  private savedAt = 0;
  private saving: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param findKey under what it is kept: two who use one browser never see each other's.
   * @param look what there is to be kept now.
   */
  constructor(
    private readonly storage: Storage,
    private readonly findKey: () => Promise<string>,
    private readonly look: () => Kept,
  ) {}

  private get key(): Promise<string> {
    this.found ??= this.findKey();
    return this.found;
  }

  /** What was kept; null: nothing, or a browser that does not say in time. */
  async load(): Promise<Kept | null> {
    const late = new Promise<null>(resolve => setTimeout(() => resolve(null), LATE));
    const kept = this.key.then(key => this.storage.load(key));
    return Promise.race([kept, late]);
  }

  /** Save in a while, if that is not going to happen already. */
  schedule(): void {
    const wait = Math.max(SAVE_SOON, this.savedAt + SAVE_EVERY - Date.now());
    this.saving ??= setTimeout(() => this.save(), wait);
  }

  /** Save now what was to be saved in a while. */
  flush(): void {
    if (this.saving !== undefined) this.save();
  }

  async suggestions(): Promise<KeptSuggestion[]> {
    return this.storage.suggestions(await this.key);
  }

  /** Keep a suggestion; where it was refused, until that was read. */
  async keep(suggestion: SuggestMessage, error: RejectedError | null): Promise<void> {
    const refused = error === null ? null : { code: error.code, message: error.message };
    // Two of one millisecond have an order too.
    const at = performance.timeOrigin + performance.now();
    await this.storage.keepSuggestion(await this.key, { at, suggestion, refused });
  }

  async drop(id: string): Promise<void> {
    await this.storage.dropSuggestion(await this.key, id);
  }

  /** Keep no view: whose it was has lost the seat. */
  async forget(): Promise<void> {
    clearTimeout(this.saving);
    this.saving = undefined;
    await this.storage.forget(await this.key);
  }

  private save(): void {
    clearTimeout(this.saving);
    this.saving = undefined;
    this.savedAt = Date.now();
    const kept = this.look();
    void this.key.then(key => this.storage.save(key, kept));
  }
}
