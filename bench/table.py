"""A table that is alive: what narration costs a delivery, and what a hall of players costs at rest.

The server is `questlog serve` in a process of its own, whose CPU time is read from the system; the
players are in this one: they answer pings, and otherwise only count bytes.

- Narration: 50 chunks a second to 1,000 players, against as many commits of a like size. The chunks
  and the parts that the log gets are all counted as deliveries.
- At rest: 2,000 players of a campaign of 450 kB, with the heartbeats of every 20 seconds, once with
  digests and once without; and what their coming costs, each with a name, so that they are counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from bench.fanout import UPGRADE, Counter
from questlog.client import CampaignClient
from server.process import run
from tests.support.server import Served, create, state

CAMPAIGN = "table"
LISTENERS, PLAYERS = 1000, 2000
CHUNKS_A_SECOND = 50
SECONDS, ROUNDS = 60.0, 3
WORDS = "and the bell tolls again "
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
OPTIONS = ("--open", "--max-address-connections", "5000")


class Peer(asyncio.Protocol):
    """A player that answers pings and counts what it is sent, without reading it.

    Args:
        hello: a message to send first, none where empty.
    """

    def __init__(self, path: str, counter: Counter, hello: str = "") -> None:
        text = hello.encode()
        frame = b"\x81" + bytes((0x80 | len(text),)) + b"\0\0\0\0" + text if text else b""
        self._hello = UPGRADE.format(path=path).encode() + frame
        self._counter = counter
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade, and the first message."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        """Count what came; show that this player lives where that is asked."""
        self._counter.count(len(data))
        if data.startswith(PING) or data.endswith(PING):
            assert self._transport is not None
            self._transport.write(PONG)


def cpu_of(served: Served) -> float:
    """Return the CPU seconds a server has used (Linux)."""
    process = served._process
    assert process is not None
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def seated(count: int, size: int, hello: str = "") -> AsyncIterator[tuple[Served, Counter]]:
    """Seat players, each with a name, at a campaign of about `size` bytes."""
    with tempfile.TemporaryDirectory() as folder:
        async with Served.start(Path(folder) / "table.db", OPTIONS) as served:
            await create(served.url, CAMPAIGN, {"hp": 0, "story": ["z" * 90] * (size // 95)})
            counter, loop = Counter(), asyncio.get_running_loop()
            port = int(served.url.rpartition(":")[2])
            for number in range(count):
                path = f"/ws/campaign/player?campaign_id={CAMPAIGN}&player_id=p{number}"
                await loop.create_connection(
                    lambda path=path: Peer(path, counter, hello),  # type: ignore[misc]
                    "127.0.0.1",
                    port,
                )
            await counter.quiet()
            yield served, counter


async def paced(seconds: float) -> AsyncIterator[int]:
    """Yield a number 50 times a second."""
    begin = time.monotonic()
    for number in range(int(seconds * CHUNKS_A_SECOND)):
        yield number
        await asyncio.sleep(max(0.0, begin + number / CHUNKS_A_SECOND - time.monotonic()))


async def narration(seconds: float) -> tuple[float, float, float]:
    """Return CPU microseconds a delivery of deltas and of narration, and events a second."""
    async with (
        seated(LISTENERS, 2_000) as (served, counter),
        CampaignClient(served.url, CAMPAIGN, role="dm") as dm,
    ):
        await dm.live()
        before = cpu_of(served)
        async for number in paced(seconds):
            value = {"text": WORDS, "number": number}
            await dm.commit(patch=[{"op": "add", "path": "/said", "value": value}])
        await counter.quiet()
        plain = (cpu_of(served) - before) / (seconds * CHUNKS_A_SECOND * LISTENERS)
        version = (await state(served.url, CAMPAIGN))["version"]
        before = cpu_of(served)
        async with dm.narrate() as stream:
            async for _ in paced(seconds):
                stream.say(WORDS)
        await counter.quiet()
        used = cpu_of(served) - before
        events = (await state(served.url, CAMPAIGN))["version"] - version
        spoken = used / ((seconds * CHUNKS_A_SECOND + events) * LISTENERS)
        return plain * 1e6, spoken * 1e6, events / seconds


async def rest(seconds: float, *, digests: bool) -> tuple[float, float, float]:
    """Return percent of a core at rest, CPU ms a player that came, and kB each was told of others.

    The last is what came that was no snapshot.
    """
    hello = json.dumps({"type": "heartbeat", "version": 1, "digest": True}) if digests else ""
    begun = time.monotonic()
    async with seated(PLAYERS, 450_000, hello) as (served, counter):
        coming = cpu_of(served) / PLAYERS * 1000
        snapshot = len(json.dumps(await state(served.url, CAMPAIGN), separators=(",", ":")))
        told = (counter.bytes / PLAYERS - snapshot) / 1000
        print(f"  seated after {time.monotonic() - begun:.0f} s", flush=True)
        before, start = cpu_of(served), time.monotonic()
        await asyncio.sleep(seconds)
        return (cpu_of(served) - before) / (time.monotonic() - start) * 100, coming, told


async def main_async(seconds: float, rounds: int) -> None:
    """Print what was measured."""
    taken = [await narration(seconds / 6) for _ in range(rounds)]
    plain, spoken, events = (statistics.median(column) for column in zip(*taken, strict=True))
    ratio = statistics.median(run[1] / run[0] for run in taken)
    print(f"Narration, 50 chunks a second to {LISTENERS}, medians of {rounds} (goals: 1.5, 4)")
    print(f"a delta {plain:5.2f} us/delivery, narration {spoken:5.2f}: {ratio:4.2f} of it;")
    print(f"the log grew by {events:.1f} events a second")
    print(f"{PLAYERS} players of 450 kB at rest for {seconds:g} s (goal: 5 % of a core)")
    for digests in (False, True):
        used, coming, told = await rest(seconds, digests=digests)
        name = "with digests" if digests else "without"
        print(
            f"{name:<13} {used:5.2f} % of a core; coming cost {coming:5.2f} ms of CPU each,"
            f" and {told:4.1f} kB told beside the snapshot"
        )


def main() -> None:
    """Run from the command line."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    run(main_async(SECONDS, ROUNDS))


if __name__ == "__main__":
    main()
