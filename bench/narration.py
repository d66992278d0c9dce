"""Narration: what a chunk costs a delivery, against a plain delta that says the same words.

A DM streams 50 chunks a second to 1,000 players over a socket, and in turn commits as many deltas
with the same words in them, to the same players of the same server. Deliveries are what the
`/metrics` of the server counted: chunks, and the deltas of the parts that reach the log, together.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import time
from collections.abc import AsyncIterator

from aiohttp import ClientWebSocketResponse
from msgspec import Struct

from bench.table import CAMPAIGN, Hall, Sent, hall, spent
from server.process import run

PLAYERS = 1000
A_SECOND = 50
SECONDS = 10.0
ROUNDS = 3
GOAL, EVENTS_GOAL = 1.5, 4
WORDS = "and the bell tolls again "
PATIENCE = 30.0


class Cost(Struct):
    """What was said in one stretch of time cost the server.

    Attributes:
        cpu: microseconds a delivery.
        size: bytes a delivery.
        each: deliveries to each player, a second.
        events: of the log, a second.
    """

    cpu: float
    size: float
    each: float
    events: float


class Teller:
    """A DM on a socket: sends without waiting, and sees that nothing is refused.

    Attributes:
        version: the newest it was told of.
    """

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.version = 0
        self._socket = socket
        self._number = 0
        self._answered: set[str] = set()
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def plain(self, seconds: float) -> None:
        """Commit the words, one delta each time."""
        identifier = ""
        async for number in paced(seconds):
            identifier = self._next()
            value = {"text": WORDS, "number": number}
            patch = [{"op": "add", "path": "/said", "value": value}]
            await self._send({"type": "commit", "id": identifier, "patch": patch})
        await self._answer_to(identifier)

    async def narrate(self, seconds: float) -> None:
        """Stream the words, one chunk each time."""
        identifier, offset = self._next(), 0
        narration = {"type": "narration", "id": identifier}
        await self._send({**narration, "phase": "begin"})
        await self._answer_to(identifier)
        self._answered.clear()
        async for _ in paced(seconds):
            await self._send({**narration, "phase": "chunk", "offset": offset, "text": WORDS})
            offset += len(WORDS)
        await self._send({**narration, "phase": "end", "offset": offset})
        await self._answer_to(identifier)

    def _next(self) -> str:
        self._number += 1
        return f"n{self._number}"

    async def _send(self, message: dict[str, object]) -> None:
        await self._socket.send_str(json.dumps(message))

    async def _answer_to(self, identifier: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while identifier not in self._answered:
                self._changed.clear()
                await self._changed.wait()
                assert not self._reading.done(), "the DM's socket has ended"

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                message = json.loads(frame.data)
                assert message["type"] not in ("error", "rejected"), message
                if message["type"] == "committed":
                    self._answered.add(message["id"])
                    self._changed.set()
                self.version = max(self.version, message.get("version") or 0)
        finally:
            self._changed.set()


async def paced(seconds: float) -> AsyncIterator[int]:
    """Yield a number so many times a second."""
    begun = time.monotonic()
    for number in range(int(seconds * A_SECOND)):
        await asyncio.sleep(max(0.0, begun + number / A_SECOND - time.monotonic()))
        yield number


async def measure(table: Hall, teller: Teller, kind: str) -> Cost:
    """Return what it costs to tell everyone, by `plain` deltas or by `narration`."""
    before, version, cpu = await table.sent(), teller.version, table.cpu()
    tell = teller.plain if kind == "plain" else teller.narrate
    await tell(SECONDS)
    await table.counter.quiet()
    cpu = table.cpu() - cpu
    made = spent(before, await table.sent())
    told = [made.get(sort, Sent()) for sort in ("delta", "talk")]
    deliveries = sum(sent.deliveries for sent in told)
    return Cost(
        cpu / deliveries * 1e6,
        sum(sent.size for sent in told) / deliveries,
        deliveries / PLAYERS / SECONDS,
        (teller.version - version) / SECONDS,
    )


async def main_async() -> None:
    """Print both side by side."""
    taken: dict[str, list[Cost]] = {"plain": [], "narration": []}
    async with hall({"hp": 0}) as table:
        await table.seat([await table.token("player", f"p{n}") for n in range(PLAYERS)])
        url = f"{table.url}/ws/campaign/dm?campaign_id={CAMPAIGN}"
        headers = {"Authorization": f"Bearer {await table.token('dm')}"}
        async with table.session.ws_connect(url, headers=headers, max_msg_size=0) as socket:
            teller = Teller(socket)
            await table.counter.quiet()
            for number in range(ROUNDS):
                # Whichever goes first meets a server that is as it was left by the other.
                for kind in list(taken)[:: 1 if number % 2 == 0 else -1]:
                    taken[kind].append(await measure(table, teller, kind))
        table.check()
    report(taken)


def report(taken: dict[str, list[Cost]]) -> None:
    """Print the medians, and the median and the worst ratio."""
    print(f"Narration, {A_SECOND} chunks a second to {PLAYERS} players, medians of {ROUNDS}")
    for kind, costs in taken.items():
        cpu, size, each, events = (
            statistics.median(getattr(cost, name) for cost in costs)
            for name in ("cpu", "size", "each", "events")
        )
        print(
            f"{kind:<9} {cpu:5.2f} us/delivery of {size:3.0f} B, {each:4.1f} a second to each; "
            f"{events:4.1f} events a second in the log"
        )
    pairs = zip(taken["narration"], taken["plain"], strict=True)
    ratios = [told.cpu / plain.cpu for told, plain in pairs]
    print(
        f"narration is {statistics.median(ratios):4.2f} of a plain delta, at most "
        f"{max(ratios):4.2f} (goals: {GOAL}, {EVENTS_GOAL} events a second)"
    )


def main() -> None:
    """Run from the command line."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    run(main_async())


if __name__ == "__main__":
    main()
