"""The player's page, in a real browser: a link becomes a seat, and the seat a live view."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.support.access import Guarded, guarded
from tests.support.pages import PATIENT, invite, opened, seat
from tests.support.peer import put

LONG = "w" * 100_000
BACKWARDS = "and \N{RIGHT-TO-LEFT OVERRIDE}right to left"
NARRATIVE = "Rain. <img src=x onerror=alert(1)>"
DOCUMENT: dict[str, Any] = {
    "title": "The <i>Drowned</i> Bell",
    "narrative": NARRATIVE,
    "all_narratives": [
        "A plain text, with **weight** and a [trap](javascript:alert(1)).",
        {"id": "n2", "speaker": "Mira", "text": "<script>alert(2)</script>", "at": "nonsense"},
        {
            "id": "n3",
            "text": f"![an image](https://elsewhere.example/x.png) {BACKWARDS}",
        },
        {"id": "n4", "text": "[a book](https://elsewhere.example/book)"},
    ],
    "turn": 3,
    "turn_info": {"round": 2, "current": "tobin", "order": ["mira", "tobin"]},
    "characters": {
        "mira": {
            "name": "Mira <b>Tallow</b>",
            "hp": {"current": 7, "max": 22, "temp": 3},
            "ac": 13,
            "conditions": ["wet", {"name": "afraid"}],
            "inventory": ["lamp", {"name": "oil", "count": 3}],
        },
        "tobin": {"name": "🐉 طوبين", "hp": {"current": 30, "max": 34}},
    },
    "environmental_conditions": "heavy rain",
    "immediate_threats": [{"name": "a drowned sexton"}, "the tide"],
    "story_progression": [{"text": "Find the clapper", "done": False}],
    "weather": {"wind": ["north", "cold"], "word": LONG},
    "dm": {"plan": "CANARY-DM"},
    "private": {
        "mira": {"notes": ["The survey is your mother's."], "options": ["Hold the lamp lower"]},
        "tobin": {"note": "CANARY-TOBIN"},
    },
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def test_a_link_becomes_a_seat_that_follows_the_game(
    served: Guarded, browser: Browser
) -> None:
    context = await browser.new_context()
    url = await invite(served)
    secret = url.rpartition("=")[2]
    watched = await opened(context, url)
    page = watched.page
    await watched.says("Live")
    await watched.shows("You are mira.")
    await watched.shows("7 / 22")
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/characters/mira/hp/current", 3))
    await watched.shows("3 / 22")
    # A lost hit point is seen to go.
    await expect(page.locator(".change").first).to_have_text("\N{MINUS SIGN}4")
    # The secret is in no address, and nothing was asked of anybody else.
    assert secret not in page.url
    assert not [each for each in watched.requested if secret in each or "token=" in each]
    assert all(served.url.partition("//")[2] in each for each in watched.requested)
    await page.reload()
    await watched.says("Live")
    await watched.shows("You are mira.")
    assert watched.complaints == []
    await context.close()


async def test_whatever_the_text_is_it_does_no_harm(served: Guarded, browser: Browser) -> None:
    for width in (360, 1280):
        context = await browser.new_context(viewport={"width": width, "height": 740})
        watched = await opened(context, await seat(served, "mira"))
        page = watched.page
        await watched.shows(NARRATIVE)
        await watched.shows("<script>alert(2)</script>")
        # A link that is none is its words, an image its description.
        await watched.shows("A plain text, with")
        await watched.shows("an image")
        assert await page.locator(".tale img, .tale script").count() == 0
        links = page.locator(".tale a")
        assert await links.count() == 1
        assert await links.get_attribute("href") == "https://elsewhere.example/book"
        assert "noopener" in str(await links.get_attribute("rel"))
        await expect(page.locator("h1")).to_have_text("The <i>Drowned</i> Bell")
        for panel in ("Party", "You", "Table", "Story") if width == 360 else ():
            await watched.panel(panel)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, panel
        assert watched.complaints == []
        await context.close()


async def test_every_part_of_the_document_has_its_place(served: Guarded, browser: Browser) -> None:
    watched = await opened(await browser.new_context(), await seat(served, "mira"))
    page = watched.page
    await watched.says("Live")
    party = page.get_by_role("region", name="Party")
    for text in ("Mira <b>Tallow</b>", "🐉 طوبين", "their turn", "wet", "afraid", "7 / 22"):
        await expect(party.get_by_text(text).first).to_be_visible()
    await expect(party.get_by_text("+3 for now")).to_be_visible()
    await expect(page.get_by_role("region", name="Story").locator(".now")).to_contain_text("طوبين")
    for text in ("heavy rain", "a drowned sexton", "the tide", "Round 2", "Turn 3"):
        await expect(page.locator(".scene").get_by_text(text).first).to_be_visible()
    own = page.get_by_role("region", name="You", exact=True)
    for text in ("The survey is your mother's.", "lamp", "oil", "\N{MULTIPLICATION SIGN}3"):
        await expect(own.get_by_text(text).first).to_be_visible()
    table = page.get_by_role("region", name="Table")
    for text in ("Find the clapper", "Weather", "mira"):
        await expect(table.get_by_text(text).first).to_be_attached()


async def test_parts_of_other_shapes_are_shown_all_the_same(
    tmp_path: Path, browser: Browser
) -> None:
    document = {
        "narrative": ["told in a list"],
        "all_narratives": [{"speaker": "Q", "note": "wordless"}],
        "title": {"en": "a title in English"},
        "status": {"mood": "a grim mood"},
        "combat_status": {"active": True, "phase": "the second phase"},
        "turn_info": {"round": 2, "weather": "a late hour"},
        "scene": [{"name": "one of two scenes"}],
        "environmental_conditions": {
            "light": "dim",
            "fog": True,
            "tide": {"name": "The tide", "at": "its height"},
        },
        "immediate_threats": [{"name": "A wight", "danger": "of the grave"}],
        "story_progression": {
            "act": 2,
            "the_bell": {"name": "The bell", "status": "still drowned"},
        },
        "initiative": {"mira": 18, "ogre": 3},
        "characters": {
            "mira": {
                "name": "Mira",
                "hp": "12 of 20",
                "ac": {"base": "a base of 12"},
                "conditions": [{"name": "afraid", "note": "of bells"}],
                "inventory": {"rope": True, "torch": "lit"},
            },
            "crowd": ["a crowd of ten"],
        },
        "private": {"mira": {"notes": {"a": {"text": "a note", "by": "the sexton"}}}},
    }
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", document)
        watched = await opened(await browser.new_context(), await seat(served, "mira"))
        await watched.says("Live")
        # All trees are opened, and all that is folded away.
        while await (closed := watched.page.locator("details:not([open]) > summary")).count():
            await closed.evaluate_all("all => all.forEach(each => each.click())")
        text = await watched.page.locator(".play").inner_text()
        missing = [each for each in _texts(document) if each.lower() not in text.lower()]
        assert missing == []
        for each in ("Light: dim", "Fog", "torch: lit", "18", "Act: 2"):
            await expect(watched.page.get_by_text(each).first).to_be_attached()
        assert watched.complaints == []


def _texts(value: Any) -> list[str]:
    """Return all texts in a document."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


