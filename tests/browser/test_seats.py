"""How one gets in, and stays in: links that are wrong, used, mangled, or another's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.client.proxy import Proxy
from tests.support.access import Guarded, guarded
from tests.support.pages import invite as make_invite
from tests.support.pages import opened, seat


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"narrative": "Rain.", "dm": {"plan": "CANARY"}})
        yield served


@pytest.mark.parametrize("page", ["play", "dm"])
async def test_a_mangled_link_costs_nobody_their_seat(
    served: Guarded, browser: Browser, page: str
) -> None:
    role = ("player", "mira") if page == "play" else ("dm", None)
    token = await served.token(*role)
    context = await browser.new_context()
    address = f"{served.url}/{page}?campaign_id=c"
    watched = await opened(context, f"{address}#token={token}")
    await watched.says("Live")
    others = [await served.token(*role, campaign_id="other")]
    if page != "play":
        # A player's at the DM's page.
        others.append(await served.token("player", "tobin"))
    for wrong in ("garbage", "a b", "x#token=y", *others):
        other = await opened(context, f"{address}#token={wrong}")
        await expect(
            other.page.get_by_role("alert").or_(other.page.locator(".lamp")).first
        ).to_be_visible()
        again = await opened(context, address)
        await again.says("Live")
        assert "token" not in again.page.url
        await other.page.close()
        await again.page.close()


async def test_a_link_that_was_not_taken_is_said_to_be(served: Guarded, browser: Browser) -> None:
    context = await browser.new_context()
    mine, other = await make_invite(served), await make_invite(served, "tobin")
    watched = await opened(context, mine)
    await watched.shows("You are mira.")
    # One's own, opened once more, is nothing to speak of.
    await watched.page.goto("about:blank")
    await watched.page.goto(mine)
    await watched.shows("You are mira.")
    await expect(watched.page.get_by_role("alert")).to_have_count(0)
    tobin = await opened(await browser.new_context(), other)
    await tobin.shows("You are tobin.")
    await watched.page.goto("about:blank")
    await watched.page.goto(other)
    await watched.shows("The link was not taken")
    await watched.shows("You are mira.")


async def test_a_token_that_was_not_taken_is_said_to_be(served: Guarded, browser: Browser) -> None:
    context = await browser.new_context()
    watched = await opened(context, await seat(served, "mira"))
    await watched.says("Live")
    for wrong in ("garbage", "cut off, and more"):
        other = await opened(context, f"{served.url}/play?campaign_id=c#token={wrong}")
        await other.shows("The link was not taken")
        await other.shows("You are mira.")
    stranger = await opened(
        await browser.new_context(), f"{served.url}/play?campaign_id=c#token=cut off, and more"
    )
    await stranger.shows("it is not whole")


async def test_a_link_to_elsewhere_takes_nothing_of_what_one_has_said(
    served: Guarded, browser: Browser
) -> None:
    context = await browser.new_context()
    async with Proxy.before(served.url) as proxy:
        watched = await opened(context, await seat(served, "mira", url=proxy.url))
        await watched.says("Live")
        proxy.deaf = True
        proxy.cut()
        await watched.page.get_by_label("What do you do?").fill("I wait.")
        await watched.page.get_by_role("button", name="Suggest").click()
        await watched.keeps("I wait.")
        await watched.page.close()
        proxy.deaf = False
        # Of another campaign; and one that has run out.
        for wrong in (
            await served.token("player", "mira", campaign_id="other"),
            await served.token("player", "mira", lasts=-1),
        ):
            address = f"{proxy.url}/play?campaign_id=c#token={wrong}"
            other = await opened(context, address)
            await other.shows("You are mira.")
            await other.says("Live")
            await expect(other.page.locator(".fates")).to_contain_text("With the DM")
            await other.page.close()


async def test_where_a_browser_keeps_nothing_the_game_is_played_all_the_same(
    served: Guarded, browser: Browser
) -> None:
    for nothing in (
        "Object.defineProperty(window, 'indexedDB', { value: null })",
        "indexedDB.open = () => { throw new Error('no') }",
        "indexedDB.open = () => ({})",
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })",
    ):
        context = await browser.new_context()
        await context.add_init_script(nothing)
        watched = await opened(context, await seat(served, "mira"))
        await watched.says("Live")
        await watched.shows("Rain.")
        await context.close()


async def test_a_link_is_taken_by_a_page_that_is_open_already(
    served: Guarded, browser: Browser
) -> None:
    watched = await opened(await browser.new_context(), await seat(served, "mira"))
    await watched.shows("You are mira.")
    await watched.page.goto(await make_invite(served, "tobin"))
    await watched.shows("You are tobin.")
    assert "invite" not in watched.page.url


async def test_nobody_is_told_what_programs_are_told(served: Guarded, browser: Browser) -> None:
    for page in ("play", "replay"):
        watched = await opened(await browser.new_context(), f"{served.url}/{page}?campaign_id=c")
        await watched.shows("This browser has no seat here")
    token = await served.token("player", "mira")
    for page in ("dm", "inspect"):
        context = await browser.new_context()
        watched = await opened(context, f"{served.url}/{page}?campaign_id=c#token={token}")
        await watched.shows("This page is the DM")
        await watched.page.get_by_role("link", name="Go to your own page").click()
        await watched.shows("You are mira.")


async def test_what_a_dm_sees_at_a_players_page_is_not_left_there(
    served: Guarded, browser: Browser
) -> None:
    token = await served.token("dm")
    watched = await opened(
        await browser.new_context(), f"{served.url}/play?campaign_id=c#token={token}"
    )
    await watched.shows("CANARY")
    assert "CANARY" not in await watched.kept()


async def test_whoever_knows_the_address_alone_comes_to_the_table(
    served: Guarded, browser: Browser
) -> None:
    watched = await opened(await browser.new_context(), served.url)
    await watched.shows("This browser has no seat here")
