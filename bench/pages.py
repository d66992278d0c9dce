"""The pages in a real browser: `python -m bench.pages`.

From commit to screen on loopback; how soon a player sees something on a slow phone; and what a
campaign of 5,000 entries and 300 characters costs the page, as the longest time in which it could
do nothing else (a long task, as browsers report it).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from bench.recordings import recordings, steps
from server.process import run
from tests.browser.finding import find_browser
from tests.support.access import Guarded, guarded
from tests.support.pages import opened, seat, slowed
from tests.support.peer import put

ENTRIES, CHARACTERS = 5_000, 300
COMMITS = 200
FIRST_VIEWS = 9
PHONE = {"width": 360, "height": 740}
SEED = 7
# Installed before anything of the page runs.
WATCH = """
window.__long = [];
new PerformanceObserver(list => window.__long.push(...list.getEntries().map(e => e.duration)))
  .observe({ type: "longtask", buffered: true });
"""
# When a frame with the narrative, and one with the whole page, was first drawn.
WHEN_SHOWN = """
window.__shown = {};
const noted = new Set();
const note = (name, is) => {
  if (!is || noted.has(name)) return;
  noted.add(name);
  requestAnimationFrame(() => setTimeout(() => { window.__shown[name] = performance.now(); }));
};
new MutationObserver(() => {
  note("game", document.body?.textContent.includes("Rain."));
  note("lamp", document.querySelector(".lamp.live"));
}).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
"""
# The pages' policy forbids to make code of text, as waiting for an expression does.
BOTH_SHOWN = """async () => {
  const { __shown: shown } = window;
  while (!(shown.lamp && shown.game)) await new Promise(requestAnimationFrame);
}"""
SEEN = """wanted => new Promise(resolve => {
  const look = () => {
    const figures = [...document.querySelectorAll(".figures")];
    const found = figures.some(e => e.textContent.includes(wanted));
    if (found) { observer.disconnect(); requestAnimationFrame(() => resolve(Date.now())); }
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  look();
})"""


def main() -> None:
    """Measure, and print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args(
        [] if sys.argv[0].endswith("bench/__main__.py") else None
    )
    executable = find_browser()
    if executable is None:
        sys.exit("no browser was found, and none could be installed")
    run(_measure(executable))


async def _measure(executable: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for measure in (commit_to_screen, first_view, large):
            with tempfile.TemporaryDirectory(prefix="pages-") as folder:
                async with guarded(Path(folder)) as served:
                    await measure(served, browser)
        await browser.close()


async def commit_to_screen(served: Guarded, browser: Browser) -> None:
    """Print how long it takes from a DM's commit to a player's screen."""
    document = {"characters": {"mira": {"name": "Mira", "hp": {"current": 0, "max": 1000}}}}
    async with served.calling("dm") as dm:
        await dm.create("c", document)
        watched = await opened(await browser.new_context(), await seat(served, "mira"))
        await watched.says("Live")
        took = []
        for points in range(1, COMMITS + 1):
            seen = asyncio.create_task(watched.page.evaluate(SEEN, f"{points} / 1000"))
            # The page has been told what to look for before it happens.
            await watched.page.evaluate("0")
            begun = time.time()
            await dm.commit("c", put("/characters/mira/hp/current", points))
            took.append(await seen - begun * 1000)
    print(
        f"commit to screen, {COMMITS} commits: {statistics.median(took):.0f} ms at the median,"
        f" {statistics.quantiles(took, n=20)[-1]:.0f} ms at the 95th percentile"
    )


async def first_view(served: Guarded, browser: Browser) -> None:
    """Print how soon a player sees something, and the game, on a slow phone that was never here."""
    async with served.calling("dm") as dm:
        await dm.create("c", {"narrative": "Rain."})
    painted: list[float] = []
    shown: list[float] = []
    whole: list[float] = []
    again: list[float] = []
    for _ in range(FIRST_VIEWS):
        context = await browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
        await context.add_init_script(WHEN_SHOWN)
        page = await context.new_page()
        for times in (shown, again):
            await slowed(page)
            # At first it begins with nothing; opened again, with what was kept.
            await page.goto(await seat(served, "mira"))
            await page.evaluate(BOTH_SHOWN)
            # By the page's own clock: to ask it across a slow processor takes as long again.
            times.append(await page.evaluate("window.__shown.game"))
            if times is shown:
                whole.append(await page.evaluate("window.__shown.lamp"))
                entries = "performance.getEntriesByName('first-contentful-paint')"
                painted.append(await page.evaluate(f"{entries}[0].startTime"))
                await page.wait_for_timeout(500)
                await page.goto("about:blank")
        await context.close()
    print(
        f"on a slow phone: first paint {statistics.median(painted):.0f} ms, the game"
        f" {statistics.median(shown):.0f} ms (at the most {max(shown):.0f}), the whole page"
        f" {statistics.median(whole):.0f} ms, opened again {statistics.median(again):.0f} ms"
    )


def large_document() -> dict[str, Any]:
    """Return 5,000 entries and 300 characters, of the recordings' words where there are some."""
    rng = random.Random(SEED)
    told = list(dict.fromkeys(_words())) or ["The rain goes on.", "*Something* moves."]
    entries = [
        {"id": f"n{number}", "speaker": rng.choice(("DM", "Mira")), "text": rng.choice(told)}
        for number in range(ENTRIES)
    ]
    characters = {
        f"c{number}": {"name": f"Character {number}", "hp": {"current": 20, "max": 30}, "ac": 12}
        for number in range(CHARACTERS)
    }
    return {"all_narratives": entries, "characters": characters}


def _words() -> list[str]:
    found: list[str] = []
    for path in recordings():
        _, states = steps(path, 60)
        for state in islice(states, 60):
            told = state.get("all_narratives") or [state.get("narrative")]
            found += [
                text
                for each in told
                if isinstance(text := each.get("text") if isinstance(each, dict) else each, str)
            ]
    return found


async def large(served: Guarded, browser: Browser) -> None:
    """Print the longest task of opening, scrolling, searching and following a large campaign."""
    document = large_document()
    async with served.calling("dm") as dm:
        await dm.create("c", document)
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        await context.add_init_script(WATCH)
        watched = await opened(context, await seat(served, "mira"))
        page = watched.page
        await watched.says("Live")
        await page.get_by_text("Earlier (").wait_for()
        await _report(page, "opened")
        for _ in range(10):
            await page.get_by_text("Earlier (").click()
        await page.locator(".roll").evaluate("e => { e.scrollTop = 0 }")
        await _report(page, "scrolled back by 400 entries")
        await page.get_by_label("Search the story").type("water", delay=40)
        await page.wait_for_timeout(500)
        await _report(page, "searched, letter by letter")
        await page.get_by_label("Search the story").fill("")
        for number in range(30):
            await dm.commit("c", put(f"/characters/c{number}/hp/current", number))
            entry = {"id": f"new{number}", "speaker": "DM", "text": "It goes on."}
            await dm.commit("c", {"op": "add", "path": "/all_narratives/-", "value": entry})
        await page.wait_for_timeout(1_000)
        await _report(page, "60 updates followed")


async def _report(page: Page, what: str) -> None:
    tasks = await page.evaluate("window.__long.splice(0)")
    longest = f"{max(tasks):.0f} ms" if tasks else "none over 50 ms"
    print(f"{ENTRIES:,} entries, {CHARACTERS} characters, {what}: longest task {longest}")


if __name__ == "__main__":
    main()
