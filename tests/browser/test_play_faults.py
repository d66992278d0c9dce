"""What goes wrong at a player's page: what is too long, and what comes while one looks away."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.support.access import guarded
from tests.support.pages import PATIENT, opened, seat
from tests.support.peer import put


async def test_what_is_too_long_is_told_and_stands_in_nobodys_way(
    tmp_path: Path, browser: Browser
) -> None:
    # The one is refused, the other not even read.
    options = [{"text": letter * size} for letter, size in (("x", 5_000), ("y", 20_000))]
    document = {"narrative": "Rain.", "private": {"mira": {"options": options}}}
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", document)
        watched = await opened(await browser.new_context(), await seat(served, "mira"))
        page = watched.page
        await watched.says("Live")
        for letter in "xy":
            await page.get_by_role("button", name=letter * 100).click()
            refused = page.locator(".fates [data-state=refused]", has_text=letter * 100)
            await expect(refused).to_be_visible(timeout=PATIENT)
        await page.get_by_label("What do you do?").fill("I wait.")
        await page.get_by_role("button", name="Suggest", exact=True).click()
        sent = page.get_by_role("list", name="What you suggested")
        await expect(sent).to_contain_text("With the DM", timeout=PATIENT)
        await refused.get_by_role("button", name="Write it anew").click()
        await expect(refused).to_have_count(0)


async def test_the_newest_of_the_story_is_in_sight_whatever_else_is_shown(
    tmp_path: Path, browser: Browser
) -> None:
    tales = [f"Tale {number}. " + "It goes on and on. " * 20 for number in range(31)]
    mira = {"name": "Mira", "hp": {"current": 22, "max": 22}}
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"all_narratives": tales, "characters": {"mira": mira}})
        context = await browser.new_context(viewport={"width": 360, "height": 740})
        watched = await opened(context, await seat(served, "mira"))
        await watched.says("Live")
        await watched.keeps("Tale 30")
        await watched.page.goto("about:blank")
        await dm.commit("c", put("/characters/mira/hp/current", 3))
        await dm.commit("c", put("/all_narratives/-", "THE LAST"))
        await watched.page.goto(await seat(served, "mira"))
        await watched.shows("While you were gone")
        newest = watched.page.locator(".entry").last
        await expect(newest).to_be_in_viewport()
        # Also of what came while another panel was looked at.
        await watched.panel("Party")
        await dm.commit("c", put("/all_narratives/-", "MEANWHILE"))
        await expect(watched.page.get_by_text("MEANWHILE")).to_be_attached(timeout=PATIENT)
        await watched.panel("Story")
        await expect(watched.page.get_by_text("MEANWHILE")).to_be_in_viewport()
