import { type ReactNode, useState } from "react";

const PAGE = 40;

/** The first of many, and what shows more of them: nobody reads thousands, and a phone stands still. */
export function useFew<T>(all: readonly T[], page = PAGE): [readonly T[], ReactNode] {
  const [count, setCount] = useState(page);
  const left = all.length - count;
  const more = left > 0 && (
    <button type="button" className="slim" onClick={() => setCount(count + PAGE)}>
      {left} more
    </button>
  );
  return [all.slice(0, count), more];
}
