import type { JsonObject } from "@questlog/client";
import { useMemo, useState } from "react";
import { Bag } from "./Bag.js";
import { itemsOf } from "./document.js";
import { restOfCharacter } from "./rest.js";
import { Trees } from "./Trees.js";

/** All that is known of somebody beside the sheet: made once it is asked for. */
export function More({ name, value }: { name: string; value: JsonObject }) {
  const [open, setOpen] = useState(false);
  const rest = useMemo(() => restOfCharacter(value), [value]);
  if (rest.length === 0 && itemsOf(value.inventory).length === 0) return null;
  return (
    <details className="small" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary className="hush">
        More<span className="unseen"> of {name}</span>
      </summary>
      {open && (
        <>
          <Bag title="Carries" value={value.inventory} />
          <Trees of={rest} />
        </>
      )}
    </details>
  );
}
