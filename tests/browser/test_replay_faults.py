"""What goes wrong at a replay: a log that goes on, links to nowhere, a server that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.test_replay import at
from tests.client.proxy import Proxy
from tests.support.access import Guarded, guarded
from tests.support.pages import PATIENT, Watched, opened
from tests.support.peer import put

DOCUMENT: dict[str, Any] = {
    "title": "The Drowned Bell",
    "characters": [
        {"name": "Goblin", "hp": {"current": 7, "max": 7}},
        {"name": "Goblin", "hp": {"current": 5, "max": 7}},
        {"name": "Mira", "hp": {"current": 22, "max": 22}},
    ],
    "dm": {"plan": "CANARY"},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`, of 12 events."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        for points in range(11):
            await dm.commit("c", put("/characters/2/hp/current", points), kind="canary-secret.plot")
        yield served


async def replaying(served: Guarded, browser: Browser, query: str, url: str = "") -> Watched:
    """Open the replay."""
    token = await served.token("dm")
    address = f"{url or served.url}/replay?campaign_id=c{query}#token={token}"
    watched = await opened(await browser.new_context(), address)
    await expect(watched.page.get_by_role("slider")).to_be_visible(timeout=PATIENT)
    return watched


async def test_what_came_between_is_seen_before_it_is_undone(
    served: Guarded, browser: Browser
) -> None:
    watched = await replaying(served, browser, "&version=4")
    page = watched.page
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await go_on.wait()
        await route.continue_()

    await page.route("**/rewind", hold)
    await page.get_by_role("button", name="Rewind to here").click()
    await asked.wait()
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/brandnew", {"a": 1}))
        await dm.commit("c", put("/brandnew/a", 2))
        go_on.set()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Brandnew")
        # And what comes after that is refused, shown, and said until another press.
        await dm.commit("c", put("/latest", 1))
        await dialog.get_by_role("button", name="Rewind to version 4").click()
        await expect(dialog).to_contain_text("Something happened in the meantime")
        await expect(dialog).to_contain_text("Latest")
        await expect(dialog).to_contain_text("Something happened in the meantime")
        assert await watched.faults() == []
        await dialog.get_by_role("button", name="Rewind to version 4").click()
        await at(watched, 16)
        _, answer = await dm("GET", "/api/campaigns/c/state")
    assert "latest" not in answer["structured_data"]
    # In a list, nobody comes back alone: their place may be another's by now.
    await page.get_by_role("slider").fill("2")
    await page.get_by_role("button", name="Rewind to here").click()
    options = await dialog.get_by_label("What comes back").locator("option").all_inner_texts()
    assert options[0] == "Everything"
    assert not [each for each in options if "Goblin" in each or "Mira" in each]


async def test_a_link_to_nowhere_says_so(served: Guarded, browser: Browser) -> None:
    for query, told in {
        "&version=99999": "There is no version 99999",
        "&version=abc": "There is no version abc",
        "&at=garbage": "garbage is no moment",
        "&as=foo": "There is no viewer foo",
    }.items():
        watched = await replaying(served, browser, query)
        await watched.shows(told)
        await watched.page.context.close()


async def test_only_what_is_a_version_or_a_moment_is_gone_to(
    served: Guarded, browser: Browser
) -> None:
    watched = await replaying(served, browser, "&version=5")
    field = watched.page.get_by_label("Go to a version, or a moment")
    for wrong in ("-5", "1.5", "mira 5", "0", "13", "25:00"):
        await field.fill(wrong)
        await field.press("Enter")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await at(watched, 5)
    await field.fill("2100-01-01")
    await field.press("Enter")
    await at(watched, 12)
    await field.fill("#3")
    await field.press("Enter")
    await at(watched, 3)


async def test_through_anothers_eyes_nothing_of_the_log_is_shown(
    served: Guarded, browser: Browser
) -> None:
    watched = await replaying(served, browser, "&version=5&as=player:mira")
    await expect(watched.page.locator(".figures").first).to_be_visible(timeout=PATIENT)
    text = await watched.page.locator("main").inner_text()
    assert "canary" not in text.lower()
    await expect(watched.page.get_by_role("button", name="Rewind to here")).to_have_count(0)
    await watched.page.get_by_label("Seen as").select_option("dm")
    await watched.shows("canary-secret.plot")


async def test_a_server_that_is_gone_is_said_to_be_and_come_back_to(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        watched = await replaying(served, browser, "&version=5&as=player:mira", proxy.url)
        await watched.says("Live")
        proxy.down = True
        proxy.cut()
        await watched.says("Reconnecting")
        await watched.page.keyboard.press("End")
        await watched.shows("The server could not be reached.")
        async with served.calling("dm") as dm:
            await dm.commit("c", put("/characters/2/hp/current", 17))
        proxy.down = False
        # By itself, without a hand on the scrubber.
        await expect(watched.page.get_by_text("10 / 22").first).to_be_visible(timeout=PATIENT)
        await watched.says("Live")
        await expect(watched.page.locator(".where")).to_contain_text("of 13", timeout=PATIENT)


async def test_a_log_that_is_another_by_now_is_not_gone_on_with(
    served: Guarded, browser: Browser
) -> None:
    watched = await replaying(served, browser, "")

    async def other(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        for event in body["events"]:
            event["hash"] = "0" * 64
        await route.fulfill(response=answer, json=body)

    await watched.page.route("**/events?*", other)
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/title", "Another log"))
    await watched.shows("This is another log by now.")
    await watched.page.unroute_all()
    await watched.page.get_by_role("button", name="Read it anew").click()
    await expect(watched.page.locator(".where")).to_contain_text("of 13", timeout=PATIENT)
    await expect(watched.page.get_by_text("another log by now")).to_have_count(0)
