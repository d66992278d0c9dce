/**
 * What a client knows of the company at its campaign: who is there, and what was said.
 *
 * None of it is a matter of versions: a message that was lost is made up for by the next
 * `presence`, by what is told on connecting, or by the document itself.
 */

import type {
  LeaseTold,
  Member,
  NarrationTold,
  PlayerJoined,
  PlayerLeft,
  PlayerStatus,
  Presence,
  SignalTold,
  SuggestionTold,
} from "./messages.js";
import { isObject, type Json } from "./values.js";

export type TalkTold =
  | Presence
  | PlayerJoined
  | PlayerLeft
  | PlayerStatus
  | SuggestionTold
  | SignalTold
  | LeaseTold
  | NarrationTold;

/** Of narrations that are over, the document has every word. */
const SPOKEN = 32;

interface Spoken {
  readonly start: number;
  /** By code points, as offsets count: an emoji is one. */
  readonly points: readonly string[];
}

/** Replaced, never mutated: whoever holds one sees no change in it. */
export class Company {
  private constructor(
    /** By role and player id; empty where they are only counted. */
    readonly members: readonly Member[],
    /** How many there are of each role, where there are too many to name. */
    readonly counts: Readonly<Record<string, number>>,
    readonly suggestions: readonly SuggestionTold[],
    /** Who is at the wheel, as DMs are told; null before that. */
    readonly lease: LeaseTold | null,
    private readonly spoken: ReadonlyMap<string, Spoken>,
  ) {}

  static readonly EMPTY = new Company([], {}, [], null, new Map());

  private with(changed: Partial<Company> & { spoken?: ReadonlyMap<string, Spoken> }): Company {
    return new Company(
      changed.members ?? this.members,
      changed.counts ?? this.counts,
      changed.suggestions ?? this.suggestions,
      changed.lease === undefined ? this.lease : changed.lease,
      changed.spoken ?? this.spoken,
    );
  }

  /** Let go of what may change unheard, and is told again on connecting. */
  disconnected(): Company {
    const suggestions = this.suggestions.filter(each => each.state !== "pending");
    return new Company(this.members, this.counts, suggestions, null, this.spoken);
  }

  /** Take what was said. */
  hear(message: TalkTold): Company {
    switch (message.type) {
      case "presence":
        return this.with({ members: message.members, counts: message.counts ?? {} });
      case "player_joined": {
        const { type: _, timestamp: __, ...member } = message;
        return this.with({ members: [...this.members.filter(isNot(message)), member] });
      }
      case "player_left":
        return this.with({ members: this.members.filter(isNot(message)) });
      case "player_status": {
        const others = isNot(message);
        const { status } = message;
        return this.with({
          members: this.members.map(each => (others(each) ? each : { ...each, status })),
        });
      }
      case "suggestion": {
        const same = (each: SuggestionTold) =>
          each.id === message.id && each.player_id === message.player_id;
        const known = this.suggestions.some(same);
        return this.with({
          suggestions: known
            ? this.suggestions.map(each => (same(each) ? message : each))
            : [...this.suggestions, message],
        });
      }
      case "lease":
        return this.with({ lease: message });
      case "narration":
        return this.with({ spoken: this.speak(message) });
      case "signal":
        return this;
    }
  }

  /**
   * The text of a narration's entry in the document, with what was heard since.
   *
   * An entry of another kind has its `text`, or none. Once the narration is over, what is in the
   * document is all there is: of one that broke off, the last words may have been lost.
   */
  textOf(entry: Json): string {
    if (!isObject(entry)) return typeof entry === "string" ? entry : "";
    if (!Array.isArray(entry.parts)) return typeof entry.text === "string" ? entry.text : "";
    const text = entry.parts.filter(part => typeof part === "string").join("");
    const spoken = entry.state === "streaming" ? this.spoken.get(String(entry.id)) : undefined;
    if (spoken === undefined) return text;
    const length = Array.from(text).length;
    // What comes after a gap waits for the document to fill it.
    if (spoken.start > length) return text;
    return text + spoken.points.slice(length - spoken.start).join("");
  }

  private speak(piece: NarrationTold): ReadonlyMap<string, Spoken> {
    const spoken = new Map(this.spoken);
    const { start, points } = spoken.get(piece.id) ?? { start: piece.offset, points: [] };
    spoken.delete(piece.id);
    const known = piece.offset - start;
    if (known >= 0 && known <= points.length) {
      spoken.set(piece.id, { start, points: [...points.slice(0, known), ...piece.text] });
    } else {
      // A gap, or the beginning anew: what was heard before it is in the document soon.
      spoken.set(piece.id, { start: piece.offset, points: [...piece.text] });
    }
    const oldest = spoken.keys().next().value;
    if (spoken.size > SPOKEN && oldest !== undefined) spoken.delete(oldest);
    return spoken;
  }
}

function isNot(who: Pick<Member, "role" | "player_id">): (member: Member) => boolean {
  return member => member.role !== who.role || member.player_id !== who.player_id;
}
