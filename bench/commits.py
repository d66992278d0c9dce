"""Durable commits: what a commit through the whole path costs, against raw sqlite3.

Raw sqlite3 inserts the very rows the store would have (hashes computed beforehand) into the same
schema with its triggers, `synchronous=FULL`: in batches of 256 for the first comparison, one by one
for the second. Questlog decides, evolves, hashes, appends, publishes and answers.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from eventstore.chain import GENESIS
from eventstore.port import Loaded
from eventstore.sqlite.rows import INSERT, row_of
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import Commit, Create, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor
from questlog.campaign.state import CampaignState
from questlog.campaign.suggestions import MAX_PENDING
from questlog.document import Limits
from server.clock import SystemClock
from server.live import LiveCampaign
from server.metrics import Metrics
from server.process import run

CAMPAIGNS = 200
COMMITS_EACH = 100
ALONE = 2000
BATCH = 256
ROUNDS = 5
DM = Actor("dm", "dm")
DOCUMENT: dict[str, Any] = {
    "narrative": "The bell rings under the water.",
    "turn": 0,
    "characters": {
        name: {"name": name, "hp": {"current": 20, "max": 20}, "conditions": []}
        for name in ("mira", "tobin", "oda", "ishaan")
    },
}


def request(number: int) -> Request:
    """Return the commit a turn makes: a hit point and the turn's number."""
    patch = [
        {"op": "replace", "path": "/turn", "value": number},
        {"op": "replace", "path": "/characters/mira/hp/current", "value": number % 20},
    ]
    return Request(DM, Commit(patch=patch, kind="damage.dealt"), f"turn-{number}")


def prepare(folder: Path, campaigns: int, commits: int) -> list[list[tuple[str | int, ...]]]:
    """Return the rows each campaign's commits would be stored as, hashes included."""
    rows = []
    for index in range(campaigns):
        campaign_id = f"campaign-{index}"
        state, previous = CampaignState(campaign_id=campaign_id), GENESIS
        mine = []
        for number in range(commits + 1):
            asked = request(number) if number else Request(DM, Create(DOCUMENT))
            decision = decide(state, asked, Minted("2026-11-23T20:00:00.000Z", "made"), Limits())
            assert decision.event is not None
            row = row_of(campaign_id, decision.event, previous)
            state, previous = decision.state, str(row[-1])
            mine.append(row)
        rows.append(mine)
    return rows


async def _fresh(path: Path) -> None:
    store = await SqliteStore.open(f"sqlite:///{path}")
    await store.close()


def raw(path: Path, rows: list[list[tuple[str | int, ...]]], batch: int) -> float:
    """Return seconds for inserting `rows`, interleaved by campaign, `batch` to a transaction."""
    asyncio.run(_fresh(path))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN")
    for mine in rows:
        connection.execute(
            "INSERT INTO campaign (campaign_id, created_at, last_at, head_hash)"
            " VALUES (?, '', '', '')",
            (mine[0][0],),
        )
        connection.execute(INSERT, mine[0])
    connection.execute("COMMIT")
    turns = [mine[number] for number in range(1, len(rows[0])) for mine in rows]
    begun = time.perf_counter()
    for start in range(0, len(turns), batch):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, turns[start : start + batch])
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds


async def questlog(path: Path, campaigns: int, commits: int, depth: int) -> float:
    """Return seconds for the same commits, each campaign with `depth` of them in flight."""
    store = await SqliteStore.open(f"sqlite:///{path}")
    log = structlog.get_logger()
    tasks: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    lives = []
    for index in range(campaigns):
        loaded: Loaded | None = None
        parts = (store, SystemClock(), Limits(), MAX_PENDING, spawn, Metrics(), log)
        lives.append(LiveCampaign(f"campaign-{index}", loaded, *parts))
    await asyncio.gather(*(live.submit(Request(DM, Create(DOCUMENT))) for live in lives))

    requests = [request(number) for number in range(1, commits + 1)]

    async def write(live: LiveCampaign, first: int) -> None:
        for asked in requests[first::depth]:
            await live.submit(asked)

    begun = time.perf_counter()
    await asyncio.gather(*(write(live, first) for live in lives for first in range(depth)))
    seconds = time.perf_counter() - begun
    await store.close()
    return seconds


def compare(name: str, campaigns: int, commits: int, batch: int, depth: int, goal: str) -> None:
    """Print commits per second of both, round by round interleaved, and the ratio of medians."""
    ours, theirs = [], []
    total = campaigns * commits
    with tempfile.TemporaryDirectory() as folder:
        rows = prepare(Path(folder), campaigns, commits)
        for turn in range(ROUNDS):
            theirs.append(total / raw(Path(folder) / f"raw{turn}.db", rows, batch))
            path = Path(folder) / f"ours{turn}.db"
            ours.append(total / run(questlog(path, campaigns, commits, depth)))
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"{name:<42} questlog {statistics.median(ours):>9,.0f}/s   "
        f"raw sqlite3 {statistics.median(theirs):>9,.0f}/s   ratio {ratio:.2f} (goal {goal})"
    )


def main() -> None:
    """Print both comparisons."""
    print("Durable commits, decided to answered, medians of", ROUNDS)
    compare("200 campaigns, 4 in flight each", CAMPAIGNS, COMMITS_EACH, BATCH, 4, "0.3")
    compare("200 campaigns, 1 in flight each", CAMPAIGNS, COMMITS_EACH, BATCH, 1, "-")
    compare("one campaign, one after the other", 1, ALONE, 1, 1, "0.4")


if __name__ == "__main__":
    main()
