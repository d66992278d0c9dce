"""Repairing what is derived: snapshots, what stands beside a log, triggers and indexes.

It is one transaction, on a connection of its own, under the store's lock. No statement here names
the events but to read them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from eventstore.chain import GENESIS, link
from eventstore.doctor import Diagnosis
from eventstore.errors import StoreError, UnreadableError
from eventstore.lock import WriterLock
from eventstore.port import StoredEvent
from eventstore.sqlite import audit
from eventstore.sqlite.rows import load_state, step_of
from questlog.campaign.evolve import DamagedLogError, fold
from questlog.campaign.state import CampaignState

BEFORE_ALL = (1 << 62, 0)
_BESIDE = frozenset({"head_mismatch", "seat_mismatch", "extra_tail", "orphan"})
_SNAPSHOTS = frozenset({"snapshot_mismatch", "orphan"})


def repair(path: Path, found: Sequence[Diagnosis]) -> None:
    """Make what is derived whole again, as far as `found` says that it can be.

    Raises:
        StoreError: a server has the store open, or the file cannot be written; nothing was changed.
    """
    lock = WriterLock(path)
    lock.acquire()
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5.0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _repair(connection, [each for each in found if each.repairable])
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
    except sqlite3.Error as error:
        raise UnreadableError(f"The file cannot be repaired: {error}.") from error
    finally:
        lock.release()


def _repair(connection: sqlite3.Connection, found: list[Diagnosis]) -> None:
    if any(each.code == "schema_changed" for each in found):
        audit.restore_schema(connection)
    for each in found:
        if each.code in _SNAPSHOTS and each.version is not None:
            connection.execute(
                "DELETE FROM snapshot WHERE campaign_id = ? AND version = ?",
                (each.campaign_id, each.version),
            )
    for campaign_id in sorted({each.campaign_id for each in found if each.code in _BESIDE}):
        _derive(connection, campaign_id)
    for campaign_id in sorted({each.campaign_id for each in found if each.code in _SNAPSHOTS}):
        _snapshot(connection, campaign_id)


def _derive(connection: sqlite3.Connection, campaign_id: str) -> None:
    """Write what stands beside a log anew, from the log."""
    state, digest = CampaignState(campaign_id=campaign_id), GENESIS
    while rows := audit.stored(connection, campaign_id, state.version, BEFORE_ALL[0]):
        for row in rows:
            digest = _followed(row, digest)
        steps = [
            step_of(*(row.field(n) for n in ("version", "at", "kind", "data", "patch", "schema")))  # type: ignore[arg-type]
            for row in rows
        ]
        try:
            state = fold(state, steps)
        except DamagedLogError as error:
            raise StoreError(f"The log of {campaign_id!r} is damaged: {error}.") from error
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
            digest,
            state.table,
        ),
    )


def _followed(row: StoredEvent, previous: str) -> str:
    if row.hash != link(previous, row.fields):
        raise StoreError(f"Version {row.version} is not what its hash says: nothing was repaired.")
    return row.hash


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
