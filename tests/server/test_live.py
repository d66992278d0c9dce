"""A live campaign under what goes wrong: races, retries, lost callers, a full or failing disk."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from eventstore.errors import OutcomeUnknownError
from eventstore.proof.verifier import verify
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import Commit, Create, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.errors import (
    CampaignExists,
    Rejection,
    StoreUnavailable,
    UnknownCampaign,
    VersionConflict,
)
from questlog.campaign.events import Actor
from questlog.document import Limits, encode
from server.attendance import Attendance
from server.background import Background
from server.clock import SystemClock
from server.config import Config
from server.live import Done, LiveCampaign
from server.metrics import Metrics
from server.registry import Registry
from tests.support.server import silent_log

DM = Actor("dm", "dm")


class Table:
    """A store, and campaigns in memory over it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.background = Background(silent_log())
        config, log = Config(idle_timeout=0.001), silent_log()
        clock = SystemClock()
        attendance = Attendance(None, store, clock, log)
        self.registry = Registry(store, clock, config, self.background, attendance, Metrics(), log)

    async def campaign(self, name: str = "c", document: Any = None) -> LiveCampaign:
        """Create a campaign and return it, live."""
        await self.registry.create(name, Request(DM, Create(document or {"n": 0, "log": []})))
        return (await self.registry.find(name)).live


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Table]:
    store = await SqliteStore.open(f"sqlite:///{tmp_path / 'questlog.db'}")
    made = Table(store)
    await made.background.start()
    yield made
    await made.background.stop()
    await store.close()


def setting(number: int, **more: Any) -> Commit:
    """Return a commit that sets `/n`."""
    return Commit(patch=[{"op": "replace", "path": "/n", "value": number}], **more)


def adding(word: str) -> Commit:
    """Return a commit that adds to `/log`."""
    return Commit(patch=[{"op": "add", "path": "/log/-", "value": word}])


async def outcome(future: asyncio.Future[Done]) -> Done | Rejection:
    """Return a request's answer, a rejection as a value."""
    try:
        return await future
    except Rejection as rejection:
        return rejection


async def test_commits_are_decided_before_the_last_is_durable(table: Table) -> None:
    live = await table.campaign()
    futures = [live.submit(Request(DM, setting(n, expected_version=n))) for n in range(1, 301)]
    assert live.state.version == 1, "nothing is published before it is durable"
    answers = await asyncio.gather(*futures)
    assert [answer.version for answer in answers] == list(range(2, 302))
    assert live.state.document["n"] == 300


async def test_a_cancelled_caller_does_not_take_its_commit_back(table: Table) -> None:
    live = await table.campaign()
    first = live.submit(Request(DM, adding("one"), "id-1"))
    first.cancel()
    second = await live.submit(Request(DM, adding("two")))
    assert second.version == 3
    assert live.state.document["log"] == ["one", "two"]
    again = await live.submit(Request(DM, adding("one"), "id-1"))
    assert (again.version, again.duplicate) == (2, True)


async def test_duplicates_in_a_pipeline_are_found_and_the_rest_decided_again(table: Table) -> None:
    live = await table.campaign()
    await live.submit(Request(DM, adding("first"), "a"))
    asked: list[tuple[Commit, str | None]] = [
        (adding("second"), "b"),
        (adding("first"), "a"),
        (adding("third"), "c"),
        (setting(1), "a"),
        (setting(9, expected_version=2), None),
        (setting(5, expected_version=4), "d"),
        (adding("second"), "b"),
        (Commit(patch=[{"op": "remove", "path": "/nothing"}]), "e"),
        (Commit(structured_data={"n": 5, "log": ["first", "second", "third"]}), None),
    ]
    futures = [live.submit(Request(DM, command, identifier)) for command, identifier in asked]
    answers = [await outcome(future) for future in futures]
    kinds = [(a.version, a.duplicate) if isinstance(a, Done) else type(a).__name__ for a in answers]
    assert kinds == [
        (3, False),
        (2, True),
        (4, False),
        "IdReused",
        "VersionConflict",
        (5, False),
        (3, True),
        "PatchRejected",
        (6, False),
    ]
    assert live.state.document == {"n": 5, "log": ["first", "second", "third"]}


