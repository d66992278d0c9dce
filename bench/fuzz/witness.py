"""Well-behaved clients amid the noise: one keeps the campaigns as they were, others follow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import ClientSession

from bench.fuzz.corpus import KEPT, PLAYED, document, rules
from bench.fuzz.judge import Judge
from questlog.client import CampaignClient
from questlog.document import equal
from tests.support.server import bearer

PATIENCE = 20.0
BEAT = 0.5


class Keeper:
    """Puts a campaign's document back every half second, and sees whether a follower hears of it.

    So the document does not grow to its limit, the secrets are where they should be, and every beat
    shows that the server serves.

    Attributes:
        beats: how often.
        slowest: seconds from a beat's sending to its follower holding it, at most.
    """

    def __init__(
        self,
        judge: Judge,
        session: ClientSession,
        url: str,
        campaign_id: str,
        tokens: Mapping[str, str],
        canaries: Mapping[str, str],
    ) -> None:
        kept = campaign_id == KEPT
        self.beats = 0
        self.slowest = 0.0
        self._judge = judge
        self._session = session
        self._api = f"{url}/api/campaigns/{campaign_id}"
        self._campaign_id = campaign_id
        self._canaries = canaries if kept else {}
        self._keeper = bearer(tokens.get("keeper" if kept else "played keeper"))
        token = tokens.get("witness" if kept else "played keeper")
        self._follower = bearer(token)
        self._client = CampaignClient(
            url,
            campaign_id,
            role="player" if kept else "dm",
            # Who asks nobody for a token believes this instead.
            player_id="witness" if kept and not tokens else None,
            token=token,
            session=session,
            on_status=self._heard,
        )
        self._view = "?as=player:witness" if kept and not tokens else ""
        self._lives = False

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Make the campaign where it is not there, and beat for as long as the context lasts."""
        body = {"structured_data": document(self._canaries, 0), "visibility": None}
        await self._call("PUT", "", body, 201, 409)
        beating = asyncio.create_task(self._beat_on())
        try:
            async with self._client:
                await asyncio.wait_for(self._client.live(), PATIENCE)
                self._lives = True
                yield
                beating.cancel()
                await asyncio.wait([beating])
                await self._compare()
                self._lives = False
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    def _heard(self, status: str, _: float | None) -> None:
        if self._lives and status in ("connecting", "closed"):
            self._judge.fault(f"the witness of {self._campaign_id} was thrown out", status)

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self._beat()
            except Exception as error:
                self._judge.fault(f"a beat of {self._campaign_id} failed", repr(error))

    async def _beat(self) -> None:
        begun = time.monotonic()
        self.beats += 1
        if self._campaign_id == PLAYED:
            await self._call("PUT", "/visibility", rules(), 200)
        if self.beats % 10 == 0:
            await self._call("POST", "/activate", {"table": "main"}, 200)
        put = await self._call("PUT", "/state", document(self._canaries, self.beats), 200)
        async with asyncio.timeout(PATIENCE):
            await self._client.reached(put["version"])
        self.slowest = max(self.slowest, time.monotonic() - begun)

    async def _compare(self) -> None:
        """Compare what the follower holds at rest with what the server says it should."""
        url = f"{self._api}/state{self._view}"
        async with self._session.get(url, headers=self._follower) as answer:
            state = await answer.json()
        async with asyncio.timeout(PATIENCE):
            await self._client.reached(state["version"])
        held = self._client.document
        same = held is not None and equal(held, state["structured_data"])
        if not same or self._client.version != state["version"]:
            self._judge.fault(
                f"the witness of {self._campaign_id} does not hold what it should",
                f"{self._client.version} of {state['version']}: {held}",
            )

    async def _call(self, method: str, path: str, body: Any, *expected: int) -> Any:
        async with self._session.request(
            method, self._api + path, json=body, headers=self._keeper
        ) as answer:
            if answer.status not in expected:
                raise AssertionError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


@asynccontextmanager
async def keepers(
    judge: Judge, url: str, tokens: Mapping[str, str], canaries: Mapping[str, str]
) -> AsyncIterator[list[Keeper]]:
    """Keep both campaigns for as long as the context lasts."""
    async with ClientSession() as session, AsyncExitStack() as stack:
        found = []
        for campaign_id in (KEPT, PLAYED):
            keeper = Keeper(judge, session, url, campaign_id, tokens, canaries)
            await stack.enter_async_context(keeper.watching())
            found.append(keeper)
        yield found
