"""The developers' page and its own connection: message by message, and no token anywhere."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from tests.browser.test_inspect_page import KEPT, events, hit, inspecting, served
from tests.support.access import Guarded
from tests.support.pages import PATIENT
from tests.support.peer import put

__all__ = ["served"]


async def test_the_wire_shows_each_message_and_no_token(served: Guarded, browser: Browser) -> None:
    watched = await inspecting(served, await browser.new_context())
    page = watched.page
    token = await page.evaluate(KEPT)
    wire = page.get_by_role("region", name="Wire")
    messages = wire.locator(".message")
    for text in ("campaign_active", "heartbeat", "open"):
        await expect(messages.filter(has_text=text).first).to_be_visible(timeout=PATIENT)
    await expect(wire.locator(".message.out").filter(has_text="heartbeat").first).to_be_visible()
    await messages.filter(has_text="campaign_active").locator("summary").click()
    await expect(messages.filter(has_text="campaign_active")).to_contain_text('"max": 34')
    # Paused, it stays as it is, and then it goes on with all that came.
    await wire.get_by_role("button", name="Pause").click()
    async with served.calling("dm") as dm:
        await hit(dm, 5)
        # Somebody says the DM's own secret aloud.
        await dm.commit("c", put("/leak", token))
    await expect(wire.get_by_text(re.compile(r"paused, [1-9]"))).to_be_visible(timeout=PATIENT)
    await watched.shows("at version 3")
    assert await messages.filter(has_text="campaign_updated").count() == 0
    await wire.get_by_role("button", name="Pause").click()
    updates = messages.filter(has_text="campaign_updated")
    await expect(updates).to_have_count(2)
    await updates.first.locator("summary").click()
    await expect(updates.first).to_contain_text("••••")
    assert token not in await wire.inner_html()
    await wire.get_by_role("button", name="Clear").click()
    await expect(updates).to_have_count(0)
    assert watched.complaints == []


async def test_no_token_is_anywhere_in_the_page(served: Guarded, browser: Browser) -> None:
    watched = await inspecting(served, await browser.new_context())
    page = watched.page
    token = await page.evaluate(KEPT)
    assert token.count(".") == 2
    for each in await page.locator(".message summary").all():
        await each.click()
    await events(watched).first.click()
    assert token not in await page.content()
    assert token not in page.url
    assert not [each for each in watched.requested if token in each]
    # Of a DM's page nothing else is kept in the browser: no document, no event.
    assert "mira" not in await watched.kept()


async def test_the_wire_is_shown_where_no_socket_gets_through(
    served: Guarded, browser: Browser
) -> None:
    context = await browser.new_context()
    await context.route_web_socket(re.compile("/ws/"), lambda socket: socket.close())
    watched = await inspecting(served, context)
    async with served.calling("dm") as dm:
        await hit(dm, 5)
    await expect(events(watched).first).to_contain_text("hp.changed", timeout=PATIENT)
    for kind in ("campaign_updated", "campaign_active"):
        await expect(watched.page.locator(".message.in").filter(has_text=kind)).to_have_count(1)
    await expect(watched.page.locator(".message.out").first).to_contain_text("heartbeat")


async def test_no_more_than_five_hundred_messages_are_kept(
    served: Guarded, browser: Browser
) -> None:
    watched = await inspecting(served, await browser.new_context())
    async with served.calling("dm") as dm, dm.socket("dm", campaign_id="c") as peer:
        for number in range(520):
            await peer.say(type="signal", name=f"n{number}", data=None)
        await peer.ask(type="commit", id="last", patch=[put("/order", [])])
    await expect(events(watched).first).to_contain_text("/order", timeout=PATIENT)
    await expect(watched.page.locator(".message")).to_have_count(500)


async def test_the_figures_are_shown_or_it_is_said_that_they_are_not(
    served: Guarded, browser: Browser
) -> None:
    watched = await inspecting(served, await browser.new_context())
    figures = watched.page.locator(".figures-board")
    await expect(figures.get_by_text("Connections")).to_be_visible(timeout=PATIENT)
    await figures.get_by_text("Every connection").click()
    # Asked before its own connection was there, it asks again.
    await expect(figures.locator(".device")).to_contain_text("socket at 1", timeout=PATIENT)
    # Whoever comes through a proxy is not on this machine.
    context = await browser.new_context(extra_http_headers={"X-Forwarded-For": "192.0.2.1"})
    far = await inspecting(served, context)
    await far.shows("The server keeps its figures to itself")
    complaints = [each for each in far.complaints if "403" not in each]
    assert watched.complaints == complaints == []
