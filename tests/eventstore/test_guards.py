"""The guards of a SQLite store: its triggers, its lock, its schema, and which files it refuses."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from eventstore import migrator, policy
from eventstore.errors import (
    StoreError,
    StoreLockedError,
)
from eventstore.port import Appended
from eventstore.sqlite import store as store_module
from eventstore.sqlite.store import SqliteReader, SqliteStore
from tests.eventstore.scribe import Scribe, create, filled, open_store, url_of

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import asyncio, sys
from eventstore.sqlite.store import SqliteStore

async def hold():
    await SqliteStore.open(sys.argv[1])
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE event SET meta = '{}' WHERE version = 2", "never changed"),
        ("UPDATE event SET version = 9 WHERE version = 3", "never changed"),
        ("DELETE FROM event WHERE version = 3", "never deleted"),
        ("DELETE FROM event", "never deleted"),
        (
            "INSERT OR REPLACE INTO event SELECT * FROM event WHERE version = 3",
            "follows the head",
        ),
        (
            "INSERT OR REPLACE INTO event SELECT campaign_id, 4, id, kind, member, role, at, patch,"
            " data, meta, request, schema, hash FROM event WHERE version = 2",
            "never replaced",
        ),
        (
            "INSERT OR REPLACE INTO event (rowid, campaign_id, version, id, kind, member, role, at,"
            " patch, data, meta, request, schema, hash) SELECT rowid, campaign_id, 4, 'new', kind,"
            " member, role, at, patch, data, meta, request, schema, hash FROM event"
            " WHERE version = 2",
            "never replaced",
        ),
        (
            "INSERT INTO event SELECT campaign_id, 5, 'new', kind, member, role, at, patch,"
            " data, meta, request, schema, hash FROM event WHERE version = 3",
            "follows the head",
        ),
        (
            "INSERT INTO event SELECT 'nobody', 1, id, kind, member, role, at, patch,"
            " data, meta, request, schema, hash FROM event WHERE version = 1",
            "follows the head",
        ),
    ],
)
async def test_the_log_refuses_to_be_changed(path: Path, statement: str, said: str) -> None:
    connection = await filled(path)
    before = connection.execute("SELECT * FROM event").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match=said):
        connection.execute(statement)
    assert connection.execute("SELECT * FROM event").fetchall() == before
    connection.close()


async def test_the_log_is_plain_text_and_json(path: Path) -> None:
    connection = await filled(path)
    row = connection.execute(
        "SELECT patch ->> '$[0].value', json_type(data), json_type(meta) FROM event"
        " WHERE version = 3"
    ).fetchone()
    connection.close()
    assert row == (2, "object", "object")


async def test_one_other_process_may_not_write_until_the_first_is_gone(path: Path) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, url_of(path), stdout=subprocess.PIPE, cwd=ROOT
    )
    assert holder.stdout is not None
    assert await asyncio.wait_for(holder.stdout.readline(), 20) == b"open\n"
    with pytest.raises(StoreLockedError, match=f"process {holder.pid}"):
        await open_store(path)
    reader = await SqliteReader.open(url_of(path))
    assert await reader.campaigns() == []
    await reader.close()
    holder.kill()
    await holder.wait()
    store = await open_store(path)
    await Scribe(store).write(create())
    await store.close()


async def test_a_second_store_in_the_same_process_is_refused_too(
    store: SqliteStore, path: Path
) -> None:
    with pytest.raises(StoreLockedError, match=f"process {os.getpid()}"):
        await open_store(path)
    await Scribe(store).write(create())


async def test_a_closed_store_is_one_file_beside_its_lock(path: Path) -> None:
    connection = await filled(path)
    connection.close()
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["log.db", "log.db.lock"]


def test_a_migration_that_fails_leaves_the_schema_before_it() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    first, *_ = migrator.sqlite_migrations()
    failing = migrator.Migration(2, "broken", "CREATE TABLE extra (a TEXT); SELECT nothing;")
    with pytest.raises(sqlite3.OperationalError):
        migrator.migrate(connection, [first, failing], now="2026-01-01T00:00:00.000Z")
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert [number for number, *_ in migrator.applied(connection)] == [1]
    assert connection.execute("SELECT * FROM sqlite_schema WHERE name = 'extra'").fetchall() == []
    assert not connection.in_transaction
    whole = migrator.Migration(2, "whole", "CREATE TABLE extra (a TEXT);")
    ran = migrator.migrate(connection, [first, whole], now="2026-01-01T00:00:00.000Z")
    assert ran == [whole]
    connection.close()


def test_a_migration_is_recorded_with_its_digest() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations = migrator.sqlite_migrations()
    migrator.migrate(connection, migrations, now="2026-01-01T00:00:00.000Z")
    assert migrator.applied(connection) == [
        (m.number, m.name, m.sha256, "2026-01-01T00:00:00.000Z") for m in migrations
    ]
    connection.close()


async def test_a_cancelled_open_lets_go_of_the_lock(path: Path) -> None:
    opening = asyncio.create_task(open_store(path))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    store = await open_store(path)
    assert isinstance(await Scribe(store).write(create()), Appended)
    await store.close()


def test_a_migration_waits_for_nobody_for_ever(path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        migrator.migrate(connection, migrator.sqlite_migrations(), now="")
    connection.close()
    holder.close()


async def test_an_sqlite_that_is_too_old_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(StoreError, match="too old"):
        await open_store(path)


def test_a_snapshot_is_due_once_the_events_outweigh_the_document() -> None:
    assert not policy.snapshot_due(policy.MIN_WEIGHT, 10)
    assert policy.snapshot_due(policy.MIN_WEIGHT + 1, 10)
    assert not policy.snapshot_due(100_000, 100_000)
    assert policy.snapshot_due(100_001, 100_000)
    assert policy.weight(2, 10) == 10 + policy.EVENT_OVERHEAD
    assert policy.weight(1, 10) == 0
