"""The guards of a SQLite store: its triggers, its lock, its schema, and which files it refuses."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eventstore import migrator
from eventstore.errors import (
    BadStoreUrlError,
    NewerSchemaError,
    NoStoreError,
    NotAStoreError,
    OlderSchemaError,
    StoreLockedError,
    StoreReadOnlyError,
)
from eventstore.port import Appended
from eventstore.sqlite.location import path_of
from eventstore.sqlite.store import SqliteReader, SqliteStore
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of

ROOT = Path(__file__).resolve().parents[2]
DIARY = b"Dear diary, today the party met in a tavern. " * 100
AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
HOLDER = """
import asyncio, sys
from eventstore.sqlite.store import SqliteStore

async def hold():
    await SqliteStore.open(sys.argv[1])
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture(name="store")
async def _store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(path)
    yield store
    await store.close()


async def filled(path: Path) -> sqlite3.Connection:
    """Write a campaign of three versions and return a raw connection to its file."""
    store = await open_store(path)
    await Scribe(store).write(create(), put("/hp", 1), put("/hp", 2))
    await store.close()
    return sqlite3.connect(path, isolation_level=None)


def fill(path: Path, data: bytes) -> None:
    """Make the file hold this and nothing else."""
    path.write_bytes(data)


def contents(path: Path) -> bytes:
    """Return what the file holds."""
    return path.read_bytes()


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


async def test_a_newer_schema_is_refused(path: Path) -> None:
    connection = await filled(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerSchemaError):
        await open_store(path)
    with pytest.raises(NewerSchemaError):
        await SqliteReader.open(url_of(path))


async def test_an_older_schema_is_refused_for_reading_only(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA application_id = {migrator.APPLICATION_ID}")
    connection.close()
    with pytest.raises(OlderSchemaError, match="questlog migrate"):
        await SqliteReader.open(url_of(path))
    store = await open_store(path)
    assert [number for number, *_ in await store.migrations()] == [1]
    await store.close()


async def test_another_applications_file_is_refused_and_left_as_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE diary (day TEXT)")
    connection.commit()
    connection.close()
    before = contents(path)
    with pytest.raises(NotAStoreError):
        await open_store(path)
    with pytest.raises(NotAStoreError):
        await SqliteReader.open(url_of(path))
    assert contents(path) == before


async def test_a_file_that_is_not_sqlites_is_refused_and_left_as_it_is(path: Path) -> None:
    fill(path, DIARY)
    with pytest.raises(NotAStoreError):
        await open_store(path)
    with pytest.raises(NotAStoreError):
        await SqliteReader.open(url_of(path))
    assert contents(path) == DIARY


async def test_after_a_refusal_the_lock_is_free(path: Path) -> None:
    fill(path, DIARY)
    with pytest.raises(NotAStoreError):
        await open_store(path)
    fill(path, b"")
    await (await open_store(path)).close()


async def test_an_empty_file_is_no_store_to_read_and_becomes_one_to_write(path: Path) -> None:
    fill(path, b"")
    with pytest.raises(NotAStoreError):
        await SqliteReader.open(url_of(path))
    await (await open_store(path)).close()
    await (await SqliteReader.open(url_of(path))).close()


async def test_a_missing_store_cannot_be_read(path: Path) -> None:
    with pytest.raises(NoStoreError, match=r"log\.db"):
        await SqliteReader.open(url_of(path))
    assert os.listdir(path.parent) == []


async def test_a_store_in_a_missing_folder_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnlyError, match="folder"):
        await open_store(tmp_path / "nowhere" / "log.db")


@AS_ROOT
async def test_a_read_only_file_is_refused_for_writing_and_read(path: Path) -> None:
    (await filled(path)).close()
    os.chmod(path, 0o444)
    with pytest.raises(StoreReadOnlyError):
        await open_store(path)
    reader = await SqliteReader.open(url_of(path))
    assert await reader.head("c") is not None
    await reader.close()


@AS_ROOT
async def test_a_read_only_folder_is_refused_for_writing_and_read(path: Path) -> None:
    (await filled(path)).close()
    os.chmod(path.parent, 0o555)
    try:
        with pytest.raises(StoreReadOnlyError):
            await open_store(path)
        reader = await SqliteReader.open(url_of(path))
        assert await reader.head("c") is not None
        await reader.close()
    finally:
        os.chmod(path.parent, 0o755)


async def test_what_may_not_be_written_is_read_as_it_lies(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (await filled(path)).close()
    # What the operating system says of a read-only medium, to root as well.
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK)
    with pytest.raises(StoreReadOnlyError):
        await open_store(path)
    reader = await SqliteReader.open(url_of(path))
    head = await reader.head("c")
    await reader.close()
    assert head is not None
    assert head.version == 3


@pytest.mark.parametrize("url", ["log.db", "sqlite://log.db", "sqlite:///", "postgres:///x", "a\0"])
def test_a_store_is_named_by_its_url(url: str) -> None:
    with pytest.raises(BadStoreUrlError):
        path_of(url)


def test_a_url_names_a_relative_or_an_absolute_path() -> None:
    assert path_of("sqlite:///a/b.db") == Path("a/b.db")
    assert path_of("sqlite:////a/b.db") == Path("/a/b.db")


async def test_awkward_file_names_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#b%20c.db"
    (await filled(path)).close()
    assert path.is_file()


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
