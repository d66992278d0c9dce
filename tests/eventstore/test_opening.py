"""Which files a SQLite store opens, which it refuses, and what it says of a damaged one."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from eventstore import migrator
from eventstore.errors import (
    BadStoreUrlError,
    NewerSchemaError,
    NoStoreError,
    NotAStoreError,
    OlderSchemaError,
    StoreError,
    StoreLockedError,
    StoreReadOnlyError,
    UnreadableError,
)
from eventstore.proof.verifier import verify
from eventstore.sqlite import connection as connection_module
from eventstore.sqlite.location import path_of
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.commands import Activate
from questlog.campaign.events import CampaignActivated
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.upcast import UnknownSchemaError
from tests.eventstore.scribe import Scribe, create, filled, open_store, url_of

DIARY = b"Dear diary, today the party met in a tavern. " * 100
AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")


def fill(path: Path, data: bytes) -> None:
    """Make the file hold this and nothing else."""
    path.write_bytes(data)


def contents(path: Path) -> bytes:
    """Return what the file holds."""
    return path.read_bytes()


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
    every = [migration.number for migration in migrator.sqlite_migrations()]
    assert [number for number, *_ in await store.migrations()] == every
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
    assert path_of("sqlite:///a/b.db") == Path("a/b.db").resolve()
    assert path_of("sqlite:////a/b.db") == Path("/a/b.db")


async def test_awkward_file_names_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#b%20c.db"
    (await filled(path)).close()
    assert path.is_file()


def overwrite_page(path: Path, table: str) -> None:
    """Overwrite the first page of a table on the disk."""
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(data)


async def test_a_damaged_file_says_so_on_opening(path: Path) -> None:
    (await filled(path)).close()
    overwrite_page(path, "store")
    with pytest.raises(UnreadableError):
        await SqliteReader.open(url_of(path))
    with pytest.raises(StoreError, match="malformed"):
        await open_store(path)


async def test_a_damaged_schema_says_so_on_opening(path: Path) -> None:
    connection = await filled(path)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = 'CREATE nothing' WHERE name = 'event'")
    connection.close()
    with pytest.raises(UnreadableError):
        await SqliteReader.open(url_of(path))


async def test_the_verifier_says_which_part_of_a_damaged_file_it_could_not_walk(
    path: Path,
) -> None:
    (await filled(path)).close()
    overwrite_page(path, "campaign")
    reader = await SqliteReader.open(url_of(path))
    findings = [finding async for finding in verify(reader)]
    await reader.close()
    assert {finding.code for finding in findings} == {"unreadable"}


async def test_a_store_whose_making_was_cut_short_is_finished_by_the_next_writer(
    path: Path,
) -> None:
    connection = await filled(path)
    connection.execute("DELETE FROM store")
    connection.close()
    with pytest.raises(NotAStoreError, match="never finished"):
        await SqliteReader.open(url_of(path))
    await (await open_store(path)).close()
    await (await SqliteReader.open(url_of(path))).close()


async def test_a_lock_that_cannot_be_made_is_said(path: Path) -> None:
    os.mkdir(path.with_name("log.db.lock"))
    with pytest.raises(StoreReadOnlyError, match="beside the store"):
        await open_store(path)


def interrupted(uri: str) -> sqlite3.Connection:
    """Connect as to a WAL file on a read-only medium: reading fails unless it is immutable."""
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    if "immutable" not in uri:
        connection.set_progress_handler(lambda: 1, 1)
    return connection


async def test_a_read_only_medium_is_read_as_it_lies_only_without_a_wal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (await filled(path)).close()
    monkeypatch.setattr(connection_module, "_connect", interrupted)
    with pytest.raises(sqlite3.OperationalError):
        await SqliteReader.open(url_of(path))
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK)
    reader = await SqliteReader.open(url_of(path))
    assert await reader.head("c") is not None
    await reader.close()
    fill(path.with_name("log.db-wal"), b"something")
    with pytest.raises(UnreadableError, match="Another user"):
        await SqliteReader.open(url_of(path))


async def test_a_missing_tail_cannot_be_loaded(path: Path) -> None:
    connection = await filled(path)
    connection.execute("DROP TRIGGER event_never_goes")
    connection.execute("DELETE FROM event WHERE version = 3")
    connection.close()
    reader = await SqliteReader.open(url_of(path))
    with pytest.raises(DamagedLogError, match="version 3"):
        await reader.load("c")
    await reader.close()


async def test_events_of_an_older_schema_are_taken_up_on_read(path: Path) -> None:
    store = await open_store(path)
    await Scribe(store).write(create(), Activate("main", "The crypt"))
    await store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER event_never_changes")
    older = ('{"table":"main"}', 1)
    connection.execute("UPDATE event SET data = ?, schema = ? WHERE version = 2", older)
    connection.close()
    reader = await SqliteReader.open(url_of(path))
    last = (await reader.read("c"))[-1]
    assert (last.fact(), last.schema) == (CampaignActivated("main", None), 1)
    loaded = await reader.load("c")
    assert loaded is not None
    assert loaded.state.table == "main"
    await reader.close()


async def test_events_of_a_newer_schema_are_refused(path: Path) -> None:
    connection = await filled(path)
    connection.execute("DROP TRIGGER event_never_changes")
    connection.execute("UPDATE event SET schema = 99 WHERE version = 2")
    connection.close()
    reader = await SqliteReader.open(url_of(path))
    for read in (reader.read("c"), reader.load("c")):
        with pytest.raises(UnknownSchemaError, match="99"):
            await read
    await reader.close()


async def test_a_store_has_one_lock_whatever_it_is_called(path: Path) -> None:
    store = await open_store(path)
    alias = path.with_name("alias.db")
    alias.symlink_to(path)
    with pytest.raises(StoreLockedError):
        await open_store(alias)
    await store.close()
