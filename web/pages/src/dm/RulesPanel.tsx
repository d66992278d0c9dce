/** Who may see what: the rules, and what each player would see under them, before they are put. */

import { isObject, type JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { useMemo } from "react";
import { SeeAs, useViewOf } from "./SeeAs.js";
import type { Rules, Told } from "./useRules.js";

/** What is being written, and the rules it was begun with: kept while another view is looked at. */
export interface Draft {
  campaignId: string | null;
  text: string;
  base: Told;
}

interface Of {
  rules: Rules;
  draft: Draft | null;
  setDraft: (draft: Draft | null) => void;
}

export function RulesPanel({ rules, draft: begun, setDraft }: Of) {
  const campaignId = useView(view => view.campaignId, null);
  // At a table another campaign may be played by now, whose rules these are not.
  const draft = begun?.campaignId === campaignId ? begun : null;
  const inForce = useMemo(() => shown(rules), [rules]);
  const text = draft?.text ?? inForce;
  const read = useMemo(() => readRules(text), [text]);
  const changed = text !== inForce;
  const tried = changed && typeof read !== "string" ? read : null;
  const { document: seen } = useViewOf("player", tried);
  const open = ["dm", "private"].filter(member => seen?.[member] !== undefined);
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
            const { default: other, rules: known } = rules;
            const base = draft?.base ?? { default: other, rules: known };
            setDraft({ campaignId, text: event.target.value, base });
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
              if (typeof read === "string" || draft === null) return;
              if (await rules.put("The rules", read, draft.base)) setDraft(null);
            }}
          >
            Put in force
          </button>
          <button type="button" disabled={!changed} onClick={() => setDraft(null)}>
            As they are
          </button>
        </div>
        {open.length > 0 && (
          <p className="ember small" role="alert">
            Under these, any player sees what is usually kept from them: {open.join(", ")}.
          </p>
        )}
        {changed && typeof read !== "string" && (
          <p className="river small">Beside: what would be seen under these rules.</p>
        )}
      </div>
      <SeeAs rules={tried} />
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
  const other = Object.keys(value).find(member => !["default", "rules"].includes(member));
  if (other !== undefined) return `It has a default and rules, and no ${other}.`;
  return { default: String(value.default ?? "visible"), rules: value.rules as JsonObject[] };
}
