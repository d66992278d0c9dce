/** What is left of something beside what a page says of it: trees, closed until they are asked for. */

import type { Left } from "./rest.js";
import { Tree } from "./Tree.js";
import type { Thing } from "./things.js";

export function Trees({ of }: { of: readonly Left[] }) {
  return of.map(({ member, name, value }) => (
    <Tree key={member} name={name} value={value} depth={1} />
  ));
}

/** What things hold beside their names. */
export function Mores({ of }: { of: readonly Pick<Thing, "key" | "name" | "more">[] }) {
  return of.map(
    ({ key, name, more }) => more !== null && <Tree key={key} name={name} value={more} depth={1} />,
  );
}
