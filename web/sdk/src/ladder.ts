export type Way = "socket" | "stream" | "poll";

export const WAYS: readonly Way[] = ["socket", "stream", "poll"];
const MISSES = 2;
const FIRST_CLIMB = 30;
const LAST_CLIMB = 480;

/**
 * Which way to connect: down where one does not get through, and up again when it may.
 *
 * A server that is not there says nothing about the ways to it; a way that twice brought nothing,
 * while something answered, is left for the next one down. From the last the first is tried again.
 */
export class Ladder {
  /** Seconds after which the best way is to be tried again: longer each time it failed. */
  climbAfter: number;
  private at = 0;
  private misses = 0;

  constructor(
    private readonly ways: readonly Way[] = WAYS,
    private readonly firstClimb = FIRST_CLIMB,
  ) {
    if (ways.length === 0) throw new RangeError("A client has one way or more.");
    this.climbAfter = firstClimb;
  }

  get way(): Way {
    return this.ways[this.at] as Way;
  }

  get best(): boolean {
    return this.at === 0;
  }

  /** Note that this way brought something. */
  brought(): void {
    this.misses = 0;
    if (this.best) this.climbAfter = this.firstClimb;
  }

  /**
   * Note that this way brought nothing though something answered.
   *
   * @param sure whether what answered said no; else it may have been a bad moment.
   * @returns whether that leaves no way untried.
   */
  missed(sure: boolean): boolean {
    this.misses += 1;
    if (!sure && this.misses < MISSES) return false;
    this.misses = 0;
    this.at = (this.at + 1) % this.ways.length;
    return this.best;
  }

  /** Note that nothing answered: that says nothing about this way, and it is kept. */
  unanswered(): void {
    this.misses = 0;
  }

  /** Note what came of trying the best way from a worse one. */
  climbed(through: boolean): void {
    if (through) {
      this.at = 0;
      this.misses = 0;
    } else {
      this.climbAfter = Math.min(LAST_CLIMB, this.climbAfter * 2);
    }
  }
}
