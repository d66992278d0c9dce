"""Backups under full-speed play: what a commit takes, by itself and while the file is copied.

A server of its own process holds a log of many events. A DM commits as fast as answers come, eight
at a time; then again, while `questlog backup` copies and proves the store, over and over. Asked
for: the copy is made in one go and is intact, and the 99th percentile of a commit at most doubles.

`--events N`: how long the log is. `--seconds N`: how long each of the two is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from aiohttp import ClientSession

from bench.commits import DOCUMENT, request
from eventstore.port import Appended
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import Create, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor
from questlog.campaign.state import CampaignState
from questlog.document import Limits
from server.process import run
from tests.support.server import Served, command

AT_ONCE = 8
BATCH = 1_000
DM = Actor("dm", "dm")


async def write(url: str, events: int) -> None:
    """Make a store with one campaign of so many events."""
    store = await SqliteStore.open(url)
    state = CampaignState(campaign_id="played")
    for first in range(0, events, BATCH):
        batch = []
        for number in range(first, min(first + BATCH, events)):
            asked = request(number) if number else Request(DM, Create(DOCUMENT))
            minted = Minted("2026-11-23T20:00:00.000Z", f"made-{number}")
            decision = decide(state, asked, minted, Limits())
            assert decision.event is not None
            batch.append(decision.event)
            state = decision.state
        outcomes = await store.append("played", batch)
        assert isinstance(outcomes[-1], Appended)
        await store.save_snapshot(state, outcomes[-1].hash)
    await store.close()


class Play:
    """A DM who commits until told to stop; `took` has what each commit took, in seconds."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/api/campaigns/played/events"
        self.took: list[float] = []
        self.over = False

    async def run(self) -> None:
        """Commit, some at a time, until it is over."""
        async with ClientSession() as session:
            await asyncio.gather(*(self._commit(session) for _ in range(AT_ONCE)))

    async def _commit(self, session: ClientSession) -> None:
        number = 0
        while not self.over:
            number += 1
            hit = {"op": "replace", "path": "/characters/mira/hp/current", "value": number % 20}
            begun = time.perf_counter()
            async with session.post(self.url, json={"patch": [hit]}) as answer:
                assert answer.status == 201, await answer.text()
                await answer.read()
            self.took.append(time.perf_counter() - begun)


async def backup(store: str, folder: Path, number: int) -> tuple[float, float]:
    """Back up once; returns seconds until the copy was proved, and its size in MB."""
    target = folder / f"backup-{number}.db"
    begun = time.perf_counter()
    process = await command("backup", str(target), "--store", store)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    took = time.perf_counter() - begun
    size = target.stat().st_size / 1e6
    target.unlink()
    return took, size


async def measure(events: int, seconds: float) -> None:
    """Print both distributions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "questlog.db"
        store = f"sqlite:///{path}"
        await write(store, events)
        async with Served.start(path) as served:
            for copied in (False, True):
                play = Play(served.url)
                playing = asyncio.create_task(play.run())
                copies: list[tuple[float, float]] = []
                until = time.perf_counter() + seconds
                if copied:
                    while time.perf_counter() < until:
                        copies.append(await backup(store, folder, len(copies)))
                else:
                    await asyncio.sleep(seconds)
                play.over = True
                await playing
                report("with backups" if copied else "alone", play.took)
            took, sizes = zip(*copies, strict=True)
            each = f"{statistics.median(took):.1f} s each, {max(sizes):.0f} MB"
            print(f"{len(copies)} backups, {each}, all of them proved intact")


def report(name: str, took: list[float]) -> None:
    """Print how many commits there were, their median and their 99th percentile."""
    percentiles = statistics.quantiles(took, n=100)
    print(
        f"{name:<14} {len(took):>7,} commits  p50 {percentiles[49] * 1e3:6.2f} ms"
        f"  p99 {percentiles[98] * 1e3:6.2f} ms"
    )


def main() -> None:
    """Measure, with the settings of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments, _ = parser.parse_known_args()
    print(f"Commits of a served log of {arguments.events:,} events, {AT_ONCE} at a time")
    run(measure(arguments.events, arguments.seconds))


if __name__ == "__main__":
    main()
