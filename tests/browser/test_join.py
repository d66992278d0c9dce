"""The page of an invite, in a real browser: a link becomes a seat, and the seat a live view."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from server.access.invites import make_invite
from tests.support.access import Guarded, guarded, mint_for, store_url
from tests.support.peer import Caller, calling, put
from tests.support.server import Served, bearer
from tools.access import link_of, opened_access

DAY = 86_400
NARRATIVE = "Rain. <img src=x onerror=alert(1)>"
DOCUMENT = {
    "narrative": NARRATIVE,
    "characters": {"mira": {"name": "Mira <b>Tallow</b>", "hp": {"current": 7, "max": 22}}},
    "dm": {"plan": "CANARY-DM"},
    "private": {"tobin": {"note": "CANARY-TOBIN"}},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def link(served: Guarded, *, max_uses: int | None = 1) -> str:
    """Return a link for mira."""
    now = time.time_ns() // 1_000_000
    _, secret = await make_invite(
        served.access,
        "c",
        "mira",
        "player",
        max_uses=max_uses,
        expires_at=now + DAY * 1000,
        lasts=DAY,
        now_ms=now,
    )
    return link_of(served.url, "c", secret)


class Watched:
    """A page whose complaints and requests are kept."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requested: list[str] = []
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self._heard("error", str(error)))
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("websocket", lambda socket: self.requested.append(socket.url))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


async def opened(context: BrowserContext, url: str) -> Watched:
    """Open a link in a new page."""
    watched = Watched(await context.new_page())
    await watched.page.goto(url)
    return watched


async def test_a_link_becomes_a_seat_that_follows_the_game(
    served: Guarded, browser: Browser
) -> None:
    context = await browser.new_context()
    url = await link(served)
    secret = url.rpartition("=")[2]
    watched = await opened(context, url)
    page = watched.page
    await expect(page.locator("#status")).to_have_text("Live, at version 1.")
    await expect(page.locator("#seat")).to_have_text("You are mira.")
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/characters/mira/hp/current", 3))
    await expect(page.locator("#party small")).to_have_text("3 / 22")
    # Text from the table is text.
    await expect(page.locator("#story")).to_have_text(NARRATIVE)
    await expect(page.locator("#party span")).to_have_text("Mira <b>Tallow</b>")
    assert await page.locator("#story img, #party b").count() == 0
    assert "CANARY" not in await page.content()
    # The secret is in no address, and nothing was asked of anybody else.
    assert secret not in page.url
    assert not [each for each in watched.requested if secret in each or "token=" in each]
    assert all(served.url.partition("//")[2] in each for each in watched.requested)
    await page.reload()
    await expect(page.locator("#seat")).to_have_text("You are mira.")
    await expect(page.locator("#status")).to_have_text("Live, at version 2.")
    assert watched.complaints == []
    await context.close()


async def test_a_link_for_one_is_no_link_for_another(served: Guarded, browser: Browser) -> None:
    url = await link(served)
    first, second = await browser.new_context(), await browser.new_context()
    watched = await opened(first, url)
    await expect(watched.page.locator("#status")).to_have_text("Live, at version 1.")
    late = await opened(second, url)
    await expect(late.page.locator("#status")).to_contain_text("This invite has been used")
    await expect(late.page.locator("#table")).to_be_hidden()
    again = await opened(first, url)
    await expect(again.page.locator("#status")).to_have_text("Live, at version 1.")
    bare = await opened(second, f"{served.url}/join?campaign_id=c")
    await expect(bare.page.locator("#status")).to_contain_text("ask the DM for a link")


async def test_a_player_shown_out_is_told_and_does_not_come_back(
    served: Guarded, browser: Browser
) -> None:
    watched = await opened(await browser.new_context(), await link(served))
    await expect(watched.page.locator("#status")).to_have_text("Live, at version 1.")
    await served.access.remove_member("c", "mira", time.time_ns() // 1_000_000)
    await expect(watched.page.locator("#status")).to_contain_text("You have no seat")
    sockets = [each for each in watched.requested if each.startswith("ws")]
    assert len(sockets) == 1


async def test_the_page_comes_back_to_a_server_that_was_killed(
    tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "q.db"
    async with Served.start(path, options=()) as live, opened_access(store_url(path)) as access:
        dm = await mint_for(access, "c", "dm")
        async with calling(live.url) as call:
            await made(call, dm)
        seat = await mint_for(access, "c", "player", "mira")
        url = f"{live.url}/join?campaign_id=c#token={seat}"
        watched = await opened(await browser.new_context(), url)
        await expect(watched.page.locator("#status")).to_have_text("Live, at version 1.")
        await live.kill()
        await expect(watched.page.locator("#status")).to_contain_text("trying again")
        await live.restart()
        await expect(watched.page.locator("#status")).to_have_text(
            "Live, at version 1.", timeout=20_000
        )


async def made(call: Caller, token: str) -> None:
    """Make campaign `c`."""
    body = {"structured_data": DOCUMENT}
    status, _ = await call("PUT", "/api/campaigns/c", headers=bearer(token), json=body)
    assert status == 201
