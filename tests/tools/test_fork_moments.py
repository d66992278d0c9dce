"""What a moment means for a campaign whose log has events from before it was there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from eventstore.sqlite.store import SqliteReader
from questlog.campaign.commands import Activate, Deactivate
from tests.eventstore.forks import fork
from tests.eventstore.scribe import Scribe, create, moment, open_store, put, url_of
from tests.tools.stores import run
from tests.tools.transfers import exported, refused, taken

# All that was made then by a fork is dated 5,000 seconds after the beginning.
FORKED = 5_000


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    """A store with `c`, active from 2 on, its fork `what-if` and a fork of that, `later`."""
    path = tmp_path / "log.db"

    async def make() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        await scribe.write(create({"hp": 10}), Activate("main"), put("/hp", 9), put("/hp", 8))
        await fork(store, "c", 3, "what-if")
        await fork(store, "what-if", 2, "later")
        await store.close()

    asyncio.run(make())
    return path


async def _heads(path: Path) -> dict[str, int]:
    reader = await SqliteReader.open(url_of(path))
    try:
        return {each.campaign_id: each.version for each in await reader.campaigns()}
    finally:
        await reader.close()


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (1, {"c": 1}),
        (3, {"c": 3}),
        (FORKED - 1, {"c": 4}),
        (FORKED, {"c": 4, "what-if": 4, "later": 3}),
    ],
)
def test_a_store_is_restored_without_forks_that_were_not_made_yet(
    log: Path, tmp_path: Path, then: int, expected: dict[str, int]
) -> None:
    result = run(log, "restore", str(log), str(tmp_path / "new.db"), "--at", moment(then))
    assert result.exit_code == 0, result.output
    assert asyncio.run(_heads(tmp_path / "new.db")) == expected
    assert run(tmp_path / "new.db", "verify").exit_code == 0


@pytest.mark.parametrize("name", ["what-if", "later"])
def test_a_fork_has_no_state_before_it_was_made(log: Path, tmp_path: Path, name: str) -> None:
    for command in (("state",), ("blame",), ("bisect", "hp", "--to"), ("diff",)):
        given = {"bisect": (), "diff": ("1",)}.get(command[0], ("--at",))
        arguments = (command[0], name, *command[1:], *given, moment(3))
        code, detail = refused(log, *arguments)
        assert code == "unknown_version", arguments
        assert "had not begun" in detail
    assert run(log, "state", name, "--at", moment(FORKED)).exit_code == 0
    options = ("--campaign", name, "--at", moment(3))
    assert refused(log, "restore", str(log), str(tmp_path / "new.db"), *options)[0] == (
        "unknown_version"
    )


def test_a_replay_from_before_a_fork_was_made_begins_with_its_log(log: Path) -> None:
    result = run(log, "replay", "what-if", "--from", moment(3), "--speed", "max", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[0])["version"] == 1


def test_a_recap_from_before_a_fork_was_made_is_of_what_came_since(log: Path) -> None:
    def told(name: str, then: int) -> Any:
        result = run(log, "recap", name, "--as", "dm", "--since", moment(then), "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)["from_version"]

    assert told("what-if", 1) == 3
    assert told("what-if", FORKED) == 4
    assert told("c", 0) == 1
    assert told("c", 3) == 3


def test_the_events_of_a_fork_are_found_by_their_own_dates(log: Path) -> None:
    result = run(log, "log", "what-if", "--since", moment(3), "--json")
    assert [json.loads(line)["version"] for line in result.stdout.splitlines()] == [3, 4]


def test_an_import_was_there_as_long_as_its_log(log: Path, tmp_path: Path) -> None:
    file = exported(log, tmp_path / "c.jsonl")
    assert taken(log, str(file), "--as", "copy")["left"] == "main"
    assert run(log, "state", "copy", "--at", moment(1)).exit_code == 0
    new = tmp_path / "new.db"
    code, detail = refused(log, "restore", str(log), str(new), "--at", moment(3))
    assert (code, "--campaign" in detail) == ("seat_disputed", True)
    assert not list(tmp_path.glob("*new*"))
    alone = ("--at", moment(3), "--campaign", "copy")
    assert run(log, "restore", str(log), str(new), *alone).exit_code == 0
    assert asyncio.run(_heads(new)) == {"copy": 3}


def test_a_fork_that_is_played_on_is_restored_beside_what_it_was_made_of(tmp_path: Path) -> None:
    path, new = tmp_path / "log.db", tmp_path / "new.db"

    async def make() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        await scribe.write(create(), Activate("main"), put("/hp", 9), Deactivate())
        await fork(store, "c", 3, "what-if")
        await store.close()

    asyncio.run(make())
    assert run(path, "restore", str(path), str(new), "--at", moment(4)).exit_code == 0
    assert asyncio.run(_heads(new)) == {"c": 4}
