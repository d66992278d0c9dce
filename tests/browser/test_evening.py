"""The first scenes of the demo evening, played by a DM and two players, by clicks alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, expect

from questlog.document import diff, get
from tests.support.access import Guarded, guarded
from tests.support.pages import PATIENT, Watched, opened, seat
from tools.demo import recording_path

STEPS = 9
PLAYERS = {"Mira": "mira", "Tobin": "tobin"}


def evening() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the document the evening begins with, and those after its first steps."""
    with recording_path().open(encoding="utf-8") as file:
        first = json.loads(next(file))["initial_state"]
        return first, [json.loads(next(file))["state"] for _ in range(STEPS)]


class Table:
    """Those at the table, at their pages."""

    def __init__(self, dm: Watched, players: dict[str, Watched]) -> None:
        self.dm = dm
        self.players = players

    async def play(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Do what leads from one document to the next, as people would do it."""
        known = {entry["id"] for entry in before["all_narratives"]}
        for entry in after["all_narratives"]:
            if entry["id"] not in known:
                await self.tell(entry["speaker"], entry["text"])
        for change in diff(before, after):
            head = change["path"].split("/")[1]
            if head not in ("all_narratives", "narrative"):
                await self.edit(change)

    async def tell(self, speaker: str, text: str) -> None:
        """Tell a part of the story: what a player does, they propose, and the DM lets it be."""
        page = self.dm.page
        player = self.players.get(speaker)
        if player is not None:
            await player.page.get_by_label("What do you do?").fill(text)
            await player.page.get_by_role("button", name="Suggest").click()
            await page.get_by_role("button", name="Accept").click()
            await expect(player.page.locator(".fates").get_by_text("Accepted").last).to_be_visible()
        await page.get_by_label("Who speaks").fill(speaker)
        await page.get_by_label("What is told").fill(text)
        await page.get_by_role("button", name="Tell", exact=True).click()
        await expect(page.get_by_label("What is told")).to_have_value("")

    async def edit(self, change: dict[str, Any]) -> None:
        """Make a change in the tree of the document."""
        page = self.dm.page
        path = change["path"]
        await page.get_by_role("button", name="Document").click()
        await self.unfold(path)
        if change["op"] == "add":
            await page.get_by_label(f"Add to {path.rpartition('/')[0]}", exact=True).click()
            await page.get_by_label("Its value").fill(json.dumps(change["value"]))
            await page.get_by_role("button", name="Add", exact=True).click()
        else:
            await page.locator(f'[aria-label$=": change {path}"]').click()
            field = page.get_by_label(f"The value of {path}", exact=True)
            await field.fill(json.dumps(change["value"]))
            await field.press("Enter")
        put = f"{path.rpartition('/')[0]}/-" if change["op"] == "add" else path
        await expect(page.get_by_text(f"Last: {put}")).to_be_visible(timeout=PATIENT)
        await page.get_by_role("button", name="Play", exact=True).click()

    async def unfold(self, path: str) -> None:
        """Open the branches that a place stands in."""
        page = self.dm.page
        names = path.split("/")[1:-1]
        for depth in range(len(names)):
            branch = "/" + "/".join(names[: depth + 1])
            line = page.locator(".line", has=page.get_by_label(f"Edit {branch}", exact=True))
            if await line.locator(".fold").get_attribute("aria-expanded") == "false":
                await line.locator(".fold").click()


async def seated(served: Guarded, browser: Browser) -> Table:
    """Return the table, everybody there."""
    token = await served.token("dm")
    context = await browser.new_context(viewport={"width": 1360, "height": 900})
    dm = await opened(context, f"{served.url}/dm?campaign_id=c#token={token}")
    players = {}
    for name, player in PLAYERS.items():
        context = await browser.new_context(viewport={"width": 360, "height": 740})
        players[name] = await opened(context, await seat(served, player))
    for watched in (dm, *players.values()):
        await watched.says("Live")
    return Table(dm, players)


async def test_the_first_scenes_are_played_by_clicks(tmp_path: Path, browser: Browser) -> None:
    first, steps = evening()
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", first)
        table = await seated(served, browser)
        for before, after in zip([first, *steps], steps, strict=False):
            await table.play(before, after)
        # The last of what the DM did is there.
        for player in table.players.values():
            newest = player.page.locator(".entry").last
            await expect(newest).to_contain_text("pilgrim", timeout=PATIENT)
        _, answer = await dm("GET", "/api/campaigns/c/state")
        now, then = answer["structured_data"], steps[-1]
        told = [entry["text"] for entry in now["all_narratives"]]
        assert told[-len(then["all_narratives"]) :] == [
            entry["text"] for entry in then["all_narratives"]
        ]
        for path in ("/story_progression", "/dm", "/private", "/characters"):
            assert get(now, path) == get(then, path), path
        for player in table.players.values():
            assert player.complaints == []
        assert table.dm.complaints == []
