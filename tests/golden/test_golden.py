"""Every log that a release has written is read by this one, and comes to what it came to then."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventstore import migrator
from eventstore.chain import GENESIS
from eventstore.errors import OlderSchemaError
from eventstore.proof.verifier import verify
from eventstore.sqlite.rows import INSERT
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.commands import Activate, Command, Deactivate, Rewind, digest
from questlog.campaign.events import Actor, Event
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.upcast import SCHEMA
from tests.eventstore.scribe import Scribe, open_store, url_of
from tests.golden.record import CAMPAIGN, FOLDER, come_to, commands, versions

LOGS = sorted(FOLDER.glob("*.jsonl"))
# What was asked for with an id of the asker's own: the same again, at any later time, is a retry.
ASKED: tuple[tuple[Command, Actor, str], ...] = tuple(
    (command, actor, identifier)
    for command, actor, identifier in commands()
    if identifier is not None and not isinstance(command, Rewind)
)
# Of a session's beginning: cut off, of another type, a member of another type, a member missing.
DAMAGE = ('{"table":"main"', '["main"]', "7", '{"table":7}', "{}")


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


async def test_what_was_asked_then_and_is_asked_again_is_known(
    golden: tuple[Path, SqliteReader],
) -> None:
    log, _ = golden
    stored = {event.id: event for event in events_of(log) if event.campaign_id == CAMPAIGN}
    known = [each for each in ASKED if each[2] in stored]
    assert len(known) > 5
    for command, actor, identifier in known:
        event = stored[identifier]
        assert (event.request, event.actor) == (digest(command), actor), identifier
    assert stored["minted-golden-2"].request == digest(Activate("main"))


async def test_a_store_of_the_first_release_is_taken_up_by_opening_it(
    tmp_path: Path,
) -> None:
    log = FOLDER / "0.1.0a1.jsonl"
    path = tmp_path / "q.db"
    first = migrator.sqlite_migrations()[:1]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrator.migrate(connection, first, now="2026-01-01T00:00:00.000Z")
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    fill(path, events_of(log), told_of(log))
    with pytest.raises(OlderSchemaError):
        await SqliteReader.open(url_of(path))
    store = await open_store(path)
    try:
        assert [finding async for finding in verify(store)] == []
        for campaign_id, expected in told_of(log).items():
            assert [come_to(state) async for state in versions(store, campaign_id)] == expected
        scribe = Scribe(store, CAMPAIGN)
        loaded = await store.load(CAMPAIGN)
        assert loaded is not None
        scribe.state = loaded.state
        await scribe.write(Deactivate())
        assert [finding async for finding in verify(store)] == []
    finally:
        await store.close()


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
async def test_a_damaged_record_of_any_schema_is_named_and_stops_no_walk(
    log: Path, damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "q.db"
    await (await open_store(path)).close()
    fill(path, events_of(log), told_of(log))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        kept = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'event_never_changes'"
        ).fetchone()
        connection.execute("DROP TRIGGER event_never_changes")
        connection.execute(
            "UPDATE event SET data = ? WHERE campaign_id = ? AND version = 2", (damage, CAMPAIGN)
        )
        connection.execute(*kept)
    reader = await SqliteReader.open(url_of(path))
    try:
        found = [(each.campaign_id, each.code, each.version) async for each in verify(reader)]
        assert found == [(CAMPAIGN, "hash_mismatch", 2)]
        (event,) = await reader.read(CAMPAIGN, after=1, until=2)
        with pytest.raises(msgspec.MsgspecError):
            event.fact()
        with pytest.raises(DamagedLogError, match="version 2"):
            await reader.load(CAMPAIGN)
        loaded = await reader.load(CAMPAIGN, at=1)
        assert loaded is not None
    finally:
        await reader.close()


def test_one_of_each_schema_is_kept() -> None:
    schemas = {event.schema for log in LOGS for event in events_of(log)}
    assert schemas == set(range(1, SCHEMA + 1))
