/**
 * The story, and what is being told now.
 *
 * Of thousands of entries the page holds the last few, and more as they are asked for: each is
 * rendered once and stays as it is, since its entry in the document does.
 */

import type { Json } from "@questlog/client";
import { usePart, useView } from "@questlog/react";
import {
  memo,
  useDeferredValue,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { type Told, talesOf, taleText } from "../shared/document.js";
import { hasText } from "../shared/search.js";
import { Tale } from "../shared/Tale.js";

const PAGE = 25;
const NEAR = 80;

export function Story() {
  const all = usePart("/all_narratives");
  const narrative = usePart("/narrative");
  const tales = useMemo(() => talesOf(all, narrative), [all, narrative]);
  const [wanted, setWanted] = useState("");
  const search = useDeferredValue(wanted.trim().toLowerCase());
  const found = useMemo(() => matching(tales, search), [tales, search]);
  const [count, setCount] = useState(PAGE);
  const shown = found.slice(-count);
  return (
    <div className="board tales">
      <div className="row">
        <h2>Story</h2>
        {tales.length > PAGE && (
          <input
            type="search"
            aria-label="Search the story"
            placeholder="Search"
            value={wanted}
            onChange={event => {
              setWanted(event.target.value);
              setCount(PAGE);
            }}
          />
        )}
      </div>
      <Scroll newest={found.at(-1)}>
        {found.length > count && (
          <button type="button" onClick={() => setCount(count + PAGE)}>
            Earlier ({found.length - count})
          </button>
        )}
        {found.length === 0 && (
          <p className="hush">
            {search === "" ? "Nothing has been told yet." : "Nothing of that."}
          </p>
        )}
        <ol className="entries">
          {shown.map(tale => (
            <Entry key={tale.key} entry={tale.entry} />
          ))}
        </ol>
      </Scroll>
    </div>
  );
}

function matching(tales: Told[], search: string): Told[] {
  if (search === "") return tales;
  return tales.filter(tale => hasText(JSON.stringify(tale.entry).toLowerCase(), search));
}

const Entry = memo(function Entry({ entry }: { entry: Json }) {
  const text = useView(view => view.company.textOf(entry) || taleText(entry), "");
  return (
    <li className="entry">
      <Tale entry={entry} text={text} />
    </li>
  );
});

/** A list that stays at its newest entry, unless its reader has gone back to an older one. */
function Scroll({ newest, children }: { newest: Told | undefined; children: React.ReactNode }) {
  const place = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [missed, setMissed] = useState(false);
  const key = newest?.key;
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null || key === undefined) return;
    if (atEnd.current) element.scrollTop = element.scrollHeight;
    else setMissed(true);
  }, [key]);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    // News above it make it smaller, and a panel that is not shown has no height at all.
    const resized = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    resized.observe(element);
    return () => resized.disconnect();
  }, []);
  return (
    <div className="rolls">
      <div
        className="roll"
        ref={place}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
        role="log"
        aria-label="The story so far"
        onScroll={event => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          if (clientHeight === 0) return;
          atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
          if (atEnd.current) setMissed(false);
        }}
      >
        {children}
      </div>
      {missed && (
        <button
          type="button"
          className="newer main"
          onClick={() => {
            if (place.current !== null) place.current.scrollTop = place.current.scrollHeight;
          }}
        >
          The story went on ↓
        </button>
      )}
    </div>
  );
}
