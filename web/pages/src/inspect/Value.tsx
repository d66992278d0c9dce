/** A JSON value, written out; what is long is shown whole when it is asked for. */

import type { Json } from "@questlog/client";
import { useMemo, useState } from "react";

const INLINE = 64;
const LONGEST = 1_200;

export function Value({ value, name }: { value: Json; name: string }) {
  const [whole, setWhole] = useState(false);
  const text = useMemo(() => {
    const short = JSON.stringify(value);
    return short.length <= INLINE ? short : JSON.stringify(value, null, 2);
  }, [value]);
  if (text.length <= INLINE) {
    return (
      <code className="value" dir="auto">
        {text}
      </code>
    );
  }
  const cut = text.length > LONGEST && !whole;
  return (
    <>
      <pre className="value" dir="auto">
        {cut ? `${text.slice(0, LONGEST)}…` : text}
      </pre>
      {cut && (
        <button type="button" className="slim" onClick={() => setWhole(true)}>
          All {text.length.toLocaleString("en")} characters
          <span className="unseen"> of {name}</span>
        </button>
      )}
    </>
  );
}
