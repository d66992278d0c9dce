"""A hall at rest: what 2,000 players cost who follow one campaign while nothing happens.

They follow 450 kB with the heartbeats of every 20 seconds, and have asked for digests as the SDK
does, once. Two things could cost: digests, so that the same is measured where nobody has asked for
them; and presence, so that it is measured where all share one token without a name, who are one
member of whom nothing is told. An empty server is the floor. What their coming costs is measured as
well: all within seconds, each with the snapshot, and with counts of who is there once a second.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import time
from typing import Any

from msgspec import Struct

from bench.table import Hall, Sent, hall, spent
from questlog.document import encode
from server.process import run

PLAYERS = 2000
SECONDS = 60.0
ROUNDS = 3
SETTLED = 8.0
GOAL = 5.0
HELLO = json.dumps({"type": "heartbeat", "version": 1, "digest": True})


class Situation(Struct, frozen=True):
    """Who is there."""

    name: str
    players: int = PLAYERS
    named: bool = True
    digests: bool = True


SITUATIONS = (
    Situation("nobody at all", players=0),
    Situation("each with a name, no digests", digests=False),
    Situation("each with a name, digests"),
    Situation("all by one token, digests", named=False),
)


class Coming(Struct):
    """What it took to seat everyone: seconds, CPU seconds, and the messages by sort."""

    seconds: float
    cpu: float
    sent: dict[str, Sent]


def document() -> dict[str, Any]:
    """Return a document of about 450 kB."""
    return {"hp": 0, "story": ["z" * 90] * 4840}


async def seat(table: Hall, situation: Situation) -> Coming:
    """Seat everyone as fast as they can be."""
    shared = await table.token("player")
    tokens = [
        await table.token("player", f"p{number}") if situation.named else shared
        for number in range(situation.players)
    ]
    before, cpu = await table.sent(), table.cpu()
    seconds = await table.seat(tokens, HELLO if situation.digests else "")
    cpu = table.cpu() - cpu
    return Coming(seconds, cpu, spent(before, await table.sent()))


async def rest(table: Hall) -> tuple[float, dict[str, Sent]]:
    """Return percent of a core over a minute, and what was sent in it."""
    # The last counts of who came are no rest. Those who came within a tick of the hub's watch get
    # their heartbeats in one: begun so, a minute has three rounds of them whenever they came.
    await asyncio.sleep(SETTLED)
    before = await table.sent()
    cpu, begun = table.cpu(), time.monotonic()
    await asyncio.sleep(SECONDS)
    used = (table.cpu() - cpu) / (time.monotonic() - begun) * 100
    made = spent(before, await table.sent())
    table.check()
    return used, made


def report_coming(comings: list[Coming]) -> None:
    """Print what a player's coming cost, in the median of all times they came."""
    seconds = statistics.median(coming.seconds for coming in comings)
    cpu = statistics.median(coming.cpu for coming in comings) / PLAYERS * 1000
    print(f"  coming within {seconds:.1f} s: {cpu:.2f} ms of CPU each; messages to each:")
    for sort in sorted({sort for coming in comings for sort in coming.sent}):
        sent = [coming.sent.get(sort, Sent()) for coming in comings]
        number = statistics.median(each.deliveries for each in sent) / PLAYERS
        size = statistics.median(each.size for each in sent) / PLAYERS
        print(f"    {sort:<9} {number:5.2f}, {size:9,.0f} B")


async def main_async() -> None:
    """Print what was measured, situation by situation."""
    size = len(encode(document())) / 1000
    print(
        f"{PLAYERS} at rest, a document of {size:.0f} kB (goal: {GOAL:.0f} % of a core)", flush=True
    )
    for situation in SITUATIONS:
        comings = []
        for number in range(ROUNDS if situation.players else 1):
            async with hall(document()) as table:
                comings.append(await seat(table, situation))
                if number == 0:
                    used, made = await rest(table)
        said = ", ".join(
            f"{sent.deliveries:,.0f} x {sort} ({sent.size / sent.deliveries:.0f} B)"
            for sort, sent in made.items()
        )
        print(
            f"{situation.name}: {used:.2f} % of a core over {SECONDS:g} s;"
            f" sent: {said or 'nothing'}"
        )
        if situation.players:
            report_coming(comings)


def main() -> None:
    """Run from the command line."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    run(main_async())


if __name__ == "__main__":
    main()
