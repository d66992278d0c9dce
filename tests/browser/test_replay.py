"""The replay, in a real browser: any version at once, as anybody saw it, and a way back to it."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, expect

from tests.support.access import Guarded, guarded
from tests.support.pages import PATIENT, Watched, opened
from tests.support.peer import put

EVENTS = 300
DOCUMENT: dict[str, Any] = {
    "title": "The Drowned Bell",
    "narrative": "Rain.",
    "all_narratives": [],
    "characters": {
        "mira": {"name": "Mira", "hp": {"current": 22, "max": 22}},
        "tobin": {"name": "Tobin", "hp": {"current": 34, "max": 34}},
    },
    "dm": {"plan": "CANARY-DM"},
    "private": {"tobin": {"note": "CANARY-TOBIN"}},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`: a session with some hundred events."""
    rng = random.Random(5)
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        await dm("POST", "/api/campaigns/c/activate", json={"title": "The first evening"})
        for number in range(3, EVENTS):
            who = rng.choice(("mira", "tobin"))
            points = put(f"/characters/{who}/hp/current", rng.randrange(23))
            await dm.commit("c", points, put("/turn", number), kind="combat.damage")
        yield served


async def replaying(served: Guarded, context: BrowserContext, query: str = "") -> Watched:
    """Open the replay."""
    token = await served.token("dm")
    watched = await opened(context, f"{served.url}/replay?campaign_id=c{query}#token={token}")
    await expect(watched.page.get_by_role("slider")).to_be_visible(timeout=PATIENT)
    return watched


async def at(watched: Watched, version: int) -> None:
    """Wait until the page shows a version."""
    slider = watched.page.get_by_role("slider")
    await expect(slider).to_have_value(str(version), timeout=PATIENT)


async def test_any_version_is_what_the_server_says_it_was(
    served: Guarded, browser: Browser
) -> None:
    watched = await replaying(served, await browser.new_context())
    slider = watched.page.get_by_role("slider")
    async with served.calling("dm") as dm:
        for version in (1, 150, 47, EVENTS - 1):
            await slider.fill(str(version))
            await at(watched, version)
            _, answer = await dm("GET", f"/api/campaigns/c/state?version={version}")
            for each in answer["structured_data"]["characters"].values():
                shown = f"{each['hp']['current']} / {each['hp']['max']}"
                await expect(watched.page.locator(".figures", has_text=shown).first).to_be_visible()
    assert watched.complaints == []


async def test_it_is_stepped_by_keyboard_and_played(served: Guarded, browser: Browser) -> None:
    watched = await replaying(served, await browser.new_context(), "&version=10")
    page = watched.page
    await at(watched, 10)
    await page.keyboard.press("ArrowRight")
    await at(watched, 11)
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await at(watched, 9)
    await page.keyboard.press("End")
    await at(watched, EVENTS - 1)
    await page.keyboard.press("Home")
    await at(watched, 1)
    await page.keyboard.press("Space")
    await expect(page.get_by_role("slider")).not_to_have_value("1", timeout=PATIENT)
    # A link to this very moment leads there.
    await page.keyboard.press("Space")
    version = await page.get_by_role("slider").input_value()
    await expect(page).to_have_url(re.compile(f"version={version}$"), timeout=PATIENT)
    assert "token" not in page.url
    await page.reload()
    await at(watched, int(version))


async def test_what_a_player_saw_holds_no_secret(served: Guarded, browser: Browser) -> None:
    watched = await replaying(served, await browser.new_context(), "&version=100&as=player:mira")
    await expect(watched.page.locator(".figures").first).to_be_visible(timeout=PATIENT)
    shown = await watched.page.locator("main").inner_text()
    assert "CANARY" not in shown


async def test_a_rewind_is_looked_at_first_and_then_made(served: Guarded, browser: Browser) -> None:
    watched = await replaying(served, await browser.new_context(), "&version=1")
    page = watched.page
    await at(watched, 1)
    await page.get_by_role("button", name="Rewind to here").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Rewind", exact=False).last.click()
    async with served.calling("dm") as dm:
        await at(watched, EVENTS)
        _, answer = await dm("GET", "/api/campaigns/c/state")
    assert answer["version"] == EVENTS
    assert answer["structured_data"] == DOCUMENT


async def test_nothing_is_in_the_way_of_those_who_do_not_see(
    served: Guarded, browser: Browser
) -> None:
    for scheme, width in product(("dark", "light"), (360, 1280)):
        context = await browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 800},
            reduced_motion="reduce",
        )
        watched = await replaying(served, context, "&version=50")
        assert await watched.faults() == [], (scheme, width)
        wide = await watched.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        await context.close()


async def test_a_player_has_no_log_to_replay(served: Guarded, browser: Browser) -> None:
    token = await served.token("player", "mira")
    watched = await opened(
        await browser.new_context(), f"{served.url}/replay?campaign_id=c#token={token}"
    )
    await expect(watched.page.get_by_role("alert")).to_be_visible(timeout=PATIENT)
    assert "CANARY" not in await watched.page.content()
