/** Who may see what: the rules, and what each player would see under them, before they are put. */

import { isObject, type JsonObject } from "@questlog/client";
import { useEffect, useMemo, useState } from "react";
import { SeeAs } from "./SeeAs.js";
import type { Rules } from "./useRules.js";

export function RulesPanel({ rules }: { rules: Rules }) {
  const inForce = useMemo(() => shown(rules), [rules]);
  const [text, setText] = useState(inForce);
  const [touched, setTouched] = useState(false);
  useEffect(() => {
    // Rules that came into force meanwhile do not take away what is being written.
    if (!touched) setText(inForce);
  }, [inForce, touched]);
  const read = useMemo(() => readRules(text), [text]);
  const changed = text !== inForce;
  return (
    <>
      <div className="board">
        <h2>Who may see what</h2>
        <p className="hush small">
          Each rule names a place and whom it is for; the longest that matches decides. A star is
          any one name, <code>{"{player}"}</code> the player of that name.
        </p>
        <textarea
          className="rules"
          aria-label="The rules, as JSON"
          spellCheck={false}
          rows={12}
          value={text}
          onChange={event => {
            setTouched(true);
            setText(event.target.value);
          }}
        />
        {typeof read === "string" && (
          <p className="ember small" role="alert">
            {read}
          </p>
        )}
        <div className="tools">
          <button
            type="button"
            className="main"
            disabled={!changed || typeof read === "string"}
            onClick={async () => {
              if (typeof read !== "string" && (await rules.put(read.rules, read.default))) {
                setTouched(false);
              }
            }}
          >
            Put in force
          </button>
          <button
            type="button"
            disabled={!changed}
            onClick={() => {
              setTouched(false);
              setText(inForce);
            }}
          >
            As they are
          </button>
        </div>
        {changed && typeof read !== "string" && (
          <p className="river small">Beside: what would be seen under these rules.</p>
        )}
      </div>
      <SeeAs rules={changed && typeof read !== "string" ? read : null} />
    </>
  );
}

function shown(rules: Pick<Rules, "default" | "rules">): string {
  return JSON.stringify({ default: rules.default, rules: rules.rules }, null, 2);
}

/** The rules in a text, or what is wrong with it; whether they are right, the server says. */
function readRules(text: string): Pick<Rules, "default" | "rules"> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `This is not JSON yet: ${(error as Error).message}`;
  }
  if (!isObject(value) || !Array.isArray(value.rules)) return "It is an object with rules, a list.";
  return { default: String(value.default ?? "visible"), rules: value.rules as JsonObject[] };
}
