"""Every log that a release has written is read by this one, and comes to what it came to then."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventstore.chain import GENESIS
from eventstore.sqlite.rows import INSERT
from eventstore.sqlite.store import SqliteReader
from eventstore.verifier import verify
from questlog.campaign.events import Event
from questlog.campaign.upcast import SCHEMA
from tests.eventstore.scribe import open_store, url_of
from tests.golden.record import FOLDER, come_to, versions

LOGS = sorted(FOLDER.glob("*.jsonl"))


def events_of(log: Path) -> list[Event]:
    """Return the events of a golden log, their JSON members as they are in the file."""
    return [msgspec.json.decode(line, type=Event) for line in log.read_bytes().splitlines()]


def told_of(log: Path) -> dict[str, list[Any]]:
    """Return what each version of each campaign came to when it was written."""
    told: dict[str, list[Any]] = msgspec.json.decode(log.with_suffix(".json").read_bytes())
    return told


def fill(path: Path, events: list[Event], told: dict[str, list[Any]]) -> None:
    """Put events into a store as they are, hashes too."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for campaign_id, each in told.items():
            first, last = each[0], each[-1]
            row = (campaign_id, first["title"], *first["at"][:1] * 2, GENESIS, last["table"])
            connection.execute(
                "INSERT INTO campaign (campaign_id, title, created_at, last_at, head_hash,"
                " active_table) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        for event in events:
            raw = (bytes(part).decode() for part in (event.patch, event.data, event.meta))
            head = (event.campaign_id, event.version, event.id, event.kind)
            actor = (event.actor.member, event.actor.role, event.at)
            row = (*head, *actor, *raw, event.request, event.schema, event.hash)
            connection.execute(INSERT, row)


@pytest.fixture(params=LOGS, ids=lambda log: log.stem)
async def golden(request: Any, tmp_path: Path) -> AsyncIterator[tuple[Path, SqliteReader]]:
    """Yield a golden log, and a store that has it."""
    path = tmp_path / "q.db"
    await (await open_store(path)).close()
    fill(path, events_of(request.param), told_of(request.param))
    reader = await SqliteReader.open(url_of(path))
    yield request.param, reader
    await reader.close()


async def test_it_is_whole_and_every_version_is_what_it_was(
    golden: tuple[Path, SqliteReader],
) -> None:
    log, reader = golden
    assert [finding async for finding in verify(reader)] == []
    for campaign_id, expected in told_of(log).items():
        found = [come_to(state) async for state in versions(reader, campaign_id)]
        assert found == expected


async def test_its_events_are_told_with_the_shapes_of_now(
    golden: tuple[Path, SqliteReader],
) -> None:
    log, reader = golden
    stored = events_of(log)
    found = [event for each in told_of(log) for event in await reader.read(each)]
    assert [event.hash for event in found] == [event.hash for event in stored]
    assert len({type(event.fact()) for event in found}) > 15


def test_one_of_each_schema_is_kept() -> None:
    schemas = {event.schema for log in LOGS for event in events_of(log)}
    assert schemas == set(range(1, SCHEMA + 1))
