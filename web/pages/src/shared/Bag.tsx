import type { Json } from "@questlog/client";
import { itemsOf } from "./document.js";
import { useFew } from "./few.js";
import { Mores } from "./Trees.js";

/** What somebody carries. */
export function Bag({ value, title }: { value: Json | undefined; title: string }) {
  const items = itemsOf(value);
  const [shown, more] = useFew(items);
  if (items.length === 0) return null;
  return (
    <div>
      <h3 className="small">{title}</h3>
      <ul className="bag">
        {shown.map(({ key, name, count }) => (
          <li key={key} dir="auto">
            {name}
            {count !== 1 && <span className="hush"> ×{count}</span>}
          </li>
        ))}
      </ul>
      {more}
      <Mores of={shown} />
    </div>
  );
}
