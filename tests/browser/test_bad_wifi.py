"""Pages on bad wifi: whatever happens to a connection, they say so, and end live by themselves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.client.proxy import Proxy
from tests.support.access import Guarded, guarded, mint_for, store_url
from tests.support.pages import PATIENT, Watched, opened, seat
from tests.support.peer import calling, put
from tests.support.server import Served, bearer
from tools.access import opened_access

DOCUMENT: dict[str, Any] = {
    "narrative": "Rain.",
    "characters": {
        "mira": {"name": "Mira", "hp": {"current": 22, "max": 22}},
        "tobin": {"name": "Tobin", "hp": {"current": 34, "max": 34}},
    },
}
# Seconds; longer than a page takes for one that did not sleep.
SLEEP = 6
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def commit(served: Guarded, *patch: dict[str, Any]) -> None:
    """Commit as DM, straight to the server."""
    async with served.calling("dm") as dm:
        await dm.commit("c", *patch)


async def at_table(browser: Browser, served: Guarded, url: str) -> list[Watched]:
    """Return three at one table: two at wide screens, one with a phone."""
    found = []
    for who, size in (("mira", WIDE), ("tobin", WIDE), ("oda", PHONE)):
        context = await browser.new_context(viewport=size)  # type: ignore[arg-type]
        found.append(await opened(context, await seat(served, who, url=url)))
    for watched in found:
        await watched.says("Live")
    return found


async def test_a_cut_network_is_told_and_made_good_for_all_at_the_table(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        table = await at_table(browser, served, proxy.url)
        proxy.down = True
        proxy.cut()
        for watched in table:
            await watched.says("Reconnecting")
        await commit(served, put("/narrative", "While you were cut off."))
        await commit(served, put("/characters/mira/hp/current", 9))
        for watched in table:
            # What they still see is said to be old, once it is.
            await watched.says("what you see is")
            await expect(watched.page.get_by_text("While you were cut off.")).to_have_count(0)
        # What is said meanwhile is sent once, when there is somebody to say it to.
        await table[0].page.get_by_label("What do you do?").fill("I shout.")
        await table[0].page.get_by_role("button", name="Suggest").click()
        await expect(table[0].page.locator(".fates")).to_contain_text("On its way")
        proxy.down = False
        for watched in table:
            await watched.says("Live")
            await watched.shows("While you were cut off.")
        await expect(table[0].page.locator(".fates")).to_contain_text("With the DM")
        await expect(table[1].page.get_by_text("9 / 22").first).to_be_visible()
    async with served.calling("dm") as dm:
        _, answer = await dm("GET", "/api/campaigns/c/events?kind=suggestion.made")
        assert [each["data"]["content"] for each in answer["events"]] == ["I shout."]


async def test_a_suggestion_made_offline_outlives_a_reload(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        context = await browser.new_context()
        watched = await opened(context, await seat(served, "mira", url=proxy.url))
        await watched.says("Live")
        # The page itself still comes; what it would follow does not.
        proxy.deaf = True
        proxy.cut()
        await watched.page.get_by_label("What do you do?").fill("I wait.")
        await watched.page.get_by_role("button", name="Suggest").click()
        await watched.keeps("I wait.")
        proxy.deaf = False
        await watched.page.reload()
        await watched.says("Live")
        await expect(watched.page.locator(".fates li")).to_have_count(1)
        await expect(watched.page.locator(".fates")).to_contain_text("With the DM")


async def test_a_reload_shows_the_last_view_at_once_and_then_what_changed(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        context = await browser.new_context()
        watched = await opened(context, await seat(served, "mira", url=proxy.url))
        await watched.shows("22 / 22")
        await watched.keeps("Rain.")
        await commit(served, put("/characters/mira/hp/current", 9))
        await watched.keeps('"current":9')
        # Sockets, streams and polls are held up; the page is not.
        await context.route("**/api/**", lambda route: route.abort())
        proxy.socketless = True
        proxy.cut()
        await commit(served, put("/characters/mira/hp/current", 4))
        await watched.page.reload()
        await watched.shows("This is how you left it.")
        await watched.shows("9 / 22")
        await context.unroute_all()
        proxy.socketless = False
        await watched.shows("While you were gone")
        await watched.shows("Mira lost 5 hit points.")
        await watched.shows("4 / 22")


async def test_a_killed_server_is_come_back_to(tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "q.db"
    async with Served.start(path, options=()) as live, opened_access(store_url(path)) as access:
        dm = bearer(await mint_for(access, "c", "dm"))
        async with calling(live.url) as call:
            body = {"structured_data": DOCUMENT}
            status, _ = await call("PUT", "/api/campaigns/c", headers=dm, json=body)
            assert status == 201
        token = await mint_for(access, "c", "player", "mira")
        url = f"{live.url}/play?campaign_id=c#token={token}"
        watched = await opened(await browser.new_context(), url)
        await watched.says("Live")
        await live.kill()
        await watched.says("Reconnecting")
        await live.restart()
        await watched.says("Live")
        async with calling(live.url) as call:
            change = {"patch": [put("/narrative", "After the fall.")]}
            events = "/api/campaigns/c/events"
            status, _ = await call("POST", events, headers=dm, json=change)
            assert status == 201
        await watched.shows("After the fall.")


async def test_where_no_socket_gets_through_another_way_is_found(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        proxy.socketless = True
        watched = await opened(
            await browser.new_context(), await seat(served, "mira", url=proxy.url)
        )
        await watched.says("Live")
        await commit(served, put("/narrative", "By other ways."))
        await watched.shows("By other ways.")
        await watched.page.get_by_label("What do you do?").fill("I knock.")
        await watched.page.get_by_role("button", name="Suggest").click()
        await expect(watched.page.locator(".fates")).to_contain_text("With the DM")


async def test_a_machine_that_slept_is_live_again_when_it_wakes(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        context = await browser.new_context()
        watched = await opened(context, await seat(served, "mira", url=proxy.url))
        await watched.says("Live")
        before = proxy.accepted
        processes = await processes_of(browser)
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            # The network forgets the connection meanwhile: nobody is told, here or there.
            proxy.forget()
            await commit(served, put("/narrative", "While you slept."))
            await asyncio.sleep(SLEEP)
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)
        await watched.shows("While you slept.")
        await watched.says("Live")
        assert proxy.accepted > before


async def processes_of(browser: Browser) -> list[int]:
    """Return the ids of all processes that a browser consists of."""
    session = await browser.new_browser_cdp_session()
    info = await session.send("SystemInfo.getProcessInfo")
    return [each["id"] for each in info["processInfo"]]


async def test_what_the_browser_calls_offline_is_called_so(
    served: Guarded, browser: Browser
) -> None:
    context = await browser.new_context()
    async with Proxy.before(served.url) as proxy:
        watched = await opened(context, await seat(served, "mira", url=proxy.url))
        await watched.says("Live")
        await context.set_offline(True)
        proxy.cut()
        await watched.says("Offline")
        await context.set_offline(False)
        await watched.says("Live")
        await expect(watched.page.get_by_text("22 / 22").first).to_be_visible(timeout=PATIENT)
