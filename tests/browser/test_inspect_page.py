"""The developers' page, in a real browser: the log as it grows, blame, and the wire."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, expect

from eventstore.looking.blame import blame
from tests.support.access import Guarded, guarded
from tests.support.pages import PATIENT, Watched, opened, seat
from tests.support.peer import Caller, put

HARM = "<img src=x onerror=alert(1)><script>alert(2)</script>"
DOCUMENT: dict[str, Any] = {
    "title": "The <i>Drowned</i> Bell",
    "characters": {
        "mira": {"hp": {"current": 22, "max": 22}, "note": HARM},
        "tobin": {"hp": {"current": 30, "max": 34}, "bag": ["rope", "lamp"]},
    },
    "order": ["mira", "tobin"],
    HARM: "a key",
}
PAGE = 200
# The token of the seat, where the page keeps it.
KEPT = "Object.values(localStorage)[0]"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def inspecting(served: Guarded, context: BrowserContext) -> Watched:
    """Open the page with a DM's token."""
    token = await served.token("dm")
    watched = await opened(context, f"{served.url}/inspect?campaign_id=c#token={token}")
    await watched.says("Live")
    await expect(events(watched).first).to_be_visible(timeout=PATIENT)
    return watched


def events(watched: Watched) -> Locator:
    """Return the rows of the stream that are drawn."""
    return watched.page.get_by_role("option")


async def hit(dm: Caller, points: int, **more: Any) -> None:
    """Commit that Mira has so many hit points."""
    patch = {"op": "replace", "path": "/characters/mira/hp/current", "value": points}
    await dm.commit("c", patch, kind="hp.changed", **more)


async def blamed(watched: Watched) -> dict[str, int]:
    """Return the version blamed for each pointer, once all are found."""
    board = watched.page.locator(".blame")
    await expect(board.get_by_role("status")).to_contain_text("As of version", timeout=PATIENT)
    while await (more := board.get_by_role("button", name=re.compile(r"\d+ more"))).count():
        await more.click()
    rows = await board.locator(".blamed li").evaluate_all(
        "all => all.map(each => [...each.querySelectorAll('.pointer, .by .place')]"
        ".map(part => part.textContent))"
    )
    return {pointer: int(version.removeprefix("version ")) for pointer, version in rows}


async def test_events_appear_as_they_happen_and_one_is_looked_into(
    served: Guarded, browser: Browser
) -> None:
    watched = await inspecting(served, await browser.new_context())
    page = watched.page
    assert await events(watched).count() == 1
    async with served.calling("dm") as dm:
        await hit(dm, 17, id="hit-1", meta={"source": "arrow trap"})
    row = events(watched).first
    await expect(row).to_contain_text("hp.changed", timeout=PATIENT)
    await expect(row).to_contain_text("/characters/mira/hp/current = 17")
    await row.click()
    panel = page.get_by_role("region", name="Event", exact=True)
    for text in ("hit-1", "hp.changed", "replace", "/characters/mira/hp/current", "arrow trap"):
        await expect(panel.get_by_text(text).first).to_be_visible()
    [event] = await served.services.store.read("c", after=1)
    for text in (event.at, event.request):
        await expect(panel.get_by_text(text)).to_be_visible()
    hashed = await served.services.store.hash_at("c", 2)
    assert hashed is not None
    await expect(panel.get_by_text(hashed)).to_be_visible()
    # From one event to the one before it.
    await panel.get_by_role("button", name="Before").click()
    await expect(panel.get_by_role("heading", name="Event 1", exact=True)).to_be_visible()
    await expect(panel.get_by_text("campaign.created")).to_be_visible()
    assert watched.complaints == []


async def test_filters_narrow_the_stream(served: Guarded, browser: Browser) -> None:
    async with served.calling("dm") as dm:
        await hit(dm, 17)
        await dm.commit("c", put("/order/0", "wraith"), kind="order.changed")
        await dm.commit("c", put("/characters/tobin/hp/current", 3), kind="hp.changed")
    async with (
        served.calling("player", "mira") as mira,
        mira.socket("player", campaign_id="c") as peer,
    ):
        await peer.ask(type="player_suggestion", id="s-1", content="Hold the LAMP lower")
    watched = await inspecting(served, await browser.new_context())
    page = watched.page
    found = {
        ("Kind", "hp.changed"): [4, 2],
        ("Actor", "mira"): [5],
        # Whatever put the whole document touched this, too.
        ("Touches path", "/characters/tobin"): [4, 1],
        ("Text in it", "wraith"): [3],
        # Of what a built-in kind carries, too; however it is written.
        ("Text in it", "lamp lower"): [5],
    }
    for (name, text), versions in found.items():
        field = page.get_by_role("searchbox", name=name).or_(
            page.get_by_role("combobox", name=name)
        )
        await field.fill(text)
        await expect(events(watched)).to_have_count(len(versions))
        shown = await events(watched).locator(".version").all_text_contents()
        assert shown == [str(each) for each in versions]
        await field.fill("")
    await page.get_by_label("Text in it").fill("nowhere at all")
    await watched.shows("Nothing of that among these events.")
    await page.get_by_label("Text in it").fill("")
    await page.get_by_label("Kind").fill("hp")
    await page.get_by_label("Touches path").fill("/characters/mira")
    await expect(events(watched)).to_have_count(1)
    assert watched.complaints == []


