/** A part of a page that shows a part of the document, and is tried again when that changes. */

import { useView } from "@questlog/react";
import type { ReactNode } from "react";
import { Boundary } from "./Boundary.js";

export function Part({ name, children }: { name: string; children: ReactNode }) {
  const version = useView(view => view.version, 0);
  return (
    <Boundary of={version} instead={<p className="board hush">{name} cannot be shown.</p>}>
      {children}
    </Boundary>
  );
}
