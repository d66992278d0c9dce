"""Pages in a real browser: opened, watched for complaints, and looked at as people do."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from playwright.async_api import BrowserContext, Page, expect

from server.access.invites import make_invite
from tests.support.access import Guarded
from tests.support.server import ROOT
from tools.access import link_of

DAY = 86_400
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
# Longer than a browser on two busy processors takes to do anything at all.
PATIENT = 30_000
# Milliseconds, and bytes in a second: what is called slow 4G. And so many times slower than here.
SLOW = {"latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 90_000}
SLOWER = 4


class Watched:
    """A page whose complaints, requests and received frames are kept.

    Attributes:
        complaints: errors and warnings of the console, errors that nobody caught, dialogs.
        requested: every address that was asked for.
        heard: every text frame and every body that came.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self.heard: list[str] = []
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self._said("error", str(error)))
        page.on("dialog", lambda dialog: self._said("error", f"a dialog: {dialog.message}"))
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("websocket", self._listen)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _listen(self, socket: Any) -> None:
        self.requested.append(socket.url)
        socket.on("framereceived", lambda frame: self.heard.append(str(frame)))

    async def says(self, light: str) -> None:
        """Wait until the connection light says something that begins so."""
        await expect(self.page.locator(".lamp > span:nth-child(2)")).to_contain_text(
            light, timeout=PATIENT
        )

    async def shows(self, text: str) -> None:
        """Wait until a text is on the page, to be seen."""
        await expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENT)

    async def panel(self, name: str) -> None:
        """Turn to a panel, where there is one at a time."""
        await self.page.get_by_role("navigation").get_by_role("button", name=name).click()

    async def keeps(self, text: str) -> str:
        """Wait until the page has a text in the browser's stores; returns all it has there."""
        async with asyncio.timeout(PATIENT / 1000):
            await self.page.evaluate(f"({UNTIL})({STORES}, {json.dumps(text)})")
        return await self.kept()

    async def kept(self) -> str:
        """Return all that the page has in the browser's stores, as text."""
        kept = await self.page.evaluate(STORES)
        return json.dumps(kept, ensure_ascii=False)

    async def faults(self) -> list[str]:
        """Return what a checker finds wrong for those who do not see, or use no mouse."""
        await self.page.evaluate(AXE.read_text("utf-8"))
        found = await self.page.evaluate("axe.run().then(result => result.violations)")
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
        ]


async def slowed(page: Page) -> None:
    """Make a page's machine a slow phone, on a slow mobile network."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", {"offline": False, **SLOW})
    await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


UNTIL = """async (stores, text) => {
  while (!JSON.stringify(await stores()).includes(text)) await new Promise(requestAnimationFrame);
}"""
STORES = """async () => {
  const found = { local: { ...localStorage }, session: { ...sessionStorage }, databases: [] };
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    for (const store of database.objectStoreNames) {
      const all = database.transaction(store).objectStore(store).getAll();
      await new Promise(resolve => { all.onsuccess = resolve; });
      found.databases.push(all.result);
    }
    database.close();
  }
  return found;
}"""


async def opened(context: BrowserContext, url: str) -> Watched:
    """Open an address in a new page."""
    watched = Watched(await context.new_page())
    await watched.page.goto(url)
    return watched


async def invite(served: Guarded, member: str = "mira", *, max_uses: int | None = 1) -> str:
    """Return a link for a player to campaign `c`."""
    now = time.time_ns() // 1_000_000
    _, secret = await make_invite(
        served.access,
        "c",
        member,
        "player",
        max_uses=max_uses,
        expires_at=now + DAY * 1000,
        lasts=DAY,
        now_ms=now,
    )
    return link_of(served.url, "c", secret)


async def seat(served: Guarded, member: str, *, url: str | None = None, page: str = "play") -> str:
    """Return an address that seats a player at campaign `c`, by a token."""
    token = await served.token("player", member)
    return f"{url or served.url}/{page}?campaign_id=c#token={token}"
