"""The DM's console, in a real browser: an evening by clicks, each a commit with a way back."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.support.access import Guarded, guarded
from tests.support.pages import Watched, opened, seat
from tests.support.peer import put

DOCUMENT: dict[str, Any] = {
    "title": "The Drowned Bell",
    "narrative": "Rain.",
    "all_narratives": [],
    "turn_info": {"round": 1, "current": "mira"},
    "initiative": ["mira", "tobin"],
    "characters": {
        "mira": {"name": "Mira", "player": "mira", "hp": {"current": 22, "max": 22}},
        "tobin": {"name": "Tobin", "player": "tobin", "hp": {"current": 34, "max": 34}},
    },
    "dm": {"plan": "CANARY-DM"},
    "private": {"tobin": {"note": "CANARY-TOBIN"}},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def console(
    served: Guarded, browser: Browser, *, url: str | None = None, **options: Any
) -> Watched:
    """Open the console of campaign `c`, at another address than the server's own if need be."""
    token = await served.token("dm")
    context = await browser.new_context(**options)
    watched = await opened(context, f"{url or served.url}/dm?campaign_id=c#token={token}")
    await watched.says("Live")
    return watched


async def state(served: Guarded) -> Any:
    """Return the DM's document."""
    async with served.calling("dm") as dm:
        _, answer = await dm("GET", "/api/campaigns/c/state")
    return answer["structured_data"]


async def test_an_evening_is_run_by_clicks_and_the_players_see_it(
    served: Guarded, browser: Browser
) -> None:
    watched = await console(served, browser, viewport={"width": 1360, "height": 900})
    page = watched.page
    mira = await opened(await browser.new_context(), await seat(served, "mira"))
    await mira.says("Live")
    card = page.get_by_role("group", name="Mira")
    await card.get_by_label("Points for Mira").fill("7")
    await card.get_by_role("button", name="Damage").click()
    await mira.shows("15 / 22")
    await card.get_by_label("A condition or a thing for Mira").fill("poisoned")
    await card.get_by_role("button", name="Condition").click()
    await mira.shows("poisoned")
    await card.get_by_label("A condition or a thing for Mira").fill("a rusty key")
    await card.get_by_role("button", name="Give").click()
    await mira.shows("a rusty key")
    await page.get_by_role("button", name="Next turn").click()
    await expect(mira.page.locator(".now")).to_contain_text("Tobin")
    await page.get_by_label("What is told").fill("The bell **rings**.")
    await page.get_by_role("button", name="Tell").click()
    await expect(mira.page.locator(".tale strong")).to_have_text("rings")
    # Each was one commit, and each is taken back by one click, the last first.
    for _ in range(5):
        before = await page.locator(".head .seat").inner_text()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".head .seat")).not_to_have_text(before)
    assert await state(served) == DOCUMENT
    await expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    assert watched.complaints == []


async def test_what_is_overtaken_is_not_taken_back(served: Guarded, browser: Browser) -> None:
    watched = await console(served, browser)
    page = watched.page
    card = page.get_by_role("group", name="Mira")
    await card.get_by_role("button", name="Damage").click()
    await expect(card).to_contain_text("17 / 22")
    async with served.calling("dm") as dm:
        await dm.commit("c", put("/characters/mira/hp/current", 3))
    await expect(card).to_contain_text("3 / 22")
    await page.get_by_role("button", name="Undo").click()
    await watched.shows("It has changed meanwhile")
    assert (await state(served))["characters"]["mira"]["hp"]["current"] == 3


async def test_a_suggestion_is_answered_and_accepted(served: Guarded, browser: Browser) -> None:
    watched = await console(served, browser)
    page = watched.page
    mira = await opened(await browser.new_context(), await seat(served, "mira"))
    await mira.says("Live")
    await mira.page.get_by_label("What do you do?").fill("I hold the lamp <b>low</b>.")
    await mira.page.get_by_role("button", name="Suggest").click()
    await watched.shows("I hold the lamp <b>low</b>.")
    await page.get_by_label("A word to mira").fill("How low?")
    await page.get_by_role("button", name="Answer").click()
    await mira.shows("How low?")
    await page.get_by_role("button", name="Accept").click()
    await expect(mira.page.locator(".fates")).to_contain_text("Accepted")
    await watched.shows("Nobody proposes anything.")


async def test_hidden_is_hidden_and_seen_as_a_player_sees_it(
    served: Guarded, browser: Browser
) -> None:
    watched = await console(served, browser, viewport={"width": 1360, "height": 900})
    page = watched.page
    mira = await opened(await browser.new_context(), await seat(served, "mira"))
    await mira.shows("Tobin")
    await page.get_by_label("See as whom").select_option("player:mira")
    see = page.locator(".see")
    await expect(see).to_contain_text("Characters 2")
    await expect(see).not_to_contain_text("CANARY")
    card = page.get_by_role("group", name="Tobin")
    await card.get_by_role("button", name="Hide").click()
    await expect(card).to_contain_text("Hidden from the players")
    await expect(mira.page.get_by_text("Tobin", exact=True)).to_have_count(0)
    await expect(see).to_contain_text("Characters 1")
    await card.get_by_role("button", name="Reveal").click()
    await mira.shows("Tobin")
    # Rules are tried out before they are put in force.
    await page.get_by_role("button", name="Visibility").click()
    rules = page.get_by_label("The rules, as JSON")
    await expect(rules).to_contain_text("/dm")
    await page.get_by_label("See as whom").select_option("player:mira")
    await rules.fill('{"default":"hidden","rules":[{"path":"/narrative","to":["all"]}]}')
    await expect(see).to_contain_text("Rain.")
    await expect(see).not_to_contain_text("Characters")
    await mira.shows("Tobin")
    await rules.fill('{"rules":')
    await watched.shows("This is not JSON yet")
    await rules.fill('{"rules":[{"path":"/narrative","to":["nobody"]}]}')
    await page.get_by_role("button", name="Put in force").click()
    await expect(page.get_by_role("alert").first).to_be_visible()
    await rules.fill('{"default":"hidden","rules":[{"path":"/narrative","to":["all"]}]}')
    await page.get_by_role("button", name="Put in force").click()
    await expect(mira.page.get_by_text("Tobin", exact=True)).to_have_count(0)


