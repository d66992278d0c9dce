/** How the story goes on, and whatever else the document holds. */

import { isObject } from "@questlog/client";
import { usePart, useView } from "@questlog/react";
import { useMemo } from "react";
import { entriesOf, label, nameOf, restOf } from "../shared/document.js";
import { Tree } from "../shared/Tree.js";

export function Rest() {
  const document = useView(view => view.document, null);
  const rest = useMemo(() => (document === null ? [] : restOf(document)), [document]);
  return (
    <>
      <Progress />
      {rest.length > 0 && (
        <div className="board">
          <h2>Also here</h2>
          {rest.map(([member, value]) => (
            <Tree key={member} name={member} value={value} />
          ))}
        </div>
      )}
    </>
  );
}

function Progress() {
  const steps = entriesOf(usePart("/story_progression"));
  if (steps.length === 0) return null;
  return (
    <div className="board">
      <h2>Threads</h2>
      <ul className="threads">
        {steps.map(([key, step]) => {
          const done = isObject(step) && step.done === true;
          return (
            <li key={key} className={done ? "hush done" : ""} dir="auto">
              {done && <span className="unseen">Done: </span>}
              {nameOf(step) ?? label(key)}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
