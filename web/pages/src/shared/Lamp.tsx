/** The connection light: what it says is true, and said aloud when it changes. */

import { useView } from "@questlog/react";
import { useNow } from "./hooks.js";
import { type Light, lightOf } from "./light.js";

const UNLIT: Light = { glow: "dim", state: "Connecting", text: "Connecting" };

export function Lamp() {
  const connection = useView(view => view.connection, null);
  const hasDocument = useView(view => view.document !== null, false);
  const now = useNow(connection !== null && connection.state !== "live");
  const light = connection === null ? UNLIT : lightOf(connection, hasDocument, now);
  return (
    <p className={`lamp ${light.glow}`} data-state={connection?.state ?? "connecting"}>
      <span className="flame" aria-hidden="true" />
      <span aria-hidden="true">{light.text}</span>
      <span className="unseen" role="status">
        {light.state}
      </span>
    </p>
  );
}