async def test_the_document_is_changed_leaf_by_leaf(served: Guarded, browser: Browser) -> None:
    watched = await console(served, browser)
    page = watched.page
    await page.get_by_role("button", name="Document").click()
    await page.get_by_label("Change /narrative").click()
    field = page.get_by_label("The value of /narrative")
    await field.fill("Fog.")
    await field.press("Enter")
    await expect(page.get_by_label("Change /narrative")).to_have_text('"Fog."')
    await page.get_by_label("Add to the document").click()
    await page.get_by_label("The member's name").fill("weather")
    await page.get_by_label("Its value").fill('{"wind": 3}')
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_label("Edit /weather")).to_be_visible()
    await page.get_by_label("Remove /turn_info").click()
    await expect(page.get_by_label("Remove /turn_info")).to_have_count(0)
    now = await state(served)
    assert (now["narrative"], now["weather"], "turn_info" in now) == ("Fog.", {"wind": 3}, False)


async def test_an_invite_is_a_link_and_a_code_that_seat_a_player(
    served: Guarded, browser: Browser
) -> None:
    watched = await console(served, browser)
    page = watched.page
    await page.get_by_label("The player's id").fill("oda")
    await page.get_by_role("button", name="Make a link").click()
    await expect(page.get_by_role("img", name="The link, for a camera")).to_be_visible()
    link = await page.get_by_label("The link", exact=True).input_value()
    oda = await opened(await browser.new_context(), link)
    await oda.shows("You are oda.")
    await expect(page.locator(".company")).to_contain_text("oda")


async def test_nothing_is_in_the_way_of_those_who_do_not_see(
    served: Guarded, browser: Browser
) -> None:
    for scheme, width in product(("dark", "light"), (360, 1360)):
        size = {"width": width, "height": 800}
        watched = await console(
            served, browser, viewport=size, color_scheme=scheme, reduced_motion="reduce"
        )
        views = watched.page.get_by_role("navigation", name="Views")
        for name in ("Play", "Document", "Visibility", "Campaigns"):
            await views.get_by_role("button", name=name).click()
            assert await watched.faults() == [], (scheme, width, name)
            wide = await watched.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, name
        await watched.page.context.close()


async def test_a_player_at_the_console_is_told_plainly(served: Guarded, browser: Browser) -> None:
    token = await served.token("player", "mira")
    context = await browser.new_context()
    watched = await opened(context, f"{served.url}/dm?campaign_id=c#token={token}")
    await watched.shows("This page is the DM")
    assert "CANARY" not in await watched.page.content()
    # Nothing of what a DM sees is left in the browser.
    other = await console(served, browser)
    assert "CANARY" not in await other.kept()


async def test_a_campaign_is_begun_from_a_file_and_played(
    served: Guarded, browser: Browser, tmp_path: Path
) -> None:
    lines = [
        {"campaign_id": "x", "initial_state": {"narrative": "From a file."}},
        {"ts": "2026-11-26T21:14:00Z", "actor": "DM", "kind": "Told!", "state": {"narrative": "A"}},
        {"kind": "campaign.created", "state": {"narrative": "B"}},
        {"kind": None, "state": {"narrative": "B", "turn": 2, "id": 1367603368650038267}},
    ]
    recording = tmp_path / "evening.jsonl.gz"
    recording.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    log = tmp_path / "log.jsonl"
    log.write_text('{"format": "questlog.log.1", "campaign_id": "x"}\n')
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    token = await served.token("dm", campaign_id="new")
    context = await browser.new_context()
    watched = await opened(context, f"{served.url}/dm?table=main#token={token}")
    page = watched.page
    await page.get_by_text("Begin another").click()
    await page.get_by_label("Its id").fill("new")
    for wrong, told in ((log, "questlog import FILE"), (broken, "holds no document")):
        await page.get_by_label("From a file").set_input_files(str(wrong))
        await page.get_by_role("button", name="Begin", exact=True).click()
        await watched.shows(told)
    await page.get_by_label("From a file").set_input_files(str(recording))
    await page.get_by_role("button", name="Begin", exact=True).click()
    await watched.shows("Turn 2")
    async with served.calling(token=token) as dm:
        _, answer = await dm("GET", "/api/campaigns/new/events?limit=10")
    kinds = [each["kind"] for each in answer["events"]]
    assert kinds == ["campaign.created", "told", "recorded.campaign.created", "step"]
    # Digits that a browser would round are as they were.
    values = [each["value"] for each in answer["events"][3]["patch"]]
    assert sorted(values) == [2, 1367603368650038267]
    assert answer["events"][1]["meta"] == {"ts": "2026-11-26T21:14:00Z", "actor": "DM"}
    await page.get_by_role("button", name="Campaigns").click()
    await page.get_by_role("button", name="Play now").click()
    await watched.shows("at the table main")
