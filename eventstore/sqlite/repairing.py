"""Repairing what is derived: snapshots, what stands beside a log, triggers and indexes.

It is one transaction, on a connection of its own, under the store's lock; in it each campaign is
repaired by itself, so that one which cannot be does not hold up another. No statement here names
the events but to read them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import msgspec

from eventstore.doctor import BESIDE, BEYOND, Diagnosis
from eventstore.errors import StoreError, UnreadableError
from eventstore.lock import WriterLock
from eventstore.proof.derived import Derived
from eventstore.proof.walk import BROKEN
from eventstore.sqlite import audit
from eventstore.sqlite.rows import head_of, load_state

_SNAPSHOTS = frozenset({"snapshot_mismatch", "orphan"})


def repair(path: Path, found: Sequence[Diagnosis]) -> dict[Diagnosis, str]:
    """Make what is derived whole again, as far as `found` says that it can be.

    Returns why those of `found` were not that turned out not to be repairable.

    Raises:
        StoreError: a server has the store open, or the file cannot be written; nothing was changed.
    """
    lock = WriterLock(path)
    lock.acquire()
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5.0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                failed = _repair(connection, [each for each in found if each.repairable])
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
    except sqlite3.Error as error:
        raise UnreadableError(f"The file cannot be repaired: {error}.") from error
    finally:
        lock.release()
    return failed


def _repair(connection: sqlite3.Connection, found: list[Diagnosis]) -> dict[Diagnosis, str]:
    failed: dict[Diagnosis, str] = {}
    schema = [each for each in found if each.code == "schema_changed"]
    if schema and (why := _apart(connection, partial(audit.restore_schema, connection))):
        failed.update(dict.fromkeys(schema, why))
    waiting: dict[str, list[Diagnosis]] = {}
    for each in found:
        if each.campaign_id:
            waiting.setdefault(each.campaign_id, []).append(each)
    while waiting:
        left = {
            name: why
            for name, wrong in waiting.items()
            if (why := _apart(connection, partial(_repair_campaign, connection, name, wrong)))
        }
        if len(left) == len(waiting):
            failed.update((each, left[name]) for name in left for each in waiting[name])
            break
        # Of two that exchange their seats the first finds it taken, until the other has left it.
        waiting = {name: waiting[name] for name in left}
    return failed


def _apart(connection: sqlite3.Connection, work: Callable[[], None]) -> str:
    """Do some of the work, all of it or nothing; return why it could not be done, if so.

    Raises:
        sqlite3.Error: the whole transaction is lost.
    """
    connection.execute("SAVEPOINT apart")
    try:
        work()
    except (StoreError, sqlite3.Error, *BROKEN) as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO apart")
        connection.execute("RELEASE apart")
        return f"{error}"
    connection.execute("RELEASE apart")
    return ""


def _repair_campaign(
    connection: sqlite3.Connection, campaign_id: str, wrong: Sequence[Diagnosis]
) -> None:
    for each in wrong:
        if each.code in _SNAPSHOTS and each.version is not None:
            connection.execute(
                "DELETE FROM snapshot WHERE campaign_id = ? AND version = ?",
                (campaign_id, each.version),
            )
    codes = {each.code for each in wrong}
    if codes & BESIDE or head_of(connection, campaign_id) is None:
        _derive(connection, campaign_id)
    if codes & _SNAPSHOTS:
        # It only saves time; of a log that is damaged none can be taken.
        with suppress(*BROKEN):
            _snapshot(connection, campaign_id)


def _derive(connection: sqlite3.Connection, campaign_id: str) -> None:
    """Write what stands beside a log anew, from the log.

    Raises:
        DamagedLogError: the log is not what its hashes say.
        StoreError: the table where it ends active is taken.
    """
    derived = Derived(campaign_id)
    while rows := audit.stored(connection, campaign_id, derived.state.version, BEYOND):
        derived.take(rows)
    state = derived.state
    if not state.version:
        # Snapshots of no log at all, and nothing else.
        connection.execute("DELETE FROM snapshot WHERE campaign_id = ?", (campaign_id,))
        return
    taken = connection.execute(
        "SELECT 1 FROM campaign WHERE active_table = ? AND campaign_id <> ?",
        (state.table, campaign_id),
    ).fetchone()
    if taken:
        raise StoreError(f"Two campaigns say they sit at {state.table!r}: deactivate one of them.")
    connection.execute(
        "INSERT INTO campaign VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (campaign_id) DO UPDATE SET"
        " title = excluded.title, created_at = excluded.created_at, last_at = excluded.last_at,"
        " head_version = excluded.head_version, head_hash = excluded.head_hash,"
        " active_table = excluded.active_table",
        (
            campaign_id,
            state.title,
            state.created_at,
            state.last_at,
            state.version,
            derived.hash,
            state.table,
        ),
    )


def _snapshot(connection: sqlite3.Connection, campaign_id: str) -> None:
    """Take a snapshot of a head, in the place of those that were wrong."""
    loaded = load_state(connection, campaign_id, None)
    if loaded is not None:
        connection.execute(
            "INSERT OR IGNORE INTO snapshot VALUES (?, ?, ?, ?)",
            (
                campaign_id,
                loaded.state.version,
                loaded.hash,
                msgspec.json.encode(loaded.state).decode(),
            ),
        )
