"""A place for a SQLite store, and a store there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eventstore.sqlite.store import SqliteStore
from tests.eventstore.scribe import open_store


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture(name="store")
async def _store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(path)
    yield store
    await store.close()
