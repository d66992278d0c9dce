"""Bit flips: one bit of one stored field of one event changed, and what verify says of it."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

from msgspec import Struct

from eventstore.chain import FIELDS
from eventstore.port import Finding
from eventstore.proof.verifier import verify
from eventstore.sqlite.store import SqliteReader

COLUMNS = (*FIELDS, "hash")
NUMBERS = frozenset({"version", "schema"})


class Flip(Struct, frozen=True):
    """One changed bit: of which column of which event, and what was there before."""

    campaign_id: str
    version: int
    column: str
    rowid: int
    before: bytes | int


def disarm(connection: sqlite3.Connection) -> None:
    """Take away what keeps events from being changed, so that a disk may be played."""
    connection.text_factory = bytes
    connection.execute("DROP TRIGGER event_never_changes")
    connection.execute("PRAGMA foreign_keys = OFF")


def flip(connection: sqlite3.Connection, rng: random.Random) -> Flip | None:
    """Change one bit somewhere; None where SQLite itself would not store what came of it."""
    rowids = connection.execute("SELECT max(rowid) FROM event").fetchone()[0]
    rowid, column = rng.randint(1, rowids), rng.choice(COLUMNS)
    row = connection.execute(
        f"SELECT campaign_id, version, {column} FROM event WHERE rowid = ?", (rowid,)
    ).fetchone()
    if row is None or row[2] == b"":
        return None
    before = row[2]
    if isinstance(before, int):
        after: bytes | int = before ^ (1 << rng.randrange(62))
    else:
        bit = rng.randrange(len(before) * 8)
        changed = bytearray(before)
        changed[bit // 8] ^= 1 << (bit % 8)
        after = bytes(changed)
    try:
        _put(connection, column, rowid, after)
    except sqlite3.IntegrityError:
        # The schema's own checks: such a row cannot be there.
        return None
    return Flip(row[0].decode(), row[1], column, rowid, before)


def undo(connection: sqlite3.Connection, flipped: Flip) -> None:
    """Put back what was there."""
    _put(connection, flipped.column, flipped.rowid, flipped.before)


def _put(connection: sqlite3.Connection, column: str, rowid: int, value: bytes | int) -> None:
    place = "?" if isinstance(value, int) else "CAST(? AS TEXT)"
    connection.execute(f"UPDATE event SET {column} = {place} WHERE rowid = ?", (value, rowid))


async def missed(path: Path, url: str, flipped: Flip) -> str | None:
    """Return why verify does not find a flip as it should; None where it does."""
    reader = await SqliteReader.open(url)
    try:
        found = [f async for f in verify(reader) if f.code != "schema_changed"]
    finally:
        await reader.close()
    if any(_names(finding, flipped) for finding in found):
        return None
    return f"{flipped} in {path.name} is answered with {found}"


def _names(finding: Finding, flipped: Flip) -> bool:
    """Return whether a finding says which event it is."""
    # One that is of another campaign now, or of another version, is missing where it was.
    return finding.campaign_id == flipped.campaign_id and finding.version == flipped.version
