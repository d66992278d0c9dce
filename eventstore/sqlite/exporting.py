"""Exporting: a log's rows as lines, of one moment, however long it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from eventstore.chain import GENESIS
from eventstore.errors import UnreadableError
from eventstore.sqlite.connection import connect_reader
from eventstore.sqlite.rows import COLUMNS, event_as_stored, head_of
from eventstore.transfer import FORMAT, Header
from questlog.campaign.errors import UnknownCampaign, UnknownVersion
from questlog.campaign.evolve import DamagedLogError

CHUNK_EVENTS = 256


def exported(path: Path, campaign_id: str, after: int = 0) -> Iterator[bytes]:
    """Yield the lines of an export, many at once, from the store in this file.

    They are the log as of the moment this begins. Whether it is what its hashes say is found out
    by whoever imports it; that nothing is missing, here.

    Raises:
        UnknownCampaign, UnknownVersion: there is none, or it does not go so far.
        DamagedLogError: a version is missing, or is not what can stand in a line.
        UnreadableError: SQLite cannot read it.
    """
    try:
        with closing(connect_reader(path)) as connection:
            connection.execute("BEGIN")
            yield from _lines(connection, campaign_id, after)
    except sqlite3.Error as error:
        raise UnreadableError(f"SQLite cannot read the file here: {error}.") from error


def _lines(connection: sqlite3.Connection, campaign_id: str, after: int) -> Iterator[bytes]:
    head = head_of(connection, campaign_id)
    if head is None:
        raise UnknownCampaign(f"There is no campaign {campaign_id!r} in this store.")
    if after > head.version:
        raise UnknownVersion(f"{campaign_id!r} has versions 1 to {head.version}, not {after}.")
    previous = connection.execute(
        "SELECT hash FROM event WHERE campaign_id = ? AND version = ?", (campaign_id, after)
    ).fetchone()
    if after and previous is None:
        raise DamagedLogError(f"version {after} of {campaign_id!r} is missing from the log")
    encoder = msgspec.json.Encoder()
    begins = previous[0] if after else GENESIS
    yield (
        encoder.encode(Header(FORMAT, campaign_id, after, begins, head.version, head.hash)) + b"\n"
    )
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM event WHERE campaign_id = ? AND version > ? AND version <= ?"
        " ORDER BY version",
        (campaign_id, after, head.version),
    )
    version = after
    with closing(rows):
        while chunk := rows.fetchmany(CHUNK_EVENTS):
            text = encoder.encode_lines([event_as_stored(row) for row in chunk])
            if text.count(b"\n") != len(chunk) or chunk[-1][1] != version + len(chunk):
                raise DamagedLogError(_broken(campaign_id, version, chunk))
            version += len(chunk)
            yield text
    if version != head.version:
        raise DamagedLogError(f"version {version + 1} of {campaign_id!r} is missing from the log")


def _broken(campaign_id: str, version: int, chunk: list[tuple[object, ...]]) -> str:
    for row in chunk:
        version += 1
        if row[1] != version:
            return f"version {version} of {campaign_id!r} is missing from the log"
        if any("\n" in str(part) for part in row[7:10]):
            break
    return f"version {version} of {campaign_id!r} holds what no log of ours does"
