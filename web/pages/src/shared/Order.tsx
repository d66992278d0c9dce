import type { Actor } from "./document.js";
import { useFew } from "./few.js";
import { Mores } from "./Trees.js";

/** The order of a fight. */
export function Order({ of, current }: { of: readonly Actor[]; current: string | null }) {
  const [shown, more] = useFew(of);
  if (of.length === 0) return null;
  return (
    <div className="board">
      <h2>Initiative</h2>
      <ol className="order">
        {shown.map(({ key, called, name, roll }) => (
          <li
            key={key}
            dir="auto"
            aria-current={current !== null && called.includes(current) ? "true" : undefined}
          >
            {name}
            {roll !== null && <span className="hush small"> {roll}</span>}
          </li>
        ))}
      </ol>
      {more}
      <Mores of={shown} />
    </div>
  );
}
