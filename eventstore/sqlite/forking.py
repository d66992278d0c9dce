"""Forking: a log that begins as a copy of another's, under an id of its own.

A campaign's id is part of every hash, so the copies are chained anew; each row of the source is
held against its own hash first, or a damaged log would come out looking whole. The copy is one
transaction: a fork is there with all its history or not at all. It holds the writer for as long as
that takes: about 20 microseconds an event, in which nothing else is committed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import msgspec
from msgspec import Struct

from eventstore.chain import FIELDS, GENESIS, link
from eventstore.errors import DamagedSourceError, StoreError
from eventstore.port import Appended, Conflict, Head, Outcome, Reused
from eventstore.sqlite.rows import COLUMNS, INSERT, earlier, head_of, row_of
from questlog.campaign.events import NewEvent

_SUMMARY = (
    "INSERT INTO campaign (campaign_id, title, created_at, last_at, head_hash)"
    " SELECT ?, title, created_at, created_at, ? FROM campaign WHERE campaign_id = ?"
)


class Fork(Struct, frozen=True):
    """A queued fork: `campaign_id` is to be a copy of `source` up to where `event` is based on."""

    source: str
    campaign_id: str
    event: NewEvent


def fork(
    connection: sqlite3.Connection, work: Fork, heads: dict[str, Head]
) -> Outcome | StoreError:
    """Do `work` within the transaction that is open; see `EventStore.fork`.

    Raises:
        sqlite3.Error: the transaction is lost.
    """
    there = head_of(connection, work.campaign_id)
    if there is not None:
        return earlier(connection, work.campaign_id, work.event) or Conflict(there.version)
    used = earlier(connection, work.source, work.event)
    if used is not None and used.version <= work.event.based_on:
        return Reused(used.version)
    connection.execute("SAVEPOINT fork")
    try:
        digest = _copy(connection, work)
        row = row_of(work.campaign_id, work.event, digest)
        connection.execute(INSERT, row)
    except (StoreError, sqlite3.Error, UnicodeError) as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO fork")
        connection.execute("RELEASE fork")
        return error if isinstance(error, StoreError) else _failure(error)
    connection.execute("RELEASE fork")
    head = heads[work.campaign_id] = Head(work.event.based_on + 1, str(row[-1]))
    return Appended(head.version, head.hash)


def copy_snapshot(connection: sqlite3.Connection, source: str, into: str, version: int) -> None:
    """Give the campaign `into` a snapshot its source has, under the hash of its own event."""
    row = connection.execute(
        "SELECT s.state, e.hash FROM snapshot s JOIN event o USING (campaign_id, version)"
        " JOIN event e ON e.campaign_id = ? AND e.version = s.version"
        " WHERE s.campaign_id = ? AND s.version = ? AND s.hash = o.hash",
        (into, source, version),
    ).fetchone()
    named = '{"campaign_id":%s,'
    begun = named % msgspec.json.encode(source).decode()
    # Decoding a large document only to name it anew would hold the writer up.
    if row is not None and row[0].startswith(begun):
        state = named % msgspec.json.encode(into).decode() + row[0][len(begun) :]
        connection.execute(
            "INSERT OR IGNORE INTO snapshot VALUES (?, ?, ?, ?)", (into, version, row[1], state)
        )


def _copy(connection: sqlite3.Connection, work: Fork) -> str:
    """Copy the source's log up to the version forked at, and return the last hash of the copy.

    Raises:
        DamagedSourceError: the source is not what its hashes say, or does not go so far.
    """
    connection.execute(_SUMMARY, (work.campaign_id, GENESIS, work.source))
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM event WHERE campaign_id = ? AND version <= ? ORDER BY version",
        (work.source, work.event.based_on),
    )
    version, old, new = 0, GENESIS, GENESIS
    place = FIELDS.index("version")
    # A statement left in the middle would keep the transaction from ending.
    with closing(rows):
        for row in rows:
            version += 1
            fields, old = row[:-1], link(old, row[:-1])
            if fields[place] != version or old != row[-1]:
                break
            copied = (work.campaign_id, *fields[1:])
            new = link(new, copied)
            connection.execute(INSERT, (*copied, new))
        else:
            if version == work.event.based_on:
                return new
            version += 1
    sentence = f"The log of {work.source!r} is damaged at version {version}: nothing was forked."
    raise DamagedSourceError(sentence)


def _failure(error: Exception) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        # The writer knows what these mean to everybody else in the batch.
        raise error
    return DamagedSourceError(f"The log cannot be copied: {error}. Nothing was forked.")