async def test_of_two_racing_orchestrators_one_wins_each_version(table: Table) -> None:
    live = await table.campaign()
    wins: dict[str, int] = {"left": 0, "right": 0}

    async def race(name: str) -> None:
        while live.state.version < 200:
            base = live.state.version
            answer = await outcome(live.submit(Request(DM, setting(base, expected_version=base))))
            if isinstance(answer, Done):
                wins[name] += 1
            else:
                assert isinstance(answer, VersionConflict)
                assert answer.version is not None
                assert answer.version >= base

    await asyncio.gather(race("left"), race("right"))
    assert wins["left"] + wins["right"] == live.state.version - 1


async def test_another_writer_of_the_log_is_followed(table: Table) -> None:
    live = await table.campaign()
    state, limits = live.state, Limits()
    for number in range(1, 4):
        request = Request(DM, setting(number * 10))
        decision = decide(state, request, Minted("2026-11-23T20:00:00.000Z", f"x{number}"), limits)
        assert decision.event is not None
        await table.store.append("c", [decision.event])
        state = decision.state
    answers = await asyncio.gather(*(live.submit(Request(DM, adding(w))) for w in "ab"))
    assert [answer.version for answer in answers] == [5, 6]
    assert live.state.document == {"n": 30, "log": ["a", "b"]}


async def test_random_pipelines_end_as_the_log_says(table: Table) -> None:
    seed = random.SystemRandom().getrandbits(32)
    chance = random.Random(seed)
    live = await table.campaign()
    futures = []
    for number in range(600):
        command: Commit = chance.choice(
            [
                adding(str(number)),
                setting(number),
                setting(number, expected_version=chance.randrange(1, 60)),
                Commit(patch=[{"op": "test", "path": "/n", "value": chance.randrange(600)}]),
                Commit(structured_data={"n": number, "log": []}, log_unchanged=False),
            ]
        )
        identifier = chance.choice([None, str(chance.randrange(40))])
        futures.append(live.submit(Request(DM, command, identifier)))
        if chance.random() < 0.1:
            await outcome(chance.choice(futures))
        if chance.random() < 0.05:
            futures.pop().cancel()
    await asyncio.gather(*map(outcome, futures))
    loaded = await table.store.load("c")
    assert loaded is not None
    assert loaded.state.document == live.state.document, seed
    assert loaded.state.version == live.state.version, seed
    assert live.state.size == len(encode(live.state.document)), seed
    assert [finding async for finding in verify(table.store)] == [], seed


async def through_writer(store: SqliteStore, work: Callable[[sqlite3.Connection], object]) -> None:
    """Run `work` on the store's writing connection, outside a transaction."""
    await store._writer._connection.run(work)