async def test_a_secret_is_nowhere_in_the_page_its_stores_or_what_it_was_sent(
    served: Guarded, browser: Browser
) -> None:
    watched = await opened(await browser.new_context(), await seat(served, "mira"))
    await watched.says("Live")
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/dm/plan", "CANARY-NEW"))
        await dm.commit("c", put("/narrative", "On we go."))
    await watched.shows("On we go.")
    kept = await watched.keeps("On we go.")
    everything = [kept, await watched.page.content(), *watched.heard]
    assert any("On we go." in each for each in watched.heard)
    assert not [each for each in everything if "CANARY" in each]


async def test_nothing_is_in_the_way_of_those_who_do_not_see(
    served: Guarded, browser: Browser
) -> None:
    for scheme in ("dark", "light"):
        for width in (360, 1280):
            context = await browser.new_context(
                color_scheme=scheme,
                viewport={"width": width, "height": 740},
                reduced_motion="reduce",
            )
            watched = await opened(context, await seat(served, "mira"))
            await watched.says("Live")
            assert await watched.faults() == [], (scheme, width)
            for panel in ("Party", "You", "Table") if width == 360 else ():
                await watched.panel(panel)
                assert await watched.faults() == [], (scheme, panel)
            await context.close()


async def test_the_page_is_used_by_keyboard_alone(served: Guarded, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 740})
    watched = await opened(context, await seat(served, "mira"))
    page = watched.page
    await watched.says("Live")
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.getAttribute('aria-label')") == (
            "What do you do?"
        ):
            break
    await page.keyboard.type("I hold the lamp low.")
    await page.keyboard.press("Enter")
    await expect(page.locator(".fates li")).to_contain_text("With the DM", timeout=PATIENT)
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "Party":
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="Party")).to_be_visible()


