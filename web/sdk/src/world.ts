/** What a page can know of the machine it runs on. */

/** Milliseconds: a timer that was late by so much was frozen, as all were. */
const TICK = 1_000;
const SLEPT = 5_000;

export function isOffline(): boolean {
  return typeof navigator !== "undefined" && navigator.onLine === false;
}

/**
 * Until `signal`, call `wake` when the network or the screen comes back or the machine has slept,
 * and `hide` when the page may be about to go. Where there is no page, do nothing.
 */
export function watchWorld(
  signal: AbortSignal,
  told: { wake: () => void; hide: () => unknown },
): void {
  if (typeof addEventListener !== "function" || typeof document === "undefined") return;
  for (const name of ["online", "offline", "pageshow"]) {
    addEventListener(name, told.wake, { signal });
  }
  addEventListener("pagehide", told.hide, { signal });
  document.addEventListener(
    "visibilitychange",
    () => (document.hidden ? told.hide() : told.wake()),
    { signal },
  );
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > SLEPT) told.wake();
    last = now;
  }, TICK);
  signal.addEventListener("abort", () => clearInterval(timer));
}