async def test_a_long_log_is_read_backwards_and_few_rows_are_drawn(
    served: Guarded, browser: Browser
) -> None:
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/order/0", "wraith"), kind="order.changed")
        for points in range(2 * PAGE + 20):
            await hit(dm, points)
    head = 2 * PAGE + 22
    watched = await inspecting(served, await browser.new_context())
    page = watched.page
    await watched.shows(f"{PAGE} loaded")
    assert await events(watched).count() < 60
    await expect(events(watched).first).to_have_attribute("aria-setsize", str(PAGE))
    # Whoever has gone back stays where they are, whatever happens.
    stream = page.get_by_role("listbox")
    await stream.evaluate("element => { element.scrollTop = 5000 }")
    top = page.locator(".event").nth(8)
    await expect(page.get_by_role("button", name="Newest")).to_be_visible()
    before = await top.get_attribute("id")
    async with served.calling("dm") as dm:
        await hit(dm, 1_000)
    await watched.shows(f"at version {head + 1}")
    await expect(page.locator(".event").first).to_have_attribute("aria-setsize", str(PAGE + 1))
    assert await top.get_attribute("id") == before
    await page.get_by_role("button", name="Newest").click()
    await expect(events(watched).first).to_contain_text("1000")
    # What is not loaded is looked for further back.
    await page.get_by_label("Kind").fill("order.changed")
    await watched.shows("Nothing of that among these events.")
    await page.get_by_role("button", name="Look further back").click()
    await expect(events(watched)).to_have_count(1, timeout=PATIENT)
    await expect(events(watched).locator(".version")).to_have_text("2")
    await page.get_by_label("Kind").fill("")
    await watched.shows(f"{head + 1} loaded")
    await watched.shows("Read to the beginning")
    assert watched.complaints == []


async def test_a_value_is_blamed_on_the_event_that_set_it(
    served: Guarded, browser: Browser
) -> None:
    async with served.calling("dm") as dm:
        await hit(dm, 17)
        await dm.commit("c", put("/order/0", "wraith"))
        for points in range(PAGE + 100):
            await dm.commit("c", put("/characters/tobin/hp/current", points))
        # Written again as it was: that changes nothing.
        await hit(dm, 17)
    last = PAGE + 104
    watched = await inspecting(served, await browser.new_context())
    page = watched.page
    tree = page.get_by_role("region", name="Document")
    await tree.get_by_role("button", name="Inside /characters", exact=True).click()
    await tree.get_by_role("button", name="Blame mira").click()
    assert await blamed(watched) == {"/hp/current": 2, "/hp/max": 1, "/note": 1}
    await expect(page.locator(".blame").get_by_role("status")).to_contain_text(
        f"Looked at versions 1 to {last}"
    )
    # An element that was moved along by another keeps its blame.
    await tree.get_by_role("button", name="Blame order").click()
    await expect(page.locator(".blame h2")).to_contain_text("/order")
    assert await blamed(watched) == {"/0": 3, "/1": 1, "/2": 1}
    # Of an event's path: who has set it as it is now, and who had before.
    await events(watched).first.click()
    await page.get_by_role("button", name="Blame /characters/mira/hp/current").click()
    assert await blamed(watched) == {"/characters/mira/hp/current": 2}
    await events(watched).nth(1).click()
    await page.get_by_role("button", name="Blame /characters/tobin/hp/current").click()
    assert await blamed(watched) == {"/characters/tobin/hp/current": last - 1}
    await page.get_by_role("button", name=f"Before event {last - 1}").click()
    await expect(page.locator(".blame").get_by_role("status")).to_contain_text(f"{last - 2}.")
    assert await blamed(watched) == {"/characters/tobin/hp/current": last - 2}
    # The event that is named is opened.
    await page.get_by_role("button", name=f"version {last - 2}").click()
    await expect(page.get_by_role("heading", name=f"Event {last - 2}")).to_be_visible()
    assert watched.complaints == []


async def test_it_blames_whom_the_command_line_blames(served: Guarded, browser: Browser) -> None:
    rng = random.Random(7)
    async with served.calling("dm") as dm:
        for number in range(300):
            await dm.commit("c", *(_step(rng, number) for _ in range(rng.randrange(1, 3))))
    told = await blame(served.services.store, "c", "")
    watched = await inspecting(served, await browser.new_context())
    assert len({each.version for each in told}) > 10
    await watched.page.get_by_label("Kind").fill("campaign.created")
    # The first event is beyond what is loaded.
    await watched.shows("Nothing of that among these events.")
    await watched.page.get_by_role("button", name="Look further back").click()
    await events(watched).first.click(timeout=PATIENT)
    await watched.page.get_by_role("button", name="Blame the whole document").click()
    assert await blamed(watched) == {each.path: each.version for each in told}
    assert watched.complaints == []


