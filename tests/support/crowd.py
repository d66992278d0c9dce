"""A dozen players who drop in and out at random while a campaign is played.

How long they stay and how long they are away is counted in versions of the log, so that they drop
in and out as often at any speed.

async with Crowd.gathered(url, "hunt", seed) as crowd:
    await crowd.witness.reached(40)
    views = await crowd.dismiss(version)
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import jsonpatch
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType
from msgspec import Struct

from questlog.campaign.visibility import Viewer
from questlog.client import CampaignClient
from questlog.sync.backoff import Backoff
from questlog.sync.messages import Mode
from questlog.sync.replica import Replica

PATIENCE = 60.0
STAY = 40
AWAY = 20
SOON = Backoff(base=0.05, cap=0.4)


class Seat(Struct, frozen=True):
    """Who follows the campaign, and how: with the SDK, or by hand on a raw socket."""

    name: str
    viewer: Viewer
    mode: Mode = "delta"
    raw: bool = False


def seats() -> list[Seat]:
    """Return a dozen: some in full mode, some by hand, a spectator, two devices of one player."""
    players = [Viewer("player", name) for name in ("mira", "tobin", "oda", "ishaan", "5", "6", "7")]
    return [
        *(Seat(f"delta {viewer.player_id}", viewer) for viewer in players),
        Seat("delta spectator", Viewer("spectator")),
        Seat("full mira", players[0], mode="full"),
        Seat("full 5", players[4], mode="full"),
        Seat("raw tobin", players[1], raw=True),
        Seat("raw 6", players[5], raw=True),
    ]


class Held(Struct):
    """What a follower on a raw socket holds."""

    version: int = 0
    position: str | None = None
    document: Any = None

    def take(self, message: dict[str, Any]) -> None:
        """Take a message, by jsonpatch, so that our own engine is not its own judge."""
        kind = message["type"]
        if kind not in ("campaign_active", "campaign_updated"):
            return
        assert message["version"] >= self.version, f"back from {self.version}: {message}"
        if kind == "campaign_active":
            self.document = message["structured_data"]
        else:
            assert message["base"] == self.version, f"a gap after {self.version}: {message}"
            self.document = jsonpatch.apply_patch(self.document, message["patch"], in_place=True)
        self.version, self.position = message["version"], message["position"]


class Crowd:
    """The players at one campaign, and a witness who stays.

    Attributes:
        witness: a spectator who never leaves.
        visits: how often anyone came in.
    """

    def __init__(self, url: str, campaign_id: str, seed: str, session: ClientSession) -> None:
        self.witness = CampaignClient(url, campaign_id, session=session, backoff=SOON)
        self.visits = 0
        self._url = url
        self._campaign_id = campaign_id
        self._seed = seed
        self._session = session
        self._held: dict[str, Replica | Held] = {}
        self._last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ended: list[asyncio.Task[Any]] = []

    @classmethod
    @asynccontextmanager
    async def gathered(cls, url: str, campaign_id: str, seed: str) -> AsyncIterator[Crowd]:
        """Let everyone follow a campaign that is there; what fails in one of them is raised."""
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            crowd = cls(url, campaign_id, seed, session)
            async with crowd.witness, asyncio.TaskGroup() as group:
                await crowd.witness.live()
                for seat in seats():
                    follow = crowd._by_hand if seat.raw else crowd._with_sdk
                    crowd._ended.append(group.create_task(follow(seat), name=seat.name))
                yield crowd

    def newest(self) -> int:
        """Return the latest version that anyone was told of."""
        return max(self.witness.version, *(held.version for held in self._held.values()))

    async def dismiss(self, version: int) -> list[tuple[Seat, Any]]:
        """Let everyone come in a last time, and end at `version`; returns what each then holds."""
        self._last.set_result(version)
        async with asyncio.timeout(PATIENCE):
            documents = await asyncio.gather(*self._ended)
            await self.witness.reached(version)
        found = list(zip(seats(), documents, strict=True))
        return [*found, (Seat("witness", Viewer("spectator")), self.witness.document)]

    async def _with_sdk(self, seat: Seat) -> Any:
        chance = random.Random(f"{self._seed} {seat.name}")
        replica = Replica()
        while True:
            client = CampaignClient(
                self._url,
                self._campaign_id,
                player_id=seat.viewer.player_id,
                mode=seat.mode,
                session=self._session,
                backoff=SOON,
                replica=replica,
            )
            self._held[seat.name] = replica
            self.visits += 1
            async with client:
                await self._unless_over(client.reached(replica.version + chance.randint(1, STAY)))
                if self._last.done():
                    await client.reached(self._last.result())
                    return client.document
            replica.disconnected()
            if chance.random() < 0.3:
                replica = Replica()
            await self._away(chance)

    async def _by_hand(self, seat: Seat) -> Any:
        chance = random.Random(f"{self._seed} {seat.name}")
        held, tries = Held(), 0
        while not self._last.done() or held.version < self._last.result():
            self._held[seat.name] = held
            self.visits += 1
            leaving = held.version + chance.randint(1, STAY)
            try:
                await self._unless_over(self._listen(seat, held, leaving))
                if self._last.done():
                    await self._listen(seat, held, self._last.result())
                tries = 0
            except (ClientError, OSError):
                await asyncio.sleep(SOON.delay(tries))
                tries += 1
                continue
            if chance.random() < 0.3:
                held = Held()
            await self._away(chance)
        return held.document

    async def _listen(self, seat: Seat, held: Held, until: int) -> None:
        """Connect once, and take messages up to a version or to the end of the connection."""
        query = {
            "campaign_id": self._campaign_id,
            "player_id": seat.viewer.player_id,
            "since": held.position,
        }
        async with self._session.ws_connect(
            f"{self._url}/ws/campaign/player",
            params={name: value for name, value in query.items() if value is not None},
            max_msg_size=0,
        ) as socket:
            await _take(socket, held, until)

    async def _away(self, chance: random.Random) -> None:
        witness = self.witness
        await self._unless_over(witness.reached(witness.version + chance.randint(0, AWAY)))

    async def _unless_over(self, wait: Coroutine[Any, Any, None]) -> None:
        """Wait, but not once everyone is dismissed."""
        task = asyncio.create_task(wait)
        try:
            either: list[asyncio.Future[Any]] = [task, self._last]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _take(socket: ClientWebSocketResponse, held: Held, until: int) -> None:
    while True:
        message = await socket.receive()
        if message.type is not WSMsgType.TEXT:
            return
        held.take(json.loads(message.data))
        if held.version >= until:
            return
