import type { RejectedError } from "./closing.js";
import type { Company } from "./company.js";
import type { Connection } from "./connection.js";
import type { SuggestMessage } from "./messages.js";
import type { Held } from "./replica.js";
import type { JsonObject } from "./values.js";

/** All that there is to show: replaced at every change, its unchanged parts the same objects. */
export interface View {
  readonly document: JsonObject | null;
  readonly version: number;
  readonly campaignId: string | null;
  readonly company: Company;
  readonly connection: Connection;
  /** Whether the document is what was kept from an earlier visit, and no server has said a word. */
  readonly restored: boolean;
  /** What was kept from an earlier visit, for telling what has changed since; null: nothing. */
  readonly kept: Held | null;
  /** Whether this client is at the wheel, as far as it knows. */
  readonly steering: boolean;
  /** Whether it has taken the wheel and not let go of it, though another may have it by now. */
  readonly leased: boolean;
  /** What this client has said that nobody has answered yet. */
  readonly unanswered: readonly SuggestMessage[];
  /** What it has said and the server would not take, until `dismiss` is called. */
  readonly refused: readonly Refused[];
}

export interface Refused {
  readonly suggestion: SuggestMessage;
  readonly error: RejectedError;
}
