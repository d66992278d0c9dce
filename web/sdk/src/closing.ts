/** Close codes: 4000-4399 come back (with backoff and jitter); 4400-4499 do not, unchanged. */

export const TOO_BIG = 1009;
export const RESTARTING = 1012;
export const SILENT = 4008;

/** The client is closed: by its owner, or by a server that will not have it back as it is. */
export class ClosedError extends Error {
  override name = "ClosedError";

  /**
   * @param code the contract's error code; `closed` where the owner closed it.
   * @param closeCode the WebSocket close code, null where there was none.
   */
  constructor(
    readonly code: string,
    message: string,
    readonly closeCode: number | null = null,
  ) {
    super(message);
  }
}

/** A request was refused: nothing has changed. `code` is one of the contract's. */
export class RejectedError extends Error {
  override name = "RejectedError";

  constructor(
    readonly code: string,
    message: string,
    readonly version: number | null = null,
  ) {
    super(message);
  }
}

export function isFinal(code: number | null): boolean {
  return code !== null && code >= 4400 && code <= 4499;
}

/** Whether a Questlog server closed with `code`, and nothing on the way to it. */
export function isOurs(code: number | null): boolean {
  return code === RESTARTING || (code !== null && code >= 4000 && code <= 4999);
}
