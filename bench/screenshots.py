"""Pictures of the pages for the README: `make screenshots` writes them to `docs/screens`.

The demo evening is performed to the middle of its first fight, with a player, a phone and the DM at
the table.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

from bench.recordings import lines
from server.process import run
from tests.browser.finding import find_browser
from tests.support.access import Guarded, guarded
from tests.support.pages import Watched, opened, seat
from tools.demo import recording_path

FOLDER = Path(__file__).parents[1] / "docs" / "screens"
STEPS = 56
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
QUALITY = 85


def main() -> None:
    """Write the pictures."""
    executable = find_browser()
    if executable is None:
        sys.exit("no browser was found, and none could be installed")
    FOLDER.mkdir(exist_ok=True)
    run(_shoot(executable))


async def _shoot(executable: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        with tempfile.TemporaryDirectory(prefix="screens-") as folder:
            async with guarded(Path(folder)) as served:
                await _evening(served)
                await _pictures(served, browser)
        await browser.close()


async def _evening(served: Guarded) -> None:
    recording = lines(recording_path())
    async with served.calling("dm") as dm:
        first = next(recording)["initial_state"]
        await dm.create("c", first)
        await dm("POST", "/api/campaigns/c/activate", json={"title": "The first evening"})
        for step in islice(recording, STEPS):
            await dm(
                "POST",
                "/api/campaigns/c/events",
                json={"kind": step["kind"], "structured_data": step["state"]},
            )


async def _pictures(served: Guarded, browser: Browser) -> None:
    token = await served.token("dm")
    players = {"play": WIDE, "play-phone": PHONE}
    pages: dict[str, Watched] = {}
    for name, size in players.items():
        pages[name] = await _open(browser, await seat(served, "mira"), size)
    suggest = pages["play"].page.get_by_label("What do you do?")
    await suggest.fill("I hold the lamp low, to see what walks in the water.")
    await pages["play"].page.get_by_role("button", name="Suggest").click()
    for name in ("dm", "replay", "inspect"):
        url = f"{served.url}/{name}?campaign_id=c#token={token}"
        pages[name] = await _open(browser, url, WIDE)
    for name, watched in pages.items():
        # What has just come is still on its way into the picture.
        await watched.page.wait_for_timeout(3_000)
        await watched.page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=QUALITY)
        print(f"docs/screens/{name}.jpg")


async def _open(browser: Browser, url: str, size: Any) -> Watched:
    context = await browser.new_context(
        viewport=size, color_scheme="dark", device_scale_factor=1, timezone_id="UTC"
    )
    return await opened(context, url)


if __name__ == "__main__":
    main()