async def test_a_full_disk_refuses_writes_keeps_reads_and_recovers(table: Table) -> None:
    live = await table.campaign()

    def fill(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await through_writer(table.store, fill)
    big = [live.submit(Request(DM, adding("x" * 100_000), f"big-{n}")) for n in range(5)]
    refused = [await outcome(future) for future in big]
    assert all(isinstance(answer, StoreUnavailable) for answer in refused)
    assert (live.state.version, live.state.document) == (1, {"n": 0, "log": []})
    loaded = await table.store.load("c")
    assert loaded is not None
    assert loaded.state.version == 1
    await through_writer(table.store, lambda c: c.execute("PRAGMA max_page_count = 1073741823"))
    answer = await live.submit(Request(DM, adding("x" * 100_000), "big-0"))
    assert (answer.version, answer.duplicate) == (2, False)


async def test_after_a_failing_commit_the_log_says_what_got_in(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await table.campaign()
    written = table.store._writer._write

    async def write_and_fail(batch: Any) -> Any:
        await written(batch)
        monkeypatch.undo()
        return [OutcomeUnknownError()] * len(batch)

    monkeypatch.setattr(table.store._writer, "_write", write_and_fail)
    lost = await outcome(live.submit(Request(DM, adding("kept"), "id-1")))
    assert isinstance(lost, StoreUnavailable)
    assert live.state.document["log"] == ["kept"], "it was written, and everyone was told"
    again = await live.submit(Request(DM, adding("kept"), "id-1"))
    assert (again.version, again.duplicate) == (2, True)


async def test_a_closed_store_refuses_and_nothing_hangs(table: Table) -> None:
    live = await table.campaign()
    table.store._writer._closing = True
    answer = await outcome(live.submit(Request(DM, adding("late"))))
    assert isinstance(answer, StoreUnavailable)
    table.store._writer._closing = False
    assert isinstance(await outcome(live.submit(Request(DM, adding("x")))), Done)


async def test_a_campaign_is_loaded_once_and_leaves_memory_when_idle(table: Table) -> None:
    await table.campaign()
    table.registry.sweep()
    await asyncio.sleep(0.01)
    table.registry.sweep()
    assert table.registry.seats() == []
    seats = await asyncio.gather(*(table.registry.find("c") for _ in range(20)))
    assert len({id(seat) for seat in seats}) == 1
    busy = seats[0].live.submit(Request(DM, adding("x")))
    await asyncio.sleep(0)
    seats[0].used = 0.0
    if not busy.done():
        table.registry.sweep()
        assert table.registry.seats() == [seats[0]], "nothing in flight is dropped"
    await busy


async def test_what_was_never_created_is_not_kept(table: Table) -> None:
    with pytest.raises(UnknownCampaign):
        await table.registry.find("nobody")
    bad = Request(DM, Create({"a": 1}, title="x" * 1000))
    assert isinstance(
        await outcome(asyncio.ensure_future(table.registry.create("c", bad))), Rejection
    )
    assert table.registry.seats() == []
    creations = [
        outcome(asyncio.ensure_future(table.registry.create("c", Request(DM, Create({"by": n})))))
        for n in range(10)
    ]
    answers = await asyncio.gather(*creations)
    assert sum(isinstance(answer, Done) for answer in answers) == 1
    assert sum(isinstance(answer, CampaignExists) for answer in answers) == 9


async def test_snapshots_keep_pace_with_the_log(table: Table) -> None:
    live = await table.campaign(document={"n": 0, "log": [], "story": "x" * 20_000})
    for number in range(300):
        await live.submit(Request(DM, setting(number)))
    await table.background.stop()
    snapshots = await table.store.snapshots("c")
    assert len(snapshots) in range(3, 5)
    for version, _, state in snapshots:
        assert (state.version, state.document["n"]) == (version, version - 2)
    await table.background.start()


async def test_a_campaign_is_not_found_before_it_is_durable(table: Table) -> None:
    creation = asyncio.ensure_future(table.registry.create("c", Request(DM, Create({"n": 1}))))
    sights: list[int] = []
    while not creation.done():
        # Finding what is in memory waits for nothing, and the creation has to come to its end.
        await asyncio.sleep(0)
        try:
            sights.append((await table.registry.find("c")).live.state.version)
        except UnknownCampaign:
            sights.append(0)
            assert table.registry.seats() == []
    assert (await creation).version == 1
    assert set(sights) <= {0, 1}
    assert (await table.registry.find("c")).live.state.version == 1


async def test_who_holds_a_campaign_keeps_it_in_memory(table: Table) -> None:
    await table.campaign()
    async with table.registry.holding("c") as seat:
        seat.used = 0.0
        table.registry.sweep()
        assert table.registry.seats() == [seat]
    seat.used = 0.0
    table.registry.sweep()
    assert table.registry.seats() == []


async def test_a_fault_in_telling_others_stops_nothing(table: Table) -> None:
    live = await table.campaign()
    seat = await table.registry.find("c")
    seat.room.publish = lambda _: 1 / 0  # type: ignore[assignment]
    assert (await live.submit(Request(DM, adding("kept")))).version == 2
    assert (await live.submit(Request(DM, adding("going on")))).version == 3
    assert live.state.document["log"] == ["kept", "going on"]
