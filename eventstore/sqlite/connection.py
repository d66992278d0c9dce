"""SQLite connections: aiosqlite's thread, with a whole transaction in one trip to it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiosqlite

from eventstore.errors import (
    NoStoreError,
    NotAStoreError,
    StoreClosedError,
    StoreReadOnlyError,
    UnreadableError,
)

T = TypeVar("T")

OWNER_ONLY = 0o600


class Connection(aiosqlite.Connection):
    """An aiosqlite connection that runs a function of the raw connection on its thread.

    aiosqlite makes a trip to the thread for each statement; a group commit of 200 events is 600 of
    them, and a trip costs more than an insert. One function, one trip.
    """

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return `function(raw connection)`, run on this connection's thread.

        Cancelling the caller does not stop the function.
        """
        return await self._execute(function, self._conn)  # type: ignore[no-any-return,no-untyped-call]


def check_place(path: Path) -> None:
    """Refuse a place a store cannot be written to.

    Raises:
        StoreReadOnlyError: the file or its folder cannot be written.
    """
    if path.exists() and not os.access(path, os.W_OK):
        raise StoreReadOnlyError(f"{path.name} cannot be written.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise StoreReadOnlyError(f"The folder of {path.name} is missing or cannot be written.")


async def open_writer(path: Path) -> Connection:
    """Open `path` for writing, making it where it is not there.

    Raises:
        StoreReadOnlyError: the file or its folder cannot be written.
        NotAStoreError: it is not an SQLite file.
    """
    check_place(path)
    make_private(path)
    return await _open(partial(connect_writer, path))


def make_private(path: Path) -> None:
    """Make the file, where it is not there, for its owner alone: it will hold secrets.

    What is there stays as its owner has it. SQLite gives its WAL the rights of the file.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY))


async def open_reader(path: Path) -> Connection:
    """Open `path`, which must be there, for reading.

    Raises:
        NoStoreError: there is no file.
        NotAStoreError: it is not an SQLite file.
        UnreadableError: the file is damaged, or cannot be read whole from here.
    """
    return await _open(partial(connect_reader, path))


async def _open(connector: Callable[[], sqlite3.Connection]) -> Connection:
    opened: list[sqlite3.Connection] = []

    def open_and_remember() -> sqlite3.Connection:
        opened.append(connector())
        return opened[0]

    connection = Connection(open_and_remember, iter_chunk_size=64)
    try:
        return await connection  # type: ignore[return-value]
    except BaseException as error:
        # aiosqlite tells its thread to stop and leaves it to report to a loop that may be closed;
        # where the caller was cancelled it forgets the connection its thread goes on to open.
        await asyncio.to_thread(connection._thread.join)
        for raw in opened:
            raw.close()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise NotAStoreError from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise UnreadableError from error
        raise


def connect_writer(path: Path) -> sqlite3.Connection:
    """Return a raw connection that writes `path`, after the place was looked at by others."""
    connection = _connect(f"file:{quote(str(path))}?mode=rwc")
    try:
        # An unknown file must be found out before WAL mode is written into it.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a raw connection that reads `path`.

    It opens for writing where it may, so that closing last it can fold the WAL away.
    """
    if not path.is_file():
        raise NoStoreError(f"There is no store at {path}.")
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    connection = _connect(f"file:{quote(str(path))}?mode={'rw' if writable else 'ro'}")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if writable:
            raise
        wal = path.with_name(path.name + "-wal")
        if wal.is_file() and wal.stat().st_size:
            # Without it the file alone would show an older log as if it were the present one.
            raise UnreadableError(
                "Another user's server writes this store; ask as that user."
            ) from error
        # A WAL file's reader must write its index, where there could be a WAL.
        connection = _connect(f"file:{quote(str(path))}?mode=ro&immutable=1")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=5.0,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=128,
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


class Readers:
    """A few reading connections, lent to one caller at a time."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._count = count
        self._idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        self._all: list[Connection] = []
        self._closed = False

    async def open(self) -> None:
        """Open the connections. Raises as `open_reader`."""
        for _ in range(self._count):
            connection = await open_reader(self._path)
            self._all.append(connection)
            self._idle.put_nowait(connection)

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return `function(raw connection)` from the first connection that is free.

        Raises:
            StoreClosedError: the store is closed.
        """
        if self._closed:
            raise StoreClosedError
        connection = await self._idle.get()
        try:
            return await connection.run(function)
        finally:
            self._idle.put_nowait(connection)

    async def close(self) -> None:
        """Close every connection once what it is doing is done."""
        self._closed = True
        for connection in self._all:
            await connection.close()
        self._all.clear()
