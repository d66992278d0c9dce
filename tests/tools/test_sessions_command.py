"""`questlog sessions` and `questlog recap`, on a store and the access file beside it."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eventstore.migrator import ACCESS_ID
from questlog.campaign.commands import Activate, Deactivate, SetVisibility
from questlog.campaign.events import Actor
from questlog.campaign.visibility import Rule, Rules
from server.access.file import access_path
from tests.eventstore.scribe import Scribe, create, moment, open_store, put
from tests.support.access import guarded, store_url
from tests.tools.stores import run

MIRA = Actor("mira", "player")
RULES = Rules(rules=(Rule("/dm", ("dm",)), Rule("/private/{player}", ("dm", "{player}"))))
SECRET = "CANARY"


async def play(path: Path) -> None:
    """Write a campaign of 13 versions and two sessions, the last still on."""
    store = await open_store(path)
    scribe = Scribe(store)
    document = {
        "hp": 10,
        "all_narratives": [],
        "dm": SECRET,
        "private": {"mira": 1, "tobin": SECRET},
    }
    await scribe.write(create(document), SetVisibility(RULES), Activate("main"))
    await scribe.write(put("/hp", 9, kind="hit"), put("/hp", 8, kind="hit"))
    await scribe.write(put("/hp", 7, kind="hit"), actor=MIRA)
    await scribe.write(Deactivate(), put("/dm", SECRET * 2, kind="plotted"), Activate("cellar"))
    await scribe.write(put("/all_narratives/-", "Thunder \x1b[31m."), put("/private/mira", 2))
    await scribe.write(put("/private/tobin", SECRET * 3), put("/dm", SECRET * 4, kind="plotted"))
    await store.close()


def attended(path: Path, *rows: tuple[Any, ...]) -> None:
    """Write who was there."""
    assert run(path, "keys").exit_code == 0
    connection = sqlite3.connect(access_path(store_url(path)))
    connection.executemany("INSERT INTO attendance VALUES ('c', ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store in which two sessions were played."""
    path = tmp_path / "q.db"
    asyncio.run(play(path))
    return path


def there(path: Path) -> None:
    """Have mira at the first session up to version 7, and two nobodies at the second."""
    attended(
        path,
        (3, "", "player", "mira", 1, moment(3), moment(7), 7, 7),
        (9, "", "spectator", "spectator", 2, moment(9), moment(9), 0, 9),
    )


def told(path: Path, *arguments: str) -> list[Any]:
    """Run a command with --json that must succeed."""
    result = run(path, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_sessions_are_listed_with_who_was_there(path: Path) -> None:
    there(path)
    result = run(path, "sessions", "c")
    assert result.exit_code == 0
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        ["session", "title", "began", "length", "events", "present"],
        ["1", "", moment(3), "0:00", "5", "mira"],
        ["2", "", moment(9), "0:00+", "5", "2 spectator without a name"],
    ]
    first, second = told(path, "sessions", "c")
    assert (first["from_version"], first["to_version"], first["counts"]["kinds"]["hit"]) == (
        3,
        7,
        3,
    )
    assert first["present"][0]["player_id"] == "mira"
    assert second["ended_at"] is None


def test_one_session_is_told_in_detail(path: Path) -> None:
    there(path)
    text = run(path, "sessions", "c", "--session", "1").stdout
    for line in ("versions   3 to 7", "hit\t3", "mira\tplayer\t1", "dm\tdm\t4"):
        assert line in text.splitlines()
    assert f"mira\tplayer\t{moment(3)}\t{moment(7)}\t7" in text
    assert "it is still on" in run(path, "sessions", "c", "--session", "2").stdout
    (one,) = told(path, "sessions", "c", "--session", "2")
    assert one["number"] == 2


def test_without_an_access_file_nobody_is_known_to_have_been_there(path: Path) -> None:
    assert [each["present"] for each in told(path, "sessions", "c")] == [[], []]
    assert not access_path(store_url(path)).exists()
    (recap,) = told(path, "recap", "c", "--as", "player:mira")
    assert recap["from_version"] == 8


