"""A slow phone: the game is seen before all of the page has come; nothing is lost on the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Route, expect

from tests.support.access import Guarded, guarded
from tests.support.pages import Watched, opened, seat, slowed
from tests.support.peer import put

PHONE = {"width": 360, "height": 740}
# The scripts that a page wants only to show itself: all of React is among them.
LATER = re.compile(r'rel="modulepreload" href="\./(assets/[^"]+)" fetchpriority="low"')


DOCUMENT: dict[str, Any] = {
    "title": "The Drowned Bell",
    "narrative": "The *rain* goes on.",
    "characters": {"mira": {"name": "Mira", "hp": {"current": 22, "max": 22}}},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def held_up(context: BrowserContext, served: Guarded) -> asyncio.Event:
    """Hold up what a page shows itself with, until the event that is returned is set."""
    coming = asyncio.Event()
    answer = await context.request.get(f"{served.url}/play")
    later = LATER.findall(await answer.text())
    assert later

    async def hold(route: Route) -> None:
        await coming.wait()
        await route.continue_()

    for each in later:
        await context.route(f"**/{each}", hold)
    return coming


async def phone(browser: Browser) -> BrowserContext:
    """Return a slow phone that was never here."""
    return await browser.new_context(viewport=PHONE)  # type: ignore[arg-type]


async def test_the_game_is_seen_before_the_page_is_there(served: Guarded, browser: Browser) -> None:
    context = await phone(browser)
    coming = await held_up(context, served)
    watched = Watched(await context.new_page())
    await slowed(watched.page)
    await watched.page.goto(await seat(served, "mira"), wait_until="commit")
    await watched.shows("The *rain* goes on.")
    await expect(watched.page.locator("h1")).to_have_text("The Drowned Bell")
    # It is live already: what happens is seen.
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/narrative", "<b>Thunder.</b>"))
    await watched.shows("<b>Thunder.</b>")
    assert await watched.faults() == []
    assert await watched.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    coming.set()
    await watched.says("Live")
    await expect(watched.page.get_by_text("<b>Thunder.</b>")).to_have_count(1)
    assert watched.complaints == []


async def test_what_was_kept_is_seen_first_and_what_changed_is_still_told(
    served: Guarded, browser: Browser
) -> None:
    context = await phone(browser)
    watched = await opened(context, await seat(served, "mira"))
    await watched.says("Live")
    await watched.keeps("goes on")
    await watched.page.goto("about:blank")
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/characters/mira/hp/current", 9))
    coming = await held_up(context, served)
    await slowed(watched.page)
    await watched.page.goto(await seat(served, "mira"), wait_until="commit")
    await watched.shows("The *rain* goes on.")
    # The news came before there was anything to tell it.
    await watched.keeps('"current":9')
    coming.set()
    await watched.shows("Mira lost 13 hit points.")
    assert watched.complaints == []


async def test_a_page_that_does_not_come_whole_says_so(served: Guarded, browser: Browser) -> None:
    context = await phone(browser)
    await context.route("**/assets/page-*.js", lambda route: route.abort())
    watched = await opened(context, await seat(served, "mira"))
    await watched.shows("A part of this page did not come.")
    await context.unroute_all()
    await watched.page.get_by_role("button", name="Try again").click()
    await watched.says("Live")
