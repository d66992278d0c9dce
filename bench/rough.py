"""Ten players over a network that delays, loses and cuts, changing ways all the time.

A server in a process of its own; a DM commits as fast as it is answered; each player comes through
a proxy that delays every piece, at random goes deaf for a while, and cuts connections, and is made
to change from sockets to streams to polls and back. At the end all must hold the document the log
has, each must have seen every version once at the most, and the DM must know exactly who is there.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from questlog.client import CampaignClient
from questlog.document import equal
from questlog.sync.backoff import Backoff
from questlog.sync.ladder import WAYS
from questlog.sync.replica import Changed, Replica
from server.process import run
from tests.support.server import Served, create, state

CAMPAIGN = "rough"
PLAYERS = 10
STAY = 2.5
SOON = Backoff(base=0.05, cap=0.5)
PATIENCE = 60.0
OPTIONS = ("--open", "--leave-grace", "1.5", "--poll-gap", "1.5", "--max-member-connections", "99")


class Report(Struct):
    """What a rough evening came to.

    Attributes:
        version: the log's at the end.
        seen: updates that players saw, by way.
        connections: how many were made, how many broke, how many went deaf.
        wrong: what was not as it must be; empty where all was.
    """

    version: int
    seen: dict[str, int]
    connections: int
    cut: int
    deaf: int
    wrong: list[str]


class Rough:
    """A TCP proxy as bad wifi is."""

    def __init__(self, target: str, chance: random.Random) -> None:
        self.url = ""
        self.calm = False
        self.counts: Counter[str] = Counter()
        self._target = urlsplit(target)
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, badly."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.counts["connections"] += 1
        back: asyncio.StreamWriter | None = None
        try:
            with suppress(OSError):
                there, back = await asyncio.open_connection(
                    self._target.hostname, self._target.port
                )
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._carry(reader, back))
                    group.create_task(self._carry(there, writer))
                    group.create_task(self._break(writer, back))
        except* (OSError, _BrokenError):
            pass
        finally:
            for each in (writer, back):
                if each is not None:
                    each.transport.abort()
            self._tasks.discard(task)

    async def close(self) -> None:
        """Let go of every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        deaf_until = 0.0
        while data := await reader.read(16_384):
            now = time.monotonic()
            if not self.calm:
                await asyncio.sleep(self._chance.random() ** 4 * 0.2)
                if self._chance.random() < 0.004:
                    # What is lost of a stream of bytes is lost with all that follows.
                    self.counts["deaf"] += 1
                    deaf_until = now + self._chance.uniform(0.1, 0.8)
            if deaf_until:
                await asyncio.sleep(max(0.0, deaf_until - now))
                raise _BrokenError
            writer.write(data)
            await writer.drain()
        raise _BrokenError

    async def _break(self, *writers: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / 3.0))
            if not self.calm:
                self.counts["cut"] += 1
                raise _BrokenError


class _BrokenError(Exception):
    """The connection is broken off."""


class Player:
    """One player, who goes on from what they held whichever way they come."""

    def __init__(self, name: str, url: str, chance: random.Random) -> None:
        self.name = name
        self.replica = Replica()
        self.seen: Counter[str] = Counter()
        self.twice: list[int] = []
        self._url = url
        self._chance = chance
        self._last = 0

    async def play(self, over: asyncio.Event, version: asyncio.Future[int]) -> None:
        """Come and go, now this way and now that, until it is over; then stay to the head."""
        while not over.is_set():
            await self._stay(over, None)
        await self._stay(over, await version)

    async def _stay(self, over: asyncio.Event, until: int | None) -> None:
        ways = self._chance.choice([WAYS, *((way,) for way in WAYS)])
        async with CampaignClient(
            self._url,
            CAMPAIGN,
            player_id=self.name,
            ways=ways,
            backoff=SOON,
            replica=self.replica,
        ) as client:
            watching = asyncio.create_task(self._watch(client, ways[0]))
            try:
                if until is None:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._chance.uniform(0.2, STAY)):
                            await over.wait()
                else:
                    async with asyncio.timeout(PATIENCE):
                        await client.reached(until)
            finally:
                watching.cancel()
                await asyncio.wait([watching])
        self.replica.disconnected()

    async def _watch(self, client: CampaignClient, way: str) -> None:
        async for update in client:
            if isinstance(update, Changed) and update.patch is not None:
                self.seen[client.way or way] += 1
                if update.version <= self._last:
                    self.twice.append(update.version)
            self._last = max(self._last, update.version if isinstance(update, Changed) else 0)


