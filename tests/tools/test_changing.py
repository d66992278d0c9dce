"""`questlog rewind` and `fork`: through a running server, or on a store that nobody else has."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.eventstore.scribe import url_of
from tests.support.peer import calling
from tests.support.server import Served, command, serving
from tests.tools.stores import run, write


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    asyncio.run(write(path))
    return path


def told(path: Path, *arguments: str) -> Any:
    """Run the command with --json and return the one thing it prints."""
    result = run(path, *arguments, "--json")
    assert result.exit_code == 0, result.output
    [line] = result.stdout.splitlines()
    return json.loads(line)


def test_a_version_is_brought_back_and_brought_back_from(log: Path) -> None:
    result = run(log, "rewind", "c", "3")
    assert result.exit_code == 0, result.output
    assert "- /hp: 4" in result.stdout
    assert "+ /hp: 1" in result.stdout
    assert result.stdout.endswith("c is at version 10.\n")
    then, now = told(log, "state", "c", "--at", "3"), told(log, "state", "c")
    assert now["structured_data"] == then["structured_data"]
    assert told(log, "rewind", "c", "9")["version"] == 11
    assert told(log, "state", "c")["structured_data"]["hp"] == 4
    assert run(log, "verify").exit_code == 0


def test_a_part_and_a_preview(log: Path) -> None:
    result = run(log, "rewind", "c", "3", "--only", "/hp", "--preview")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "- /hp: 4\n+ /hp: 1\nNobody is known to have seen what this would undo.\n"
    )
    assert told(log, "state", "c")["version"] == 9
    assert told(log, "rewind", "c", "3", "--only", "/hp")["patch"] == [
        {"op": "replace", "path": "/hp", "value": 1}
    ]
    result = run(log, "rewind", "c", "10", "--preview")
    assert result.stdout.startswith("Nothing would change.\n")


def test_the_same_again_is_said_to_be_so(log: Path) -> None:
    run(log, "rewind", "c", "3", "--id", "back")
    result = run(log, "rewind", "c", "3", "--id", "back")
    assert (result.exit_code, result.stdout) == (0, "c: version 10 did this before.\n")
    run(log, "fork", "c", "e", "--at", "4", "--id", "f")
    result = run(log, "fork", "c", "e", "--at", "4", "--id", "f")
    assert result.stdout == "e goes on from version 4 of c (it was made before).\n"


def test_a_fork_begins_at_the_head_or_before(log: Path) -> None:
    result = run(log, "fork", "c", "what-if")
    assert (result.exit_code, result.stdout) == (0, "what-if goes on from version 9 of c.\n")
    assert told(log, "fork", "c", "earlier", "--at", "4")["version"] == 5
    assert told(log, "state", "earlier")["structured_data"]["hp"] == 2
    assert run(log, "verify").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("rewind", "c", "99"), 1, "no such version"),
        (("rewind", "nowhere", "1"), 1, "no such campaign"),
        (("rewind", "c", "3", "--only", "/nowhere"), 1, "neither now nor"),
        (("rewind", "c", "3", "--only", "hp"), 2, "--only"),
        (("rewind", "c", "0"), 2, "VERSION"),
        (("fork", "c", "d"), 1, "of this id already"),
        (("fork", "c", "a/b"), 1, "campaign id"),
        (("fork", "nowhere", "e"), 1, "no such campaign"),
        (("fork", "c", "e", "--at", "99"), 1, "no such version"),
        (("fork", "c", "e", "--url", "http://127.0.0.1:1"), 1, "no Questlog server"),
        (("fork", "c", "e", "--url", "nonsense"), 1, "no Questlog server"),
    ],
)
def test_what_is_refused_is_one_sentence(
    log: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = run(log, *arguments)
    assert result.exit_code == status, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert told(log, "state", "c")["version"] == 9


def test_a_refusal_has_its_code_in_json(log: Path) -> None:
    result = run(log, "rewind", "c", "99", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["code"] == "unknown_version"


DAMAGE = {
    "an edited event": "UPDATE event SET meta = '{\"edited\":1}' WHERE version = 4",
    "a patch that does not fit": 'UPDATE event SET patch = \'[{"op":"remove","path":"/x"}]\''
    " WHERE version = 4",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_log_is_said_to_be_what_it_is(log: Path, damage: str) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        (guard,) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'event_never_changes'"
        ).fetchone()
        connection.execute("DROP TRIGGER event_never_changes")
        connection.execute(damage)
        connection.execute("DELETE FROM snapshot")
        connection.execute(guard)
    result = run(log, "fork", "c", "new", "--at", "6", "--json")
    assert result.exit_code == 1
    refusal = json.loads(result.stderr)
    assert refusal["code"] == "damaged_source"
    assert "nothing was forked" in refusal["detail"]
    assert "unknown" not in refusal["detail"]
    assert run(log, "state", "new").exit_code == 1


async def test_a_server_says_that_nothing_was_forked(log: Path) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER event_never_changes")
        connection.execute(DAMAGE["an edited event"])
        connection.execute(
            "CREATE TRIGGER event_never_changes BEFORE UPDATE ON event"
            " BEGIN SELECT raise(ABORT, 'events are immutable'); END"
        )
    async with serving(log) as url, calling(url) as call:
        body = {"new_id": "new", "at_version": 6}
        status, problem = await call("POST", "/api/campaigns/c/fork", json=body)
        assert (status, problem["code"]) == (503, "store_unavailable")
        assert problem["cause"] == "damaged_source"
        assert problem["detail"].endswith("is damaged at version 4: nothing was forked.")
        assert (await call("GET", "/api/campaigns/new"))[0] == 404


def test_no_store_is_made(tmp_path: Path) -> None:
    result = run(tmp_path / "none.db", "fork", "c", "d")
    assert result.exit_code == 1
    assert list(tmp_path.iterdir()) == []


async def test_where_a_server_runs_it_is_asked(log: Path) -> None:
    async with Served.start(log) as served, calling(served.url) as call:
        process = await command("rewind", "c", "3", "--store", url_of(log))
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert "give its --url" in errors.decode()
        process = await command("rewind", "c", "3", "--url", served.url)
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        assert output.decode().endswith("c is at version 10.\n")
        process = await command("fork", "c", "e", "--url", served.url, "--json")
        output, errors = await process.communicate()
        assert json.loads(output)["version"] == 11, errors.decode()
        _, state = await call("GET", "/api/campaigns/e/state")
        assert state["structured_data"]["hp"] == 1
