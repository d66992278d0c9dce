"""`questlog doctor`: what it finds, what it repairs, and that no event is ever touched."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.commands import Activate
from server.access.file import AccessFile, access_path
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tests.support.server import Served
from tests.tools.stores import run

HEAD = 9
UNGUARDED = ("event_never_changes", "event_never_goes")


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"

    async def make() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        await scribe.write(create(title="Ashfall"), *(put("/hp", n) for n in range(4)))
        await scribe.snapshot()
        await scribe.write(Activate("main"), *(put("/hp", n) for n in range(3)))
        await scribe.snapshot()
        await Scribe(store, "d").write(create(), put("/hp", 1))
        await store.close()

    asyncio.run(make())
    return path


def damage(path: Path, *statements: str) -> None:
    """Change the file as a broken disk or a meddler would, and put the guards back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        guards = [
            connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
            for name in UNGUARDED
        ]
        for name in UNGUARDED:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for (sql,) in guards:
            connection.execute(sql)


def events(path: Path) -> list[Any]:
    """Return every event as it is stored."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        return connection.execute("SELECT * FROM event ORDER BY campaign_id, version").fetchall()


def examined(path: Path, *arguments: str) -> list[Any]:
    result = run(path, "doctor", *arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_of_a_sound_store_it_says_so(log: Path) -> None:
    result = run(log, "doctor")
    assert (result.exit_code, result.stdout) == (0, "Nothing is wrong.\n")
    assert run(log, "doctor", "--repair").exit_code == 0
    assert examined(log) == []


REPAIRABLE = {
    "an edited snapshot": (
        ("UPDATE snapshot SET state = replace(state, '\"hp\":2', '\"hp\":7')",),
        {"snapshot_mismatch"},
    ),
    "a snapshot that is no JSON": (
        ("UPDATE snapshot SET state = '{' WHERE version = 5",),
        {"snapshot_mismatch"},
    ),
    "a snapshot of no version": (
        ("UPDATE snapshot SET version = 99 WHERE version = 5",),
        {"orphan"},
    ),
    "a snapshot of no campaign": (
        ("UPDATE snapshot SET campaign_id = 'e' WHERE version = 5",),
        {"orphan"},
    ),
    "a head set back": (
        (
            "UPDATE campaign SET head_version = 8, head_hash ="
            " (SELECT hash FROM event WHERE campaign_id = 'c' AND version = 8)"
            " WHERE campaign_id = 'c'",
        ),
        {"extra_tail", "head_mismatch", "snapshot_mismatch", "orphan"},
    ),
    "a wrong head hash": (("UPDATE campaign SET head_hash = 'f'",), {"head_mismatch"}),
    "a wrong title and time": (
        ("UPDATE campaign SET title = 'x', last_at = '2000' WHERE campaign_id = 'c'",),
        {"head_mismatch"},
    ),
    "a seat that was lost": (("UPDATE campaign SET active_table = NULL",), {"seat_mismatch"}),
    "a campaign that was lost": (
        ("PRAGMA foreign_keys = OFF", "DELETE FROM campaign WHERE campaign_id = 'c'"),
        {"orphan"},
    ),
    "a trigger that is gone": (("DROP TRIGGER event_follows",), {"schema_changed"}),
    "an index that is gone": (("DROP INDEX event_id",), {"schema_changed"}),
    "a trigger made harmless": (
        (
            "DROP TRIGGER event_moves_head",
            "CREATE TRIGGER event_moves_head AFTER INSERT ON event BEGIN SELECT 1; END",
        ),
        {"schema_changed"},
    ),
    "a trigger that was added": (
        ("CREATE TRIGGER spy AFTER INSERT ON event BEGIN SELECT 1; END",),
        {"schema_changed"},
    ),
}


@pytest.mark.parametrize("name", REPAIRABLE)
def test_what_is_derived_is_repaired_and_no_event_is_touched(log: Path, name: str) -> None:
    statements, codes = REPAIRABLE[name]
    before = events(log)
    damage(log, *statements)
    found = examined(log)
    assert {each["code"] for each in found} <= codes
    assert found
    assert all(each["repairable"] for each in found)
    assert run(log, "doctor").exit_code == 1
    result = run(log, "doctor", "--repair")
    assert result.exit_code == 0, result.output
    assert f"{len(found)} of {len(found)} repaired; 0 left." in result.stdout
    assert events(log) == before
    assert run(log, "verify").exit_code == 0
    assert run(log, "state", "c").exit_code == 0

    async def write_on() -> None:
        store = await open_store(log)
        loaded = await store.load("c")
        assert loaded is not None
        scribe = Scribe(store)
        scribe.state = loaded.state
        await scribe.write(put("/hp", 100))
        await store.close()

    asyncio.run(write_on())
    assert run(log, "verify").exit_code == 0


LOST = {
    "a changed event": ("UPDATE event SET meta = '{}x' WHERE version = 3 AND campaign_id = 'c'", 3),
    "a deleted event": ("DELETE FROM event WHERE version = 3 AND campaign_id = 'c'", 3),
    "a cut tail": ("DELETE FROM event WHERE version > 7 AND campaign_id = 'c'", 8),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_said_and_left_as_it_is(log: Path, name: str) -> None:
    statement, version = LOST[name]
    damage(log, statement, "UPDATE campaign SET title = 'x' WHERE campaign_id = 'd'")
    before = events(log)
    found = {(each["campaign_id"], each["version"]): each for each in examined(log)}
    lost = found["c", version]
    assert lost["repairable"] is False
    assert lost["lost"]
    assert found["d", 1]["repairable"] is True
    result = run(log, "doctor", "--repair")
    assert result.exit_code == 1
    assert "cannot be repaired: a backup" in result.stdout
    assert events(log) == before
    assert {each["campaign_id"] for each in examined(log)} == {"c"}, "the other was repaired"


def test_rules_that_are_none_are_found(log: Path) -> None:
    rules = '{"visibility":{"default":"visible","rules":[{"path":"dm","to":["dm"]}]}}'
    damage(
        log,
        "DELETE FROM snapshot",
        f"UPDATE event SET kind = 'visibility.changed', data = '{rules}'"
        " WHERE campaign_id = 'd' AND version = 2",
    )
    codes = {each["code"] for each in examined(log)}
    assert codes == {"hash_mismatch"}, "a log that was changed says nothing of its rules"


async def test_it_repairs_nothing_beside_a_server(log: Path) -> None:
    damage(log, "UPDATE campaign SET title = 'x' WHERE campaign_id = 'd'")
    async with Served.start(log):
        result = await asyncio.to_thread(run, log, "doctor", "--repair")
        assert result.exit_code == 1
        assert "open for writing in process" in result.stderr
    left = await asyncio.to_thread(run, log, "doctor")
    assert (left.exit_code, "head_mismatch" in left.stdout) == (1, True)


def test_the_access_file_is_looked_at_too(log: Path) -> None:
    async def make() -> None:
        await (await AccessFile.open(url_of(log))).close()

    asyncio.run(make())
    access = access_path(url_of(log))
    assert examined(log) == []
    access.chmod(0o644)
    [found] = examined(log)
    assert (found["code"], found["repairable"]) == ("open_to_others", True)
    assert run(log, "doctor", "--repair").exit_code == 0
    assert access.stat().st_mode & 0o077 == 0
    access.write_bytes(b"scrambled" * 1000)
    [found] = examined(log)
    assert (found["code"], found["repairable"]) == ("unreadable", False)
    assert run(log, "doctor", "--repair").exit_code == 1


def test_a_file_cut_short_is_unreadable(log: Path) -> None:
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.truncate(size // 2)
    result = run(log, "doctor", "--json")
    assert result.exit_code == 1
    assert "unreadable" in result.stdout + result.stderr
