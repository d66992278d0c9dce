"""The SQLite writer on a disk that is full or fails, and beside readers and lost snapshots."""

from __future__ import annotations

import asyncio
import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from eventstore.errors import (
    OutcomeUnknownError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
)
from eventstore.port import Appended, Conflict, Duplicate, Finding
from eventstore.proof.verifier import verify
from eventstore.sqlite import store as store_module
from eventstore.sqlite import writer as writer_module
from eventstore.sqlite.connection import Connection
from eventstore.sqlite.store import SqliteReader, SqliteStore
from eventstore.sqlite.writer import GroupCommit
from questlog.campaign.commands import Activate
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of


def writer_of(store: SqliteStore) -> GroupCommit:
    """Return the store's writer, whose connection tests make fail."""
    return store._writer


async def all_findings(store: SqliteReader) -> list[Finding]:
    """Return what the verifier finds."""
    return [finding async for finding in verify(store)]


async def test_a_full_disk_refuses_writes_keeps_reads_and_recovers(store: SqliteStore) -> None:
    scribe = Scribe(store)
    await scribe.write(create(), put("/hp", 1))
    connection = writer_of(store)._connection

    def limit(pages: int | None) -> Any:
        def run(raw: sqlite3.Connection) -> None:
            (used,) = raw.execute("PRAGMA page_count").fetchone()
            raw.execute(f"PRAGMA max_page_count = {used if pages is None else pages}")

        return connection.run(run)

    await limit(None)
    big = scribe.decide(put("/log", "x" * 100_000))
    with pytest.raises(StoreFullError):
        await store.append("c", [big])
    assert len(await store.read("c")) == 2
    loaded = await store.load("c")
    assert loaded is not None
    assert loaded.state.document["hp"] == 1
    await limit(1_000_000)
    assert isinstance((await store.append("c", [big]))[0], Appended)
    assert await all_findings(store) == []


class FailingDisk:
    """A raw connection whose next COMMIT fails as a broken disk makes it, done or not done."""

    def __init__(self, raw: sqlite3.Connection, *, done: bool, code: int) -> None:
        self._raw = raw
        self._done = done
        self._code = code

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run the statement, or fail it."""
        if sql == "COMMIT":
            if self._done:
                self._raw.execute(sql)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._raw.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def break_disk(store: SqliteStore, *, done: bool, code: int = sqlite3.SQLITE_IOERR_FSYNC) -> None:
    """Make the next COMMIT of the writer's connection fail."""
    connection = writer_of(store)._connection
    connection._connection = FailingDisk(connection._conn, done=done, code=code)  # type: ignore[assignment]


@pytest.mark.parametrize("done", [False, True])
async def test_after_a_failing_disk_the_outcome_is_unknown_and_a_retry_finds_it_out(
    store: SqliteStore, done: bool
) -> None:
    scribe = Scribe(store)
    await scribe.write(create())
    broken = writer_of(store)._connection
    hit = scribe.decide(put("/hp", 1), id="hit-1")
    break_disk(store, done=done)
    with pytest.raises(OutcomeUnknownError):
        await store.append("c", [hit])
    assert writer_of(store)._connection is not broken
    (again,) = await store.append("c", [hit])
    assert type(again) is (Duplicate if done else Appended)
    await scribe.write(put("/hp", 2))
    assert await all_findings(store) == []


async def test_all_in_a_failing_batch_are_told_so(store: SqliteStore) -> None:
    scribes = [Scribe(store, f"campaign-{number}") for number in range(20)]
    events = [scribe.decide(create()) for scribe in scribes]
    break_disk(store, done=False)
    results = await asyncio.gather(
        *(store.append(f"campaign-{number}", [event]) for number, event in enumerate(events)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {OutcomeUnknownError}
    assert await store.campaigns() == []


async def test_a_store_that_cannot_be_opened_again_says_so_until_it_can(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    scribe = Scribe(store)
    await scribe.write(create())

    async def refuse(path: Path) -> Connection:
        raise StoreReadOnlyError

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "open_writer", refuse)
        break_disk(store, done=False)
        hit = scribe.decide(put("/hp", 1))
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError, match="could not be opened again"):
                await store.append("c", [hit])
    # The next failure opens it again, and the one after that succeeds.
    with pytest.raises(OutcomeUnknownError):
        await store.append("c", [hit])
    assert isinstance((await store.append("c", [hit]))[0], Appended)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(sqlite3.SQLITE_READONLY, StoreReadOnlyError), (sqlite3.SQLITE_BUSY, StoreError)],
)
async def test_a_commit_that_was_refused_wrote_nothing(
    store: SqliteStore, code: int, expected: type[StoreError]
) -> None:
    scribe = Scribe(store)
    break_disk(store, done=False, code=code)
    with pytest.raises(expected) as caught:
        await store.append("c", [scribe.decide(create())])
    assert type(caught.value) is expected
    assert await store.head("c") is None
    with pytest.raises(expected):
        await store.check_writable()


