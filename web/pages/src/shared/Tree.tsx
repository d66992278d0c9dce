/** Any JSON, as a tidy tree: what has no place of its own on a page is shown nevertheless. */

import { isObject, type Json } from "@questlog/client";
import { memo } from "react";
import { label } from "./things.js";

/** Deeper than this a branch opens only when it is asked for. */
const OPEN = 1;
const LONGEST = 200;

export const Tree = memo(function Tree({ name, value, depth = 0 }: Branch) {
  const entries = Array.isArray(value)
    ? value.map((each, index): [string, Json] => [String(index + 1), each])
    : isObject(value)
      ? Object.entries(value)
      : null;
  if (entries === null) {
    return (
      <p className="leaf">
        <span className="hush">{label(name)}</span> <span>{shown(value)}</span>
      </p>
    );
  }
  if (entries.length === 0) {
    return (
      <p className="leaf">
        <span className="hush">{label(name)}</span> <span className="hush">none</span>
      </p>
    );
  }
  return (
    <details className="branch" open={depth < OPEN}>
      <summary>
        {label(name)} <span className="hush small">{entries.length}</span>
      </summary>
      {entries.slice(0, LONGEST).map(([key, each]) => (
        <Tree key={key} name={key} value={each} depth={depth + 1} />
      ))}
      {entries.length > LONGEST && <p className="hush">and {entries.length - LONGEST} more</p>}
    </details>
  );
});

interface Branch {
  name: string;
  value: Json;
  depth?: number;
}

function shown(value: Json): string {
  if (value === null) return "—";
  if (value === true) return "yes";
  if (value === false) return "no";
  return String(value);
}
