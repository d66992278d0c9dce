/**
 * What a player sees before the page itself has come: what is being told, as text.
 *
 * On a slow phone the game is here long before all that shows it well; who waits can read meanwhile.
 */

import { talesOf, taleText } from "../shared/document.js";
import type { Following } from "../shared/enter.js";
import { textOf } from "../shared/things.js";

/** Show it in `page`, now and at every change; returns what ends that. */
export function firstView(page: HTMLElement, { client }: Following): () => void {
  const draw = (): void => {
    const { document: held, campaignId, company, restored } = client.view;
    if (held === null) return;
    const told = talesOf(held.all_narratives, held.narrative).at(-1);
    const text = told === undefined ? "" : company.textOf(told.entry) || taleText(told.entry);
    const title = textOf(held.title) ?? campaignId ?? "";
    const play = made(
      "div",
      "frame play",
      made("header", "head", made("h1", "", title)),
      made(
        "main",
        "panels",
        made(
          "section",
          "panel story",
          made("p", "notice hush", restored ? "This is how you left it." : "Opening the table…"),
          made("div", "board tales", made("div", "tale verbatim", text)),
        ),
      ),
    );
    play.dataset.panel = "Story";
    page.replaceChildren(play);
  };
  draw();
  return client.subscribe(draw);
}

function made(name: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  element.dir = "auto";
  element.append(...children);
  return element;
}