async def commit_all_the_time(dm: CampaignClient, seconds: float, chance: random.Random) -> int:
    """Commit one change after the other for a while; returns the last version."""
    end, number, done = time.monotonic() + seconds, 0, None
    while time.monotonic() < end:
        number += 1
        path = f"/notes/{chance.randrange(40)}"
        value = {"n": number, "text": "z" * chance.randrange(300)}
        done = await dm.commit(patch=[{"op": "add", "path": path, "value": value}])
    assert done is not None
    return done.version


async def evening(seconds: float, seed: str, folder: Path) -> Report:
    """Play for `seconds`, and return what it came to."""
    chance = random.Random(seed)
    async with Served.start(folder / "rough.db", OPTIONS) as served:
        await create(served.url, CAMPAIGN, {"notes": {}})
        proxy = Rough(served.url, chance)
        door = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.url = f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}"
        players = [Player(f"p{n}", proxy.url, random.Random(f"{seed} {n}")) for n in range(PLAYERS)]
        over: asyncio.Event = asyncio.Event()
        last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            async with (
                CampaignClient(served.url, CAMPAIGN, role="dm") as dm,
                asyncio.TaskGroup() as group,
            ):
                for player in players:
                    group.create_task(player.play(over, last))
                version = await commit_all_the_time(dm, seconds, chance)
                over.set()
                last.set_result(version)
            wrong = await judge(served.url, proxy, players, version)
        finally:
            door.close()
            await proxy.close()
    seen: Counter[str] = Counter()
    for player in players:
        seen.update(player.seen)
    counts = proxy.counts
    return Report(version, dict(seen), counts["connections"], counts["cut"], counts["deaf"], wrong)


async def judge(url: str, proxy: Rough, players: list[Player], version: int) -> list[str]:
    """Return what is not as it must be: documents, updates seen twice, and who is there.

    Half of the players stay, on a calm network, and the others have gone.
    """
    wrong: list[str] = []
    truth = (await state(url, CAMPAIGN))["structured_data"]
    for player in players:
        if player.replica.version != version or not equal(player.replica.document, truth):
            wrong.append(f"{player.name} holds version {player.replica.version}, not the log's")
        if player.twice:
            wrong.append(f"{player.name} saw {player.twice[:5]} twice")
    proxy.calm = True
    staying = {player.name for player in players[: PLAYERS // 2]}
    async with CampaignClient(url, CAMPAIGN, role="dm") as dm, asyncio.TaskGroup() as group:
        enough = asyncio.Event()
        for index, name in enumerate(sorted(staying)):
            group.create_task(_sit(proxy.url, name, WAYS[index % len(WAYS)], enough))

        def there() -> set[str]:
            return {m.player_id or "" for m in dm.company.members.values() if m.role == "player"}

        try:
            async with asyncio.timeout(PATIENCE):
                await dm._until(lambda: there() == staying)
        except TimeoutError:
            wrong.append(f"there are {sorted(there())}, not {sorted(staying)}")
        enough.set()
    return wrong


async def _sit(url: str, name: str, way: Any, enough: asyncio.Event) -> None:
    async with CampaignClient(url, CAMPAIGN, player_id=name, ways=(way,), backoff=SOON):
        await enough.wait()


async def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = await evening(chosen.seconds, chosen.seed, Path(folder))
    print(
        f"{report.version:,} versions in {chosen.seconds:g} s; {report.connections:,} connections,"
        f" {report.cut:,} cut, {report.deaf:,} gone deaf;"
        f" updates seen by way: {report.seen}; {len(report.wrong)} wrong"
    )
    for sentence in report.wrong:
        print(f"  {sentence}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    raise SystemExit(run(main()))