def _step(rng: random.Random, number: int) -> dict[str, Any]:
    """Return an operation on a list; one that does not apply has its commit refused."""
    here, there = (rng.choice(("/order", "/characters/tobin/bag")) for _ in range(2))
    place = f"{here}/{rng.randrange(5)}"
    return rng.choice(
        [
            put(place, number),
            put(f"{here}/-", {"n": number, "same": True}),
            {"op": "remove", "path": place},
            {"op": "move", "from": f"{there}/{rng.randrange(4)}", "path": place},
            {"op": "copy", "from": f"{there}/{rng.randrange(4)}", "path": f"{here}/-"},
            {"op": "replace", "path": place, "value": rng.randrange(3)},
        ]
    )


async def test_whatever_the_text_is_it_does_no_harm(served: Guarded, browser: Browser) -> None:
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/characters/mira/note", HARM * 2), meta={HARM: HARM})
        await dm.commit("c", put("/wide", "w" * 100_000))
    for width in (360, 1280):
        context = await browser.new_context(viewport={"width": width, "height": 740})
        watched = await inspecting(served, context)
        page = watched.page
        await expect(page.locator("h1")).to_have_text("The <i>Drowned</i> Bell")
        for row in (0, 1):
            if width == 360:
                await watched.panel("Log")
            await events(watched).nth(row).click()
            event = page.get_by_role("region", name="Event", exact=True)
            await expect(event).to_contain_text("wwww" if row == 0 else HARM)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.get_by_role("button", name="Blame /characters/mira/note").click()
        assert await blamed(watched) == {"/characters/mira/note": 2}
        for panel in ("Document", "Wire") if width == 360 else ():
            await watched.panel(panel)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, panel
        assert await page.locator("img, script:not([src])").count() == 0
        assert watched.complaints == []
        await context.close()


async def test_a_player_is_told_whose_page_this_is(served: Guarded, browser: Browser) -> None:
    watched = await opened(await browser.new_context(), await seat(served, "mira", page="inspect"))
    await watched.shows("This page is the DM")
    await expect(watched.page.get_by_role("link")).to_have_attribute("href", "./play?campaign_id=c")
    assert await watched.faults() == []
    assert not [each for each in watched.requested if "/api/" in each or each.startswith("ws")]
    # Such a token is not kept where a DM's would be.
    assert await watched.page.evaluate("localStorage.length") == 0
    stranger = await opened(await browser.new_context(), f"{served.url}/inspect?campaign_id=c")
    await stranger.shows("The table is closed to you")


async def test_nothing_is_in_the_way_of_those_who_do_not_see(
    served: Guarded, browser: Browser
) -> None:
    async with served.calling("dm") as dm:
        await hit(dm, 5, meta={"roll": [1, 2]})
    for scheme, width in product(("dark", "light"), (360, 1280)):
        context = await browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 740},
            reduced_motion="reduce",
        )
        watched = await inspecting(served, context)
        page = watched.page
        assert await watched.faults() == [], (scheme, width)
        await events(watched).first.click()
        await page.get_by_role("button", name="Blame /characters/mira/hp/current").click()
        await blamed(watched)
        for panel in ("Event", "Document", "Wire") if width == 360 else ("all",):
            if width == 360:
                await watched.panel(panel)
            assert await watched.faults() == [], (scheme, width, panel)
        await page.locator(".message summary").first.click()
        assert await watched.faults() == [], (scheme, width)
        await context.close()


async def test_the_page_is_used_by_keyboard_alone(served: Guarded, browser: Browser) -> None:
    async with served.calling("dm") as dm:
        await hit(dm, 5)
        await hit(dm, 4)
    watched = await inspecting(served, await browser.new_context())
    page = watched.page
    await _tab(watched, "Events, newest first")
    for key in ("ArrowDown", "ArrowDown"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("heading", name="Event 2")).to_be_visible()
    await expect(page.get_by_role("listbox")).to_have_attribute("aria-activedescendant", "event-2")
    await page.keyboard.press("Home")
    await expect(page.get_by_role("heading", name="Event 3")).to_be_visible()
    await _tab(watched, "Blame /characters/mira/hp/current")
    await page.keyboard.press("Enter")
    assert await blamed(watched) == {"/characters/mira/hp/current": 3}
    # Who asked goes on from the answer.
    assert "Who set" in await page.evaluate("document.activeElement.textContent")


async def _tab(watched: Watched, name: str) -> None:
    """Go on by Tab to what has this name."""
    script = "document.activeElement.ariaLabel ?? document.activeElement.textContent"
    for _ in range(40):
        await watched.page.keyboard.press("Tab")
        if await watched.page.evaluate(script) == name:
            return
    raise AssertionError(f"Tab does not lead to {name}")