def test_an_access_file_of_before_or_that_is_none_is_no_hindrance(path: Path) -> None:
    place = access_path(store_url(path))
    connection = sqlite3.connect(place)
    connection.execute(f"PRAGMA application_id = {ACCESS_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    before = run(path, "sessions", "c", "--json")
    assert (len(before.stdout.splitlines()), before.stderr) == (2, "")
    place.write_text("a diary, not a database" * 100)
    result = run(path, "sessions", "c", "--json")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert "Who was there cannot be read" in result.stderr
    assert "diary" in place.read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_access_file_of_somebody_elses_is_no_hindrance(path: Path) -> None:
    there(path)
    access_path(store_url(path)).chmod(0)
    result = run(path, "sessions", "c", "--json")
    assert result.exit_code == 0
    assert "Who was there cannot be read" in result.stderr


def test_a_recap_is_what_a_player_missed_and_spoils_nothing(path: Path) -> None:
    there(path)
    result = run(path, "recap", "c", "--as", "player:mira")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"c from version 7 to 13, since {moment(7)}"
    assert [line.split()[0] for line in lines[1:3]] == ["10", "11"]
    assert '+ /all_narratives/0: "Thunder \\u001b[31m."' in lines
    assert "+ /private/mira: 2" in lines
    assert SECRET not in result.stdout
    assert "plotted" not in result.stdout
    assert "\x1b" not in result.stdout
    (recap,) = told(path, "recap", "c", "--as", "player:mira")
    assert recap["narratives"] == ["Thunder \x1b[31m."]
    assert recap["changed"] == ["/all_narratives/0", "/private/mira"]
    assert [event["version"] for event in recap["events"]] == [10, 11]


@pytest.mark.parametrize("more", [[], ["--since", "3"], ["--since", "9"]])
@pytest.mark.parametrize("viewer", ["player:mira", "player:tobin", "spectator"])
def test_a_recap_tells_nothing_that_is_hidden_by_now(
    path: Path, viewer: str, more: list[str]
) -> None:
    there(path)

    async def hide() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        there = await store.load("c")
        assert there is not None
        scribe.state = there.state
        await scribe.write(SetVisibility(Rules(rules=(*RULES.rules, Rule("/hp", ("dm",))))))
        await scribe.write(put("/scene", "the crypt", kind="moved"))
        await store.close()

    asyncio.run(hide())
    (recap,) = told(path, "recap", "c", "--as", viewer, *more)
    assert "/scene" in recap["changed"]
    assert "/hp" not in recap["changed"]
    # What they did themselves they know.
    others = [event for event in recap["events"] if event["actor"]["member"] == "dm"]
    kinds = [event["kind"] for event in others]
    assert "moved" in kinds
    assert not {"hit", "visibility.changed"} & set(kinds)


@pytest.mark.parametrize(
    ("since", "version"), [("4", 4), (moment(6), 6), ("2020-01-01", 1), ("2030-01-01", 13)]
)
def test_a_recap_begins_where_it_is_told_to(path: Path, since: str, version: int) -> None:
    (recap,) = told(path, "recap", "c", "--as", "spectator", "--since", since)
    assert recap["from_version"] == version
    if version == 13:
        assert recap["patch"] == []
        text = run(path, "recap", "c", "--as", "spectator", "--since", since).stdout
        assert text.splitlines()[-1] == "Nothing has changed."


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["sessions", "nowhere"], 1, "no campaign"),
        (["sessions", "c", "--session", "3"], 1, "2 sessions"),
        (["sessions", "c", "--session", "0"], 2, "not in the range"),
        (["recap", "c"], 2, "--as"),
        (["recap", "c", "--as", "king"], 2, "A viewer is"),
        (["recap", "c", "--as", "dm", "--since", "99"], 1, "versions 1 to 13"),
        (["recap", "c", "--as", "dm", "--since", "0"], 1, "versions 1 to 13"),
        (["recap", "c", "--as", "dm", "--since", "soon"], 2, "no time like"),
        (["recap", "nowhere", "--as", "dm"], 1, "no campaign"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    path: Path, arguments: list[str], status: int, sentence: str
) -> None:
    result = run(path, *arguments)
    assert result.exit_code == status
    assert sentence in result.output
    assert result.stdout == ""


async def test_command_and_server_tell_the_same(tmp_path: Path) -> None:
    await play(tmp_path / "questlog.db")
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
        mira.socket(campaign_id="c") as peer,
    ):
        await peer.next()
        await served.services.attendance.write()
        for arguments, call in (
            (["sessions", "c"], "sessions"),
            (
                ["recap", "c", "--as", "player:mira", "--since", "3"],
                "recap?as=player:mira&since=3",
            ),
            (["recap", "c", "--as", "dm", "--since", "3"], "recap?as=dm&since=3"),
        ):
            found = await asyncio.to_thread(told, served.path, *arguments)
            _, answer = await dm("GET", f"/api/campaigns/c/{call}")
            answers = answer["sessions"] if call == "sessions" else [answer]
            for each in (*answers, *found):
                for who in each.get("present", []):
                    # The server looks at the clock again.
                    del who["last_at"]
            assert found == answers


def test_a_damaged_beginning_of_a_session_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"

    async def make() -> None:
        store = await open_store(path)
        await Scribe(store).write(create(), Activate("main"))
        await store.close()

    asyncio.run(make())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER event_never_changes")
        connection.execute("UPDATE event SET data = '[7' WHERE version = 2")
    result = run(path, "sessions", "c")
    assert result.exit_code == 1
    assert "version 2" in result.stderr
    assert "Traceback" not in result.output
