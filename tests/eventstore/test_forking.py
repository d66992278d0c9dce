"""Forking on SQLite: what is damaged is not copied, and nothing is left of a fork that failed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eventstore.errors import DamagedSourceError, StoreFullError
from eventstore.port import Appended
from eventstore.proof.verifier import verify
from eventstore.sqlite.store import SqliteStore
from tests.eventstore.forks import forking
from tests.eventstore.scribe import Scribe, create, filled, open_store, put

DAMAGE = {
    "a changed patch": "UPDATE event SET patch = replace(patch, '1', '7') WHERE version = 2",
    "a changed hash": "UPDATE event SET hash = 'f' || substr(hash, 2) WHERE version = 2",
    "text that is none": "UPDATE event SET meta = CAST(x'7b22c322' AS TEXT) WHERE version = 2",
    "a missing event": "DELETE FROM event WHERE version = 2",
    "a missing tail": "DELETE FROM event WHERE version = 3",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
async def test_a_damaged_log_is_not_forked_and_others_are_written_on(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "q.db"
    connection = await filled(path)
    store = await open_store(path)
    event = await forking(store, "c", 3, "d")
    for trigger in ("event_never_changes", "event_never_goes"):
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(damage)
    connection.close()
    forked = store.fork("c", "d", event)
    other = Scribe(store, "other")
    await other.write(create())
    with pytest.raises(DamagedSourceError):
        await forked
    assert await store.head("d") is None
    assert await store.read("d") == []
    assert isinstance(await other.write(put("/hp", 1)), Appended)
    await store.close()


async def test_a_full_disk_leaves_nothing_of_a_fork(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "q.db")
    scribe = Scribe(store)
    await scribe.write(create({"text": "x" * 200_000}), put("/hp", 1))

    def fill(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await store._writer._connection.run(fill)
    with pytest.raises(StoreFullError):
        await store.fork("c", "d", await forking(store, "c", 2, "d"))
    assert await store.head("d") is None
    assert await store.head("c") is not None
    await store.close()


async def test_snapshots_that_are_not_the_logs_are_not_carried(tmp_path: Path) -> None:
    store: SqliteStore = await open_store(tmp_path / "q.db")
    scribe = Scribe(store)
    await scribe.write(create(), put("/hp", 1))
    await scribe.snapshot()
    await scribe.write(put("/hp", 2))
    await store.save_snapshot(scribe.state, "0" * 64)
    await store.fork("c", "d", await forking(store, "c", 3, "d"))
    await store.carry_snapshots("c", "d", 3)
    assert [version for version, _, _ in await store.snapshots("d")] == [2]
    assert [f async for f in verify(store, "d")] == []
    await store.carry_snapshots("c", "d", 3)
    await store.close()
    await store.carry_snapshots("c", "d", 3)
