/** What the connection light says: the truth, in a few words. */

import type { Connection } from "@questlog/client";

export type Glow = "live" | "dim" | "out";

export interface Light {
  glow: Glow;
  /** What it is, without what changes every second: said aloud when it changes. */
  state: string;
  /** The same with seconds and ages, to be read. */
  text: string;
}

const STALE_AFTER = 5;

export function lightOf(connection: Connection, hasDocument: boolean, now: number): Light {
  const age = hasDocument ? ageOf(connection.heardAt, now) : "";
  switch (connection.state) {
    case "live":
      return connection.way === "poll"
        ? said("live", "Live, by polling", "")
        : said("live", "Live", "");
    case "stale":
      return said("dim", "Catching up", age);
    case "waiting":
      return said("live", "Waiting at the table", "");
    case "connecting":
      return said("dim", "Connecting", age);
    case "offline":
      return said("out", "Offline", age);
    case "closed":
      return said("out", "Disconnected", age);
    case "reconnecting": {
      const seconds = Math.ceil(((connection.retryAt ?? now) - now) / 1000);
      const when = seconds > 0 ? ` in ${seconds} s` : "";
      return said("out", "Reconnecting", `${when}${age}`);
    }
  }
}

function said(glow: Glow, state: string, more: string): Light {
  return { glow, state, text: state + more };
}

/** How old what is shown is, once that matters. */
function ageOf(heardAt: number, now: number): string {
  const seconds = Math.floor((now - heardAt) / 1000);
  if (heardAt === 0 || seconds < STALE_AFTER) return "";
  if (seconds < 90) return `: what you see is ${seconds} s old`;
  if (seconds < 5400) return `: what you see is ${Math.round(seconds / 60)} min old`;
  if (seconds < 172_800) return `: what you see is ${Math.round(seconds / 3600)} h old`;
  return `: what you see is ${Math.round(seconds / 86_400)} days old`;
}