async def test_a_suggestion_is_decided_and_its_author_told(
    served: Guarded, browser: Browser
) -> None:
    watched = await opened(await browser.new_context(), await seat(served, "mira"))
    page = watched.page
    await watched.says("Live")
    await page.get_by_role("button", name="Hold the lamp lower").click()
    fate = page.locator(".fates li")
    await expect(fate).to_contain_text("With the DM")
    async with served.calling("dm") as dm, dm.socket("dm", campaign_id="c") as peer:
        made = await peer.until("suggestion")
        assert made["content"] == "Hold the lamp lower"
        await peer.say(
            type="decide_suggestion",
            id=made["id"],
            player_id="mira",
            decision="accepted",
            answer="You see his boots.",
        )
        await expect(fate).to_contain_text("Accepted")
        await expect(fate).to_contain_text("You see his boots.")


async def test_a_link_for_one_is_no_link_for_another(served: Guarded, browser: Browser) -> None:
    url = await invite(served)
    first, second = await browser.new_context(), await browser.new_context()
    watched = await opened(first, url)
    await watched.says("Live")
    late = await opened(second, url)
    await late.shows("This invite has been used")
    again = await opened(first, url)
    await again.says("Live")
    bare = await opened(second, f"{served.url}/play?campaign_id=c")
    await bare.shows("Ask the DM for a link")


async def test_a_player_shown_out_is_told_and_does_not_come_back(
    served: Guarded, browser: Browser
) -> None:
    watched = await opened(await browser.new_context(), await invite(served))
    await watched.says("Live")
    await served.access.remove_member("c", "mira", time.time_ns() // 1_000_000)
    await watched.shows("You have no seat")
    await watched.says("Disconnected")
    sockets = [each for each in watched.requested if each.startswith("ws")]
    assert len(sockets) == 1
    # Whose seat is gone keeps nothing of what could be seen from it.
    await watched.page.reload()
    await watched.shows("Ask the DM for a link")
    assert "survey" not in await watched.kept()


async def test_a_table_waits_for_its_game(served: Guarded, browser: Browser) -> None:
    token = await served.token("player", "mira")
    context = await browser.new_context()
    watched = await opened(context, f"{served.url}/play?table=main#token={token}")
    await watched.shows("Nothing is being played at this table yet.")
    async with served.calling("dm") as dm:
        status, _ = await dm("POST", "/api/campaigns/c/activate", json={})
        assert status == 200
        await watched.shows("7 / 22")
        status, _ = await dm("POST", "/api/campaigns/c/deactivate", json={})
        assert status == 200
    await watched.shows("Nothing is being played at this table yet.")
    assert await watched.faults() == []


NASTY: dict[str, Any] = {
    "title": ["a", "list"],
    "narrative": {"not": "a text"},
    "all_narratives": [None, 3, ["x"], {"id": "n", "text": "One."}, {"id": "n", "text": "Two."}],
    "turn": {"of": "nobody"},
    "turn_info": [1, 2],
    "status": None,
    "scene": 7,
    "characters": [
        None,
        "a name alone",
        {"name": "", "hp": "many", "conditions": {"wet": True, "dry": False, "x": None}},
        {"hp": {"current": -5, "max": 0, "temp": "x"}, "conditions": "prone", "inventory": None},
        {"name": ["odd"], "hp": 10**30, "inventory": {"gold": 3, "rope": {"quantity": 2}}},
        {"name": "Twice", "conditions": ["wet", "wet"], "hp": {"value": 3}},
    ],
    "initiative": {"a": 1, "b": None, "c": {"name": "Somebody"}},
    "combat_status": {"deep": {"er": []}},
    "environmental_conditions": {"rain": True, "fog": {"name": "thick fog"}},
    "immediate_threats": 3,
    "story_progression": "It goes on.",
    "private": {"mira": "A word alone."},
    "": {"__proto__": {"a/b": "~"}, "constructor": 1},
    "deep": "> " * 3_000 + "end",
}


async def test_a_document_of_any_shape_is_shown_as_far_as_it_goes(
    tmp_path: Path, browser: Browser
) -> None:
    nested: Any = "core"
    for _ in range(60):
        nested = {"in": nested}
    told = [*NASTY["all_narratives"], "> " * 5_000 + "deep", "- " * 2_000 + "deeper", "`" * 9_999]
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {**NASTY, "nested": nested, "all_narratives": told})
        for page_name, role in (("play", "player"), ("dm", "dm")):
            token = await served.token(role, "mira" if role == "player" else None)  # type: ignore[arg-type]
            url = f"{served.url}/{page_name}?campaign_id=c#token={token}"
            watched = await opened(await browser.new_context(), url)
            await watched.says("Live")
            for text in ("One.", "Two.", "Twice", "a name alone"):
                await expect(watched.page.get_by_text(text).first).to_be_attached()
            # It goes on with whatever comes next.
            await dm.commit("c", put("/all_narratives/-", f"And so on, {page_name}."))
            await watched.shows(f"And so on, {page_name}.")
            assert await watched.page.get_by_text("cannot be shown").count() == 0
