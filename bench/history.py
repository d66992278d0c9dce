"""Looking into a log of a million events: `python -m bench.history`.

The store has 100 campaigns, one of them with a fifth of all events, made of the recordings: their
real patches, and one back to the beginning, again and again. The commands run as processes of their
own; their memory is the system's figure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.recordings import recordings, steps
from eventstore import policy
from eventstore.looking.blame import blame
from eventstore.looking.walking import bisect
from eventstore.port import Appended
from eventstore.sqlite.store import SqliteReader, SqliteStore
from questlog.campaign.commands import Commit, Create, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor
from questlog.campaign.state import CampaignState
from questlog.document import Limits, diff
from server.process import run

CAMPAIGNS = 100
BATCH = 1_000
PLACES = 200
READS = 20
STEPS = 400
# Recordings of large documents would make a file of many gigabytes, and measure the disk.
LARGEST = 64 * 1024
DM = Actor("dm", "dm")
SEED = 11


def main() -> None:
    """Make the store, unless it is there, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="kept there; else thrown away")
    given = parser.parse_args([] if sys.argv[0].endswith("bench/__main__.py") else None)
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        path = given.store or Path(folder) / "history.db"
        if not path.exists():
            # In a process of its own: what it holds would count as that of every command below.
            making = get_context("spawn").Process(target=_make, args=(path, given.events))
            making.start()
            making.join()
            if making.exitcode:
                sys.exit("the store could not be made")
        run(_look(url_of(path)))
        _commands(url_of(path))


def tales() -> list[tuple[dict[str, Any], list[list[dict[str, Any]]]]]:
    """Return the first document and the patches of each recording that is not too large."""
    found = []
    for path in recordings():
        header, states = steps(path, STEPS)
        first = header["initial_state"]
        if max(map(_size, (first, *states[::50]))) > LARGEST:
            continue
        documents = [first, *states, first]
        patches = [diff(*pair) for pair in pairwise(documents)]
        found.append((first, [patch for patch in patches if patch]))
    return found


def _size(document: Any) -> int:
    return len(str(document))


def _make(path: Path, events: int) -> None:
    begun = time.perf_counter()
    run(_fill(url_of(path), events))
    size, seconds = path.stat().st_size / 1e6, time.perf_counter() - begun
    print(f"{events:,} events in {CAMPAIGNS} campaigns: {size:,.0f} MB, made in {seconds:.0f} s")


def url_of(path: Path) -> str:
    """Return the URL of the store in a file."""
    return f"sqlite:////{path.absolute().as_posix().lstrip('/')}"


async def _fill(url: str, events: int) -> None:
    told = cycle(tales())
    store = await SqliteStore.open(url)
    largest = events // 5
    for number in range(CAMPAIGNS):
        length = largest if number == 0 else (events - largest) // (CAMPAIGNS - 1)
        await _grow(store, f"campaign-{number:02}", length, *next(told))
    await store.close()


async def _grow(
    store: SqliteStore,
    campaign_id: str,
    length: int,
    first: dict[str, Any],
    patches: list[list[dict[str, Any]]],
) -> None:
    state, weight = CampaignState(campaign_id=campaign_id), 0
    commands = _commands_of(first, patches)
    while state.version < length:
        events, due = [], []
        for index in range(min(BATCH, length - state.version)):
            at = f"2026-{1 + state.version // 90_000 % 12:02}-01T20:00:00.000Z"
            minted = Minted(max(at, state.last_at), f"event-{state.version}")
            decision = decide(state, Request(DM, next(commands)), minted, Limits())
            assert decision.event is not None
            events.append(decision.event)
            state = decision.state
            weight += policy.weight(state.version, len(decision.event.patch))
            if policy.snapshot_due(weight, state.size):
                weight = 0
                due.append((index, state))
        outcomes = await store.append(campaign_id, events)
        for index, then in due:
            outcome = outcomes[index]
            assert isinstance(outcome, Appended)
            await store.save_snapshot(then, outcome.hash)


def _commands_of(
    first: dict[str, Any], patches: list[list[dict[str, Any]]]
) -> Iterator[Create | Commit]:
    yield Create(first)
    for number, patch in enumerate(cycle(patches)):
        yield Commit(patch=patch, kind=f"kind.{'abcde'[number % 5]}", meta={"n": number % 9})


async def _look(url: str) -> None:
    reader = await SqliteReader.open(url)
    largest = max(await reader.campaigns(), key=lambda each: each.version)
    name, head = largest.campaign_id, largest.version
    rng = random.Random(SEED)

    async def timed(version: int | None) -> float:
        begun = time.perf_counter()
        await reader.load(name, at=version)
        return time.perf_counter() - begun

    async def place(version: int | None) -> tuple[float, float]:
        """Return how long the first of some reads takes, and how long one does at the median."""
        times = [await timed(version) for _ in range(READS)]
        return times[0], statistics.median(times)

    _, heads = await place(None)
    places = [await place(rng.randint(1, head)) for _ in range(PLACES)]
    print(f"the largest has {head:,} events; its head opens in {heads * 1000:.2f} ms")
    for when, times in zip(("read first", "read again"), zip(*places, strict=True), strict=True):
        middle, worst = statistics.median(times) / heads, max(times) / heads
        print(f"any version, {when}: {middle:.2f} of that at the median, {worst:.2f} at the worst")
    target = head * 2 // 3
    # The document does not count its versions: the state that a version has is what is looked for.
    asked = {"version": 0}

    def holds(_document: Any) -> bool:
        return asked["version"] >= target

    async def load(campaign_id: str, *, at: int | None = None) -> Any:
        asked["version"] = at or 0
        return await reader.load(campaign_id, at=at)

    watched: Any = _Watched(load)
    found = await bisect(watched, name, holds, 1, head)
    print(f"bisect: version {found.version:,} found by {found.reads} states read")
    loaded = await reader.load(name)
    assert loaded is not None
    whole = await blame(reader, name, "")
    for what in (max, min):
        leaf = what(whole, key=lambda each: each.version)
        begun = time.perf_counter()
        await blame(reader, name, leaf.path)
        seconds = time.perf_counter() - begun
        print(f"blame of a leaf that was changed at {leaf.version:,}: {seconds * 1000:,.0f} ms")
    await reader.close()


class _Watched:
    """A reader that says which version was asked for."""

    def __init__(self, load: Any) -> None:
        self.load = load


def _commands(url: str) -> None:
    largest, events = asyncio.run(_extent(url))
    rows = (
        (("log", largest[0], "--json"), largest[1]),
        (("grep", largest[0], "no such text"), largest[1]),
        (("stats", largest[0]), largest[1]),
        (("export", largest[0]), largest[1]),
        (("verify", largest[0]), largest[1]),
        (("verify",), events),
    )
    print(f"{'command':32} {'events/s':>12} {'peak MB':>9}")
    for arguments, count in rows:
        seconds, memory = _timed([*arguments, "--store", url], 1 if arguments[0] == "grep" else 0)
        print(f"{' '.join(arguments):32} {count / seconds:>12,.0f} {memory:>9.0f}")


async def _extent(url: str) -> tuple[tuple[str, int], int]:
    reader = await SqliteReader.open(url)
    found = await reader.campaigns()
    await reader.close()
    largest = max(found, key=lambda each: each.version)
    return (largest.campaign_id, largest.version), sum(each.version for each in found)


def _timed(arguments: list[str], expected: int) -> tuple[float, float]:
    """Return the seconds a command takes and the most memory of its process, in MB.

    One that ends with another status than `expected` ends the benchmark: it measured nothing.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tools", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        sys.exit(f"{' '.join(arguments)} ended with status {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
