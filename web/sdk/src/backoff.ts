/** How long a client waits before it comes back: exponential backoff with full jitter. */
export class Backoff {
  /**
   * @param base the longest first wait, in seconds; it doubles with each attempt in vain.
   * @param cap the longest wait of all, in seconds.
   */
  constructor(
    private readonly base = 0.25,
    private readonly cap = 10,
    private readonly random: () => number = Math.random,
  ) {}

  /** Seconds to wait after `attempt` attempts in vain (0: the first loss). */
  delay(attempt: number): number {
    // Spread over the whole span, a crowd that lost its server together does not return together.
    return this.random() * Math.min(this.cap, this.base * 2 ** Math.min(attempt, 30));
  }
}
