"""The commands that look into a log: blame, history, bisect, grep, stats, tail, old views."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.commands import Commit, SetVisibility
from questlog.campaign.visibility import Rule, Rules
from tests.eventstore.scribe import Scribe, create, moment, open_store, put
from tests.tools.stores import run, write
from tools.looking import sparkline


@pytest.fixture(name="log", scope="module")
def _log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "log.db"
    asyncio.run(write(path))
    return path


@pytest.fixture(name="long", scope="module")
def _long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store whose campaign `c` has 3,001 versions, with a `hp` that goes down for good."""
    path = tmp_path_factory.mktemp("store") / "long.db"

    async def make() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        await scribe.write(create({"hp": 5_000, "party": [{"name": "Łódź", "down": False}]}))
        for begin in range(0, 3_000, 500):
            hits = [scribe.decide(put("/hp", 4_999 - n)) for n in range(begin, begin + 500)]
            await scribe.append(hits)
            await scribe.snapshot()
        await store.close()

    asyncio.run(make())
    return path


def lines(path: Path, *arguments: str) -> list[Any]:
    """Run the command with --json and return what it prints, one value a line."""
    result = run(path, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_blame_names_the_event_of_each_leaf(log: Path) -> None:
    found = {each["path"]: each["version"] for each in lines(log, "blame", "c")}
    assert found == {"/hp": 6, "/log/0/id": 9, "/log/1/id": 9, "/log/1/x": 9, "/note": 1}
    [told] = lines(log, "blame", "c", "/hp")
    assert (told["kind"], told["actor"]["member"], told["value"]) == ("hit", "dm", 4)
    [told] = lines(log, "blame", "c", "/hp", "--at", "3")
    assert told["version"] == 3
    [told] = lines(log, "blame", "c", "/hp", "--at", moment(3))
    assert told["version"] == 3
    result = run(log, "blame", "c", "/log")
    assert result.stdout.splitlines()[0].split()[:1] == ["9"]
    assert "/log/1/x" in result.stdout


def test_blame_of_what_was_changed_lately_reads_no_more_than_that(long: Path) -> None:
    assert [each["version"] for each in lines(long, "blame", "c", "/hp")] == [3_001]
    assert [each["version"] for each in lines(long, "blame", "c", "/party")] == [1, 1]


def test_history_has_every_value_and_where_it_went(log: Path) -> None:
    found = lines(log, "history", "c", "/hp")
    assert [(each["version"], each["value"]) for each in found] == [
        (1, 10),
        *[(number + 2, number) for number in range(5)],
    ]
    note = lines(log, "history", "c", "/dm/note")
    assert [(each["version"], each["there"]) for each in note] == [(1, True), (9, False)]
    assert len(lines(log, "history", "c", "/hp", "--limit", "2")) == 2
    result = run(log, "history", "c", "/hp")
    assert result.stdout.splitlines()[-1].strip() == "█▁▂▂▃▄  0 to 10"
    assert "(gone)" in run(log, "history", "c", "/dm/note").stdout


def test_bisect_finds_the_first_version_in_few_reads(long: Path) -> None:
    [found] = lines(long, "bisect", "c", "hp < `2500`")
    assert found["version"] == 2_502
    assert found["event"]["version"] == 2_502
    assert found["reads"] <= 12
    [found] = lines(long, "bisect", "c", "hp < `9999`")
    assert (found["version"], found["from_the_start"]) == (1, True)
    [found] = lines(long, "bisect", "c", "hp < `4900`", "--from", "50", "--to", "200")
    assert found["version"] == 102
    result = run(long, "bisect", "c", "hp < `2500`")
    assert "+ /hp: 2499" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("Found by reading 1")
    for nowhere in (("hp < `0`",), ("hp < `4900`", "--to", "50")):
        assert "does not hold at version" in run(long, "bisect", "c", *nowhere).stderr


@pytest.mark.parametrize(
    ("expr", "holds"),
    [
        ("party[?down]", False),
        ("party[?!down]", True),
        ("party[0].name", True),
        ("nothing", False),
        ("party[0].down", False),
        ("length(party)", True),
        ("party[0:1] && not_null(nothing, party) && sort_by(party, &name)", True),
        ("`0`", True),
        ('`""`', False),
        ("`{}`", False),
    ],
)
def test_what_holds_is_what_jmespath_calls_true(long: Path, expr: str, holds: bool) -> None:
    assert run(long, "bisect", "c", expr).exit_code == (0 if holds else 1)


def test_grep_finds_events_by_what_they_hold(log: Path) -> None:
    assert [each["version"] for each in lines(log, "grep", "c", "hit")] == [2, 3, 4, 5, 6]
    assert [each["version"] for each in lines(log, "grep", "c", "NOTE", "-i")] == [1, 9]
    assert [each["version"] for each in lines(log, "grep", "c", '{"a":1}', "--fixed")] == [9]
    assert lines(log, "grep", "c", "hit", "--count") == [{"campaign_id": "c", "count": 5}]
    assert run(log, "grep", "c", "hit", "--count").stdout == "5\n"
    result = run(log, "grep", "c", "n{80}")
    assert result.stdout.splitlines()[1].strip().startswith("(whole document): …")
    assert run(log, "grep", "c", "not there").exit_code == 1


def test_grep_finds_what_is_no_ascii(long: Path) -> None:
    assert [each["version"] for each in lines(long, "grep", "c", "łódź", "-i")] == [1]


def test_stats_count_what_there_is(log: Path) -> None:
    [told] = lines(log, "stats", "c")
    assert told["events"] == 9
    assert told["kinds"]["hit"] == 5
    assert told["actors"] == {"dm (dm)": 8, "mira (player)": 1}
    assert told["days"] == {"2026-01-02": 9}
    assert told["paths"]["/hp"] == 5
    assert told["paths"]["/log/*"] == 2
    assert told["largest"][0]["version"] == 9
    whole = lines(log, "stats")
    assert [each["campaign_id"] for each in whole] == ["c", "d"]
    assert whole == [told, *lines(log, "stats", "d")], "each is counted by itself"
    result = run(log, "stats")
    assert "9 events, 0 snapshots" in result.stdout
    assert "\x1b" not in result.stdout


def test_tail_prints_the_end(log: Path) -> None:
    assert [each["version"] for each in lines(log, "tail", "c", "-n", "2")] == [8, 9]
    assert len(lines(log, "tail", "c")) == 9
    assert lines(log, "tail", "c", "-n", "0") == []


def test_a_log_is_read_from_a_moment(log: Path) -> None:
    def since(*arguments: str) -> list[int]:
        return [each["version"] for each in lines(log, "log", "c", *arguments)]

    assert since("--since", moment(8)) == [8, 9]
    assert since("--since", moment(8), "--after", "8") == [9]
    assert since("--since", "2000-01-01") == list(range(1, 10))


def test_what_a_viewer_saw_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    rules = Rules(default="visible", rules=(Rule("/hp", ("dm",)), Rule("/dm", ("dm",))))

    async def make() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        await scribe.write(
            create({"hp": 10, "dm": {"plan": 1}, "private": {"mira": 1, "tobin": 2}})
        )
        await scribe.write(SetVisibility(rules), put("/scene", "crypt"))
        await store.close()

    asyncio.run(make())

    def seen(*arguments: str) -> Any:
        [state] = lines(path, "state", "c", *arguments)
        return state["structured_data"]

    assert seen("--as", "player:mira", "--at", "1") == {"hp": 10, "private": {"mira": 1}}
    assert seen("--as", "player:mira", "--at", moment(1)) == {"hp": 10, "private": {"mira": 1}}
    private = {"mira": 1, "tobin": 2}
    assert seen("--as", "spectator") == {"private": private, "scene": "crypt"}
    assert seen("--as", "dm")["dm"] == {"plan": 1}
    assert run(path, "state", "c", "--as", "player:mira", "--path", "/dm").exit_code == 1
    assert run(path, "state", "c", "--as", "goblin").exit_code == 2
    assert run(path, "state", "c", "--at", "2000-01-01").exit_code == 1


def test_two_campaigns_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def make() -> None:
        store = await open_store(path)
        await Scribe(store, "one").write(create({"hp": 1}), put("/hp", 2))
        await Scribe(store, "mira@home").write(create({"hp": 3}))
        await Scribe(store, "two").write(
            create({"hp": 1}), Commit(patch=[{"op": "add", "path": "/mp", "value": 3}])
        )
        await store.close()

    asyncio.run(make())
    assert lines(path, "diff", "one@2", "two@2") == [
        {"op": "replace", "path": "/hp", "value": 1},
        {"op": "add", "path": "/mp", "value": 3},
    ]
    assert lines(path, "diff", "one@1", "two@1") == []
    assert lines(path, "diff", "one@1", "mira@home@1") == [
        {"op": "replace", "path": "/hp", "value": 3}
    ]
    assert lines(path, "diff", "one", "1", moment(2)) == [
        {"op": "replace", "path": "/hp", "value": 2}
    ]
    for wrong in (("one",), ("one", "two"), ("one@1", "two"), ("one", "1", "2", "3")):
        assert run(path, "diff", *wrong).exit_code == 2
    assert run(path, "diff", "one@1", "none@1").exit_code == 1
    assert run(path, "diff", "one@1", "two@9").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("blame", "nowhere"), 1),
        (("blame", "c", "/nowhere"), 1),
        (("blame", "c", "hp"), 2),
        (("blame", "c", "--at", "99"), 1),
        (("history", "c", "/nowhere"), 1),
        (("history", "c", "hp"), 2),
        (("bisect", "c", "hp <"), 2),
        (("bisect", "c", "hp > `1000`"), 1),
        (("bisect", "c", "abs(note)"), 1),
        (("bisect", "c", "foo(hp)"), 2),
        (("bisect", "c", "party[?foo(hp)].[{a: bar(@)}]"), 2),
        (("bisect", "c", "abs(hp, hp)"), 2),
        (("bisect", "c", "not_null()"), 2),
        (("bisect", "c", "hp", "--from", "5", "--to", "2"), 2),
        (("bisect", "c", "hp", "--from", "5", "--to", moment(2)), 2),
        (("bisect", "c", "hp", "--from", "abc"), 2),
        (("bisect", "c", "hp", "--from", "0"), 1),
        (("bisect", "c", "hp", "--to", "99"), 1),
        (("blame", "c", "--at", "abc"), 2),
        (("diff", "c", "abc", "2"), 2),
        (("diff", "c@1", "d@abc"), 2),
        (("grep", "c", "("), 2),
        (("grep", "nowhere", "x"), 1),
        (("stats", "nowhere"), 1),
        (("tail", "nowhere"), 1),
    ],
)
def test_what_is_refused_is_one_sentence(
    log: Path, arguments: tuple[str, ...], status: int
) -> None:
    result = run(log, *arguments)
    assert result.exit_code == status, result.output
    assert result.stderr
    assert "Traceback" not in result.output


def test_a_sparkline_is_as_wide_as_it_may_be() -> None:
    assert sparkline([1, 1, 1]) == "▁▁▁"
    assert sparkline([0, 7]) == "▁█"
    assert len(sparkline(list(range(1_000)))) == 60
    assert sparkline([1e308, -1e308]) == "█▁"
    assert sparkline([10**400, -(10**400), 0]) == "█▁▅"
    assert sparkline([1e308] * 1_000 + [-1e308] * 1_000) == "█" * 30 + "▁" * 30


def test_numbers_as_large_as_json_has_them_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def make() -> None:
        store = await open_store(path)
        hits = (put("/n", number) for number in (1e308, -1e308, 10**400, 3))
        await Scribe(store).write(create({"n": 0.0}), *hits)
        await store.close()

    asyncio.run(make())
    result = run(path, "history", "c", "/n")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].strip() == "▄▆▁█▄  -1e+308 to 1.00000e+400"
