"""Copies of a store: of one moment, made beside their place, and named only once they are whole."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from eventstore import migrator
from eventstore.chain import GENESIS
from eventstore.errors import (
    NoStoreError,
    SeatDisputedError,
    StoreFullError,
    StoreReadOnlyError,
    TargetExistsError,
    UnreadableError,
)
from eventstore.sqlite.connection import connect_reader
from eventstore.sqlite.rows import COLUMNS, INSERT, STEP, fold_rows, nearest_snapshot

STEP_PAGES = 1024
_BESIDE = ("", "-wal", "-shm", "-journal")


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Yield a file beside `target` to be filled, for its owner alone.

    It is synced and gets that name when the block ends well. However else the block ends, nothing
    is left.

    Raises:
        TargetExistsError: there is something of this name, now or by the time the file is whole.
        StoreReadOnlyError: the folder is missing or cannot be written.
        StoreFullError: the disk is full.
        UnreadableError: SQLite failed at reading or writing.
    """
    for suffix in _BESIDE:
        # What another store left of its WAL would be read into the new file.
        if os.path.lexists(f"{target}{suffix}"):
            raise TargetExistsError(f"{target}{suffix} is there already.")
    try:
        descriptor, name = tempfile.mkstemp(".part", f".{target.name}.", target.parent)
    except OSError as error:
        raise _failure(error, target) from error
    os.close(descriptor)
    made = Path(name)
    try:
        yield made
        _sync(made)
        _name(made, target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise _failure(error, target) from error
    finally:
        for suffix in _BESIDE:
            with suppress(FileNotFoundError):
                os.unlink(name + suffix)


def copy_pages(path: Path, made: Path) -> None:
    """Fill `made` with the SQLite file at `path` as it is at one moment, whoever writes it.

    The transaction that is open holds on to that moment, so that steps, which let an interrupt
    through between them, need not begin again with every commit that comes in meanwhile. Nobody
    waits for this; the file's `-wal` grows until it ends.

    Raises:
        StoreError, sqlite3.Error: it cannot be read or written.
    """
    with closing(connect_reader(path)) as source, closing(_scratch(made)) as copy:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        # A function of Python's lets an interrupt through. What goes to the disk little by little
        # does not make the commits of a server wait for all of it at once.
        source.backup(copy, pages=STEP_PAGES, progress=lambda status, left, total: _sync(made))


def copy_beside(path: Path, made: Path, application_id: int) -> None:
    """Fill `made` with a file of ours that is no log, and see that its pages are whole.

    Raises:
        NotAStoreError: it is another application's.
        UnreadableError: it is damaged.
    """
    copy_pages(path, made)
    with closing(connect_reader(made)) as copy:
        latest = migrator.sqlite_migrations("access")[-1].number
        # An older one is taken up by the server that opens it.
        migrator.check_schema(copy, latest, writing=True, application_id=application_id)
        said = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if said != "ok":
        raise UnreadableError(f"{path.name} is damaged. SQLite says: {said}")


def copy_cut(path: Path, made: Path, cuts: Mapping[str, int]) -> None:
    """Make `made` a store of the same id and secret, with each of these logs up to a version.

    What stands beside the logs is what it was there. Their rows are copied as they are: whether
    they are what their hashes say is the verifier's to find.

    Raises:
        StoreError, DamagedLogError, sqlite3.Error: something cannot be read or written.
    """
    with closing(connect_reader(path)) as source, closing(_scratch(made)) as copy:
        source.execute("BEGIN")
        identity = source.execute("SELECT store_id, secret, created_at FROM store").fetchone()
        if identity is None:
            raise NoStoreError("This store was never finished; open it for writing once.")
        migrator.migrate(copy, migrator.sqlite_migrations(), now=identity[2])
        copy.execute("BEGIN")
        copy.execute("INSERT INTO store VALUES (1, ?, ?, ?)", identity)
        for campaign_id, version in cuts.items():
            _copy_campaign(source, copy, campaign_id, version)
        copy.execute("COMMIT")
        copy.execute("PRAGMA journal_mode = WAL")


def _copy_campaign(
    source: sqlite3.Connection, copy: sqlite3.Connection, campaign_id: str, version: int
) -> None:
    copy.execute(
        "INSERT INTO campaign (campaign_id, created_at, last_at, head_hash) VALUES (?, '', '', ?)",
        (campaign_id, GENESIS),
    )
    upto = "WHERE campaign_id = ? AND version <= ? ORDER BY version"
    rows = source.execute(f"SELECT {COLUMNS} FROM event {upto}", (campaign_id, version))
    with closing(rows):
        copy.executemany(INSERT, rows)
    snapshots = source.execute(
        f"SELECT campaign_id, version, hash, state FROM snapshot {upto}", (campaign_id, version)
    )
    with closing(snapshots):
        copy.executemany("INSERT INTO snapshot VALUES (?, ?, ?, ?)", snapshots)
    begun = nearest_snapshot(copy, campaign_id, version)
    tail = copy.execute(
        f"SELECT {STEP} FROM event WHERE campaign_id = ? AND version > ? ORDER BY version",
        (campaign_id, begun.version),
    )
    state = fold_rows(begun, tail)
    if state.version != version:
        raise UnreadableError(f"Version {version} of {campaign_id!r} is missing from the log.")
    seated = copy.execute(
        "SELECT campaign_id FROM campaign WHERE active_table = ?", (state.table,)
    ).fetchone()
    if seated is not None:
        # An import keeps the times of the log it is of, which may be in this store, too; or a clock
        # was set back between the one's leaving and the other's coming.
        raise SeatDisputedError(
            f"{seated[0]!r} and {campaign_id!r} are both dated as active at {state.table!r} then,"
            " as the import of a log is beside the log itself. Restore each alone, with --campaign."
        )
    copy.execute(
        "UPDATE campaign SET title = ?, created_at = ?, active_table = ? WHERE campaign_id = ?",
        (state.title, state.created_at, state.table, campaign_id),
    )


def _scratch(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that is thrown away if anything fails."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(made: Path, target: Path) -> None:
    """Give `made` its name, which nobody else must have taken in the meantime."""
    try:
        os.link(made, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: what is left is to look and to be quick.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(made, target)


def _failure(error: OSError | sqlite3.Error, target: Path) -> Exception:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return StoreFullError()
        return UnreadableError(f"SQLite cannot read the store, or write its copy: {error}.")
    if isinstance(error, FileExistsError):
        return TargetExistsError(f"{target} is there already, and is not written over.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFullError()
    return StoreReadOnlyError(f"{target.name} cannot be made there: {error.strerror}.")
