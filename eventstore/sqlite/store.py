"""The SQLite adapter: a reader of a store's file, and the one writer of it."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from eventstore import migrator
from eventstore.errors import NotAStoreError, StoreError, UnreadableError
from eventstore.lock import WriterLock
from eventstore.port import Extent, Finding, Head, Kept, Loaded, Outcome, StoredEvent, Summary
from eventstore.sqlite import audit, playing
from eventstore.sqlite.connection import Connection, Readers, open_reader, open_writer
from eventstore.sqlite.forking import Fork, copy_snapshot
from eventstore.sqlite.location import path_of
from eventstore.sqlite.rows import (
    COLUMNS,
    event_of,
    head_of,
    load_state,
    read_events,
    summaries,
)
from eventstore.sqlite.writer import Append, GroupCommit, failure_of
from questlog.campaign.events import Actor, Event, NewEvent
from questlog.campaign.moments import written
from questlog.campaign.sessions import Tally, Turn
from questlog.campaign.state import CampaignState

T = TypeVar("T")

READERS = 2
OLDEST_SQLITE = (3, 37, 0)


class SqliteReader:
    """Reads a store, also while a server writes it. Made by `open`; see `EventReader`."""

    def __init__(self, path: Path, readers: Readers, secret: bytes) -> None:
        self.path = path
        self._readers = readers
        self._secret = secret

    @classmethod
    async def open(cls, url: str) -> SqliteReader:
        """Open the store at `url`, which must be there.

        Raises:
            StoreError: with the code that says why it cannot be read.
        """
        path = path_of(url)
        latest = migrator.sqlite_migrations()[-1].number
        connection = await open_reader(path)
        try:
            await connection.run(partial(_check_schema, latest))
        finally:
            await connection.close()
        readers, secret = await _open_readers(path, count=1)
        return cls(path, readers, secret)

    @property
    def secret(self) -> bytes:
        """The store's 32-byte secret, by which positions are proved."""
        return self._secret

    async def head(self, campaign_id: str) -> Head | None:
        """See `EventReader.head`."""
        return await self._readers.run(lambda c: head_of(c, campaign_id))

    async def hash_at(self, campaign_id: str, version: int) -> str | None:
        """See `EventReader.hash_at`."""
        row = await self._one(
            "SELECT hash FROM event WHERE campaign_id = ? AND version = ?", campaign_id, version
        )
        return None if row is None else str(row[0])

    async def read(
        self,
        campaign_id: str,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        kind: str | None = None,
    ) -> list[Event]:
        """See `EventReader.read`."""
        return await self._readers.run(
            lambda c: read_events(c, campaign_id, after, until, limit, kind)
        )

    async def begins(self, campaign_id: str) -> int:
        """See `EventReader.begins`."""
        return await self._readers.run(lambda c: playing.begins(c, campaign_id))

    async def turns(self, campaign_id: str, *, until: int | None = None) -> list[Turn]:
        """See `EventReader.turns`."""
        return await self._readers.run(lambda c: playing.turns(c, campaign_id, until))

    async def tallies(self, campaign_id: str, *, after: int = 0, until: int) -> list[Tally]:
        """See `EventReader.tallies`."""
        return await self._readers.run(lambda c: playing.tallies(c, campaign_id, after, until))

    async def acting(self, member: str) -> list[str]:
        """Return the campaigns whose logs have events by a member, whatever their role."""
        return await self._readers.run(lambda c: playing.acting(c, member))

    async def find(self, campaign_id: str, actor: Actor, identifier: str) -> Event | None:
        """See `EventReader.find`."""
        row = await self._one(
            f"SELECT {COLUMNS} FROM event"
            " WHERE campaign_id = ? AND member = ? AND role = ? AND id = ?",
            campaign_id,
            actor.member,
            actor.role,
            identifier,
        )
        return None if row is None else event_of(row)

    async def load(self, campaign_id: str, *, at: int | None = None) -> Loaded | None:
        """See `EventReader.load`.

        Raises:
            DamagedLogError: the log does not lead to that version.
        """
        return await self._readers.run(lambda c: load_state(c, campaign_id, at))

    async def campaigns(self) -> list[Summary]:
        """See `EventReader.campaigns`."""
        return await self._readers.run(summaries)

    async def summary(self, campaign_id: str) -> Summary | None:
        """See `EventReader.summary`."""
        found = await self._readers.run(lambda c: summaries(c, campaign_id))
        return found[0] if found else None

    async def extent(self) -> Extent:
        """See `EventReader.extent`."""
        # The log has no gaps, so the heads say how long it is.
        row = await self._one("SELECT coalesce(sum(head_version), 0), count(*) FROM campaign")
        assert row is not None, "an aggregate has a row"
        beside = self.path.with_name(self.path.name + "-wal")
        size = sum(path.stat().st_size for path in (self.path, beside) if path.exists())
        return Extent(size, row[0], row[1])

    async def seated(self, table: str) -> str | None:
        """See `EventReader.seated`."""
        row = await self._one("SELECT campaign_id FROM campaign WHERE active_table = ?", table)
        return None if row is None else str(row[0])

    async def snapshots(self, campaign_id: str) -> list[tuple[int, str, CampaignState]]:
        """See `EventReader.snapshots`."""
        rows = await self._readers.run(
            lambda c: c.execute(
                "SELECT version, hash, state FROM snapshot WHERE campaign_id = ? ORDER BY version",
                (campaign_id,),
            ).fetchall()
        )
        return [
            (version, digest, msgspec.json.decode(text, type=CampaignState))
            for version, digest, text in rows
        ]

    async def migrations(self) -> list[tuple[int, str, str, str]]:
        """Return number, name, SHA-256 and time of each migration this store records."""
        return await self._readers.run(migrator.applied)

    async def logs(self) -> list[str]:
        """See `Auditor.logs`."""
        return await self._audit(audit.logs)

    async def kept(self, campaign_id: str) -> Kept:
        """See `Auditor.kept`."""
        return await self._audit(lambda c: audit.kept(c, campaign_id))

    async def stored(self, campaign_id: str, after: int, until: int) -> list[StoredEvent]:
        """See `Auditor.stored`."""
        return await self._audit(lambda c: audit.stored(c, campaign_id, after, until))

    async def stored_snapshots(self, campaign_id: str, after: int, until: int) -> dict[int, str]:
        """See `Auditor.stored_snapshots`."""
        return await self._audit(lambda c: audit.stored_snapshots(c, campaign_id, after, until))

    async def inspect(self) -> list[Finding]:
        """See `Auditor.inspect`."""
        return await self._audit(audit.inspect)

    async def close(self) -> None:
        """Close the file once what is under way is done."""
        await self._readers.close()

    async def _audit(self, function: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._readers.run(function)
        except sqlite3.Error as error:
            raise UnreadableError(f"SQLite cannot read the file here: {error}.") from error

    async def _one(self, sql: str, *parameters: Any) -> tuple[Any, ...] | None:
        def fetch(connection: sqlite3.Connection) -> tuple[Any, ...] | None:
            row: tuple[Any, ...] | None = connection.execute(sql, parameters).fetchone()
            return row

        return await self._readers.run(fetch)


class SqliteStore(SqliteReader):
    """The one writer of a store, and a reader of it. Made by `open`; see `EventStore`."""

    def __init__(
        self, path: Path, readers: Readers, secret: bytes, lock: WriterLock, writer: GroupCommit
    ) -> None:
        super().__init__(path, readers, secret)
        self._lock = lock
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> SqliteStore:
        """Open the store at `url`, make it where it is missing, and take its lock.

        Raises:
            StoreError: with the code that says why it cannot be written.
        """
        path = path_of(url)
        lock = WriterLock(path)
        if path.parent.is_dir():
            lock.acquire()
        try:
            connection = await _prepare(path)
            try:
                readers, secret = await _open_readers(path, READERS)
            except BaseException:
                await connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(path, readers, secret, lock, GroupCommit(connection, partial(_reopen, path)))

    def append(self, campaign_id: str, events: Sequence[NewEvent]) -> asyncio.Future[list[Outcome]]:
        """See `EventStore.append`."""
        return self._writer.submit(Append(campaign_id, events))

    def fork(self, source: str, campaign_id: str, event: NewEvent) -> asyncio.Future[Outcome]:
        """See `EventStore.fork`."""
        return self._writer.submit(Fork(source, campaign_id, event))

    async def carry_snapshots(self, source: str, campaign_id: str, until: int) -> None:
        """See `EventStore.carry_snapshots`."""
        with suppress(StoreError):
            kept = await self.kept(source)
            for version, _ in kept.snapshots:
                if version <= until:
                    work = partial(copy_snapshot, source=source, into=campaign_id, version=version)
                    await self._writer.submit(work)

    async def save_snapshot(self, state: CampaignState, chain_hash: str) -> None:
        """See `EventStore.save_snapshot`."""
        row = (state.campaign_id, state.version, chain_hash, msgspec.json.encode(state).decode())

        def save(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO snapshot VALUES (?, ?, ?, ?)", row)

        await self._writer.submit(save)

    async def check_writable(self) -> None:
        """See `EventStore.check_writable`. A transaction begins, writes and is taken back."""

        def probe(connection: sqlite3.Connection) -> None:
            connection.execute("SAVEPOINT probe")
            connection.execute("UPDATE store SET created_at = created_at")
            connection.execute("ROLLBACK TO probe")
            connection.execute("RELEASE probe")

        await self._writer.submit(probe)

    async def close(self) -> None:
        """Write what is queued, fold the WAL into the file, and let go of it."""
        connection = await self._writer.close()
        await self._readers.close()
        try:
            await connection.run(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        finally:
            await connection.close()
            self._lock.release()


async def _prepare(path: Path) -> Connection:
    """Open the writing connection and take the schema up to date."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or later is needed.")
    connection = await open_writer(path)
    try:
        await connection.run(prepare_schema)
    except sqlite3.Error as error:
        await connection.close()
        raise failure_of(error) from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def _reopen(path: Path, broken: Connection) -> Connection:
    with suppress(sqlite3.Error):
        # It failed already; its successor is what counts.
        await broken.close()
    return await _prepare(path)


def prepare_schema(connection: sqlite3.Connection) -> None:
    """Take the file up to this release's schema, through a connection that holds its lock.

    Raises:
        NotAStoreError, NewerSchemaError: it is no store, or a newer release's.
    """
    migrations = migrator.sqlite_migrations()
    migrator.check_schema(connection, migrations[-1].number, writing=True)
    now = written(datetime.now(UTC))
    connection.execute("PRAGMA journal_mode = WAL")
    migrator.migrate(connection, migrations, now=now)
    connection.execute(
        "INSERT OR IGNORE INTO store VALUES (1, ?, ?, ?)",
        (secrets.token_hex(8), secrets.token_bytes(32), now),
    )


def _check_schema(latest: int, connection: sqlite3.Connection) -> None:
    if migrator.check_schema(connection, latest, writing=False) == 0:
        raise NotAStoreError


async def _open_readers(path: Path, count: int) -> tuple[Readers, bytes]:
    readers = Readers(path, count)
    await readers.open()
    try:
        return readers, await readers.run(_secret)
    except BaseException:
        await readers.close()
        raise


def _secret(connection: sqlite3.Connection) -> bytes:
    try:
        row = connection.execute("SELECT secret FROM store").fetchone()
    except sqlite3.Error as error:
        raise UnreadableError from error
    if row is None:
        raise NotAStoreError("This store was never finished; open it for writing once.")
    return bytes(row[0])
