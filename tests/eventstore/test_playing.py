"""Where sessions begin and end, and what happened in them, as the store finds it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eventstore.errors import OlderSchemaError
from eventstore.migrator import migrate, sqlite_migrations
from eventstore.sqlite import playing
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.commands import Activate, Deactivate
from questlog.campaign.events import Actor
from questlog.campaign.sessions import Tally, sessions_of, turn_of
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of

MIRA = Actor("mira", "player")


async def played(path: Path) -> None:
    """Write a campaign of three sessions, and another beside it."""
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create(), Activate("main"), put("/hp", 1, kind="hit"))
    await scribe.write(put("/hp", 2, kind="hit"), actor=MIRA)
    await scribe.write(Activate("cellar"), put("/hp", 3), Deactivate(), put("/hp", 4))
    await scribe.write(Activate("main"), put("/hp", 5))
    await Scribe(store, "d").write(create(), Activate("attic"))
    await store.close()


async def test_turns_are_found_as_going_through_the_log_would_find_them(tmp_path: Path) -> None:
    await played(tmp_path / "log.db")
    reader = await SqliteReader.open(url_of(tmp_path / "log.db"))
    events = await reader.read("c")
    turns = await reader.turns("c")
    assert turns == [turn for event in events if (turn := turn_of(event)) is not None]
    assert [(turn.version, type(turn.fact).__name__) for turn in turns] == [
        (2, "CampaignActivated"),
        (5, "CampaignActivated"),
        (7, "CampaignDeactivated"),
        (9, "CampaignActivated"),
    ]
    assert await reader.turns("c", until=5) == turns[:2]
    assert await reader.turns("nowhere") == []
    found = sessions_of(turns, events[-1].at)
    assert [(each.from_version, each.to_version) for each in found] == [(2, 4), (5, 7), (9, None)]
    assert [(each.table, each.seconds) for each in found] == [
        ("main", 3.0),
        ("cellar", 2.0),
        ("main", 1.0),
    ]
    assert sorted(await reader.tallies("c", after=1, until=4), key=str) == [
        Tally("campaign.activated", "dm", "dm", 1),
        Tally("hit", "dm", "dm", 1),
        Tally("hit", "mira", "player", 1),
    ]
    assert await reader.tallies("c", after=4, until=4) == []
    assert await reader.acting("mira") == ["c"]
    assert await reader.acting("dm") == ["c", "d"]
    assert await reader.acting("nobody") == []
    await reader.close()


async def test_finding_turns_reads_their_own_index_and_nothing_else(tmp_path: Path) -> None:
    await played(tmp_path / "log.db")
    connection = sqlite3.connect(tmp_path / "log.db")
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    playing.turns(connection, "c", None)
    connection.set_trace_callback(None)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    assert [row[-1] for row in plan] == [
        "SEARCH event USING INDEX event_turn (campaign_id=? AND version<?)"
    ]
    connection.close()


async def test_a_store_of_before_is_taken_up_when_it_is_next_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    connection = sqlite3.connect(path, isolation_level=None)
    first, *_ = sqlite_migrations()
    migrate(connection, [first], now="2026-01-01T00:00:00.000Z")
    connection.execute(
        "INSERT INTO store VALUES (1, 's', randomblob(32), '2026-01-01T00:00:00.000Z')"
    )
    connection.close()
    with pytest.raises(OlderSchemaError):
        await SqliteReader.open(url_of(path))
    await played(path)
    reader = await SqliteReader.open(url_of(path))
    assert len(await reader.turns("c")) == 4
    assert await reader.inspect() == []
    await reader.close()