async def test_text_that_cannot_be_written_fails_its_own_append_alone(store: SqliteStore) -> None:
    good, bad = Scribe(store, "good"), Scribe(store, "bad")
    event = replace(bad.decide(create()), meta="\ud800")
    results = await asyncio.gather(
        store.append("bad", [event]),
        store.append("good", [good.decide(create())]),
        return_exceptions=True,
    )
    assert type(results[0]) is StoreError
    assert isinstance(results[1], list)


async def test_an_append_refused_half_way_leaves_its_outcome_unknown(store: SqliteStore) -> None:
    first, second = Scribe(store, "a"), Scribe(store, "b")
    await first.write(create(), Activate("main"))
    await second.write(create())
    events = [second.decide(command) for command in (put("/hp", 1), Activate("main"))]
    with pytest.raises(OutcomeUnknownError):
        await store.append("b", events)
    head = await store.head("b")
    assert head is not None
    assert head.version == 2
    assert await all_findings(store) == []


async def test_a_log_that_moved_on_behind_the_writers_back_is_noticed(
    store: SqliteStore, path: Path
) -> None:
    scribe = Scribe(store)
    await scribe.write(create())
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(
        "INSERT INTO event SELECT campaign_id, 2, 'other', kind, member, role, at, '[]', data,"
        " meta, request, schema, hash FROM event"
    )
    connection.close()
    late = scribe.decide(put("/hp", 1))
    with pytest.raises(StoreError):
        await store.append("c", [late])
    assert await store.append("c", [late]) == [Conflict(2)]


async def test_a_reader_sees_a_whole_log_at_every_moment_of_2000_commits(
    store: SqliteStore, path: Path
) -> None:
    scribe = Scribe(store)
    await scribe.write(create({"hp": 1, "twin": 1}))
    patches = [
        [{"op": "add", "path": place, "value": number} for place in ("/hp", "/twin")]
        for number in range(2, 2002)
    ]
    reader = await SqliteReader.open(url_of(path))
    done = False

    async def write() -> None:
        nonlocal done
        commits = [scribe.decide(replace(put("/hp", 0), patch=patch)) for patch in patches]
        for start in range(0, len(commits), 50):
            await asyncio.gather(*(store.append("c", [e]) for e in commits[start : start + 50]))
        done = True

    async def read() -> int:
        reads = last = 0
        while not done:
            loaded = await reader.load("c")
            assert loaded is not None
            document = loaded.state.document
            assert document == {"hp": loaded.state.version, "twin": loaded.state.version}
            assert loaded.state.version >= last
            last = loaded.state.version
            reads += 1
        return reads

    _, reads = await asyncio.gather(write(), read())
    assert reads > 1
    assert await all_findings(reader) == []
    await reader.close()


async def test_deleting_every_snapshot_loses_nothing(path: Path) -> None:
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create())
    for number in range(20):
        await scribe.write(put("/hp", number))
        await scribe.snapshot()
    await store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute("DELETE FROM snapshot").rowcount == 20
    connection.close()
    store = await open_store(path)
    loaded = await store.load("c")
    assert loaded is not None
    assert loaded.state == scribe.state
    assert await all_findings(store) == []
    await store.close()


async def test_a_snapshot_that_cannot_be_read_is_passed_over(path: Path) -> None:
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create())
    await scribe.snapshot()
    await scribe.write(put("/hp", 1))
    await scribe.snapshot()
    await store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE snapshot SET state = '{' WHERE version = 2")
    connection.close()
    store = await open_store(path)
    loaded = await store.load("c")
    await store.close()
    assert loaded is not None
    assert loaded.state == scribe.state


async def test_heads_beyond_those_remembered_are_looked_up(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_HEADS", 2)
    scribes = [Scribe(store, f"campaign-{number}") for number in range(5)]
    for _ in range(3):
        for scribe in scribes:
            await scribe.write(put("/hp", 1) if scribe.state.version else create())
    assert [summary.version for summary in await store.campaigns()] == [3] * 5


async def test_verifying_takes_far_less_memory_than_the_log_is_long(
    store: SqliteStore, path: Path
) -> None:
    await Scribe(store).write(create(), *(put("/hp", "x" * 2000) for _ in range(8000)))
    tracemalloc.start()
    assert await all_findings(store) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (length,) = await store._readers.run(
        lambda c: c.execute("SELECT sum(length(patch)) FROM event").fetchone()
    )
    assert length > 16_000_000
    assert peak < length / 4
