"""Where an import is until it is whole: a file of its own beside the store.

It takes a log a piece at a time, so that one that was broken off goes on from its last piece, and
nobody ever sees half of it in the store.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from eventstore.sqlite.connection import connect_writer, make_private
from eventstore.sqlite.rows import COLUMNS, INSERT, STEP, fold_rows
from eventstore.transfer import refused
from questlog.campaign.state import CampaignState

_TABLES = """
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS event (
        campaign_id TEXT, version INTEGER PRIMARY KEY, id TEXT, kind TEXT, member TEXT, role TEXT,
        at TEXT, patch TEXT, data TEXT, meta TEXT, request TEXT, schema INTEGER, hash TEXT,
        UNIQUE (member, role, id)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS snapshot (version INTEGER PRIMARY KEY, hash TEXT, state TEXT) STRICT;
    CREATE TABLE IF NOT EXISTS reached (
        id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER, digest TEXT, old TEXT, new TEXT
    ) STRICT;
    COMMIT;
"""


class Reached(Struct, frozen=True):
    """How far an import has come.

    Attributes:
        version: the last that is staged.
        digest: the hex SHA-256 of the file's lines up to there, its header left out.
        old, new: the chain's hash there, as the file has it and as the store is to have it.
    """

    version: int
    digest: str
    old: str
    new: str


class Staging:
    """The file, open. It stays until it is `removed`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_private(path)
        self._connection = connect_writer(path)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            # A piece that a failing machine forgets is read again.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_TABLES)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def remove(self) -> None:
        """Close the file and do away with it."""
        self.close()
        remove(self.path)

    def reached(self) -> Reached | None:
        """Return how far an import came that was broken off; None: nowhere."""
        row = self._connection.execute("SELECT version, digest, old, new FROM reached").fetchone()
        return None if row is None else Reached(*row)

    def state(self, campaign: CampaignState) -> CampaignState:
        """Return what is staged makes of `campaign`, from the last snapshot on."""
        row = self._connection.execute(
            "SELECT state FROM snapshot ORDER BY version DESC LIMIT 1"
        ).fetchone()
        if row is not None:
            campaign = msgspec.json.decode(row[0], type=CampaignState)
        rows = self._connection.execute(
            f"SELECT {STEP} FROM event WHERE version > ? ORDER BY version", (campaign.version,)
        )
        return fold_rows(campaign, rows)

    def take(
        self,
        rows: Sequence[tuple[str | int, ...]],
        reached: Reached,
        snapshot: CampaignState | None,
    ) -> None:
        """Stage a piece, whole or not at all; with a snapshot of its end where one is due.

        Raises:
            BadTransferError: an event has the id of an earlier one of its actor.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                try:
                    connection.execute(INSERT, row)
                except sqlite3.IntegrityError as error:
                    why = "has the id of an earlier event of the same actor"
                    raise refused(int(row[1]), why) from error
            if snapshot is not None:
                text = msgspec.json.encode(snapshot).decode()
                kept = (snapshot.version, reached.new, text)
                connection.execute("INSERT INTO snapshot VALUES (?, ?, ?)", kept)
            place = (reached.version, reached.digest, reached.old, reached.new)
            connection.execute("INSERT OR REPLACE INTO reached VALUES (1, ?, ?, ?, ?)", place)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def rows(self) -> Iterator[tuple[str | int, ...]]:
        """Yield the events that are staged, in order."""
        rows = self._connection.execute(f"SELECT {COLUMNS} FROM event ORDER BY version")
        with closing(rows):
            yield from rows

    def snapshots(self) -> Iterator[tuple[int, str, str]]:
        """Yield version, hash and text of the snapshots, in order."""
        rows = self._connection.execute("SELECT version, hash, state FROM snapshot ORDER BY 1")
        with closing(rows):
            yield from rows


def remove(path: Path) -> None:
    """Do away with a staging file and what SQLite has beside it."""
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")
