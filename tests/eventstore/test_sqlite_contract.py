"""The SQLite adapter keeps the port's contract, on a real file."""

from __future__ import annotations

from pathlib import Path

from eventstore.port import EventStore
from tests.eventstore.contract import EventStoreContract
from tests.eventstore.forks import ForkContract
from tests.eventstore.scribe import open_store


class TestSqliteStore(EventStoreContract, ForkContract):
    """One file in the folder."""

    async def open(self, place: Path) -> EventStore:
        """Open the file for writing."""
        return await open_store(place / "log.db")
