"""The commands that read a store: what they print, for people and programs, how they end."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventstore.sqlite.store import SqliteReader
from questlog.document import apply
from server.bodies import CampaignSummary, StateAnswer
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tests.tools.stores import run, write

HEAD = 9


@pytest.fixture(name="log", scope="module")
def _log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "log.db"
    asyncio.run(write(path))
    return path


def lines(path: Path, *arguments: str) -> list[Any]:
    """Run the command with --json and return what it prints, one value a line."""
    result = run(path, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def versions(path: Path, *arguments: str) -> list[int]:
    """Return the versions that `log c` prints."""
    return [event["version"] for event in lines(path, "log", "c", *arguments)]


def test_campaigns_have_the_shape_they_have_over_http(log: Path) -> None:
    found = lines(log, "campaigns")
    assert [each["campaign_id"] for each in found] == ["c", "d"]
    assert [list(each) for each in found] == [list(CampaignSummary.__struct_fields__)] * 2
    assert found[0]["position"] == lines(log, "state", "c")[0]["position"]


def test_campaigns_are_columns_without_control_characters(log: Path) -> None:
    head, first, _ = run(log, "campaigns").stdout.splitlines()
    assert head.split("\t") == ["campaign", "title", "version", "table", "created", "last event"]
    assert first.split("\t")[:4] == ["c", "Ash\\x1b[1m", "9", "main"]


def test_an_empty_store_lists_nothing_and_succeeds(tmp_path: Path) -> None:
    async def make() -> None:
        await (await open_store(tmp_path / "empty.db")).close()

    asyncio.run(make())
    assert lines(tmp_path / "empty.db", "campaigns") == []
    assert run(tmp_path / "empty.db", "verify").stdout == "0 campaigns, 0 events: intact\n"


def test_the_log_prints_events_as_the_contract_shapes_them(log: Path) -> None:
    events = lines(log, "log", "c")
    assert [event["version"] for event in events] == list(range(1, HEAD + 1))
    assert list(events[6]) == [
        *("campaign_id", "version", "id", "kind", "actor", "at", "patch", "data", "meta"),
        *("request", "schema", "hash"),
    ]
    assert events[6]["patch"] == [{"op": "add", "path": "/log/-", "value": {"id": 2**70}}]
    assert events[6]["actor"] == {"member": "mira", "role": "player"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--kind", "hit"), [2, 3, 4, 5, 6]),
        (("--kind", "hit", "--limit", "2"), [2, 3]),
        (("--actor", "mira"), [7]),
        (("--actor", "player"), [7]),
        (("--actor", "nobody"), []),
        (("--after", "7"), [8, 9]),
        (("--limit", "0"), []),
        (("--since", "2026-01-02T19:30:08Z"), [8, 9]),
        (("--since", "2026-01-02T20:30:08.000+01:00"), [8, 9]),
        (("--until", "2026-01-02T19:30:02Z"), [1, 2]),
        (("--since", "2026-01-03"), []),
        (("--path", "/log"), [1, 7, 9]),
        (("--path", "/log/0/id"), [1, 7, 9]),
        (("--path", "/dm/note"), [1, 9]),
        (("--path", "/hp"), [1, 2, 3, 4, 5, 6]),
        (("--reverse", "--limit", "3"), [9, 8, 7]),
        (("--reverse", "--after", "7"), [9, 8]),
        (("--reverse", "--since", "2026-01-02T19:30:07Z"), [9, 8, 7]),
        (("--reverse", "--kind", "hit", "--until", "2026-01-02T19:30:03Z"), [3, 2]),
    ],
)
def test_the_log_is_filtered(log: Path, arguments: tuple[str, ...], expected: list[int]) -> None:
    assert versions(log, *arguments) == expected


def test_a_log_of_many_chunks_is_whole_in_both_directions(tmp_path: Path) -> None:
    async def make() -> None:
        store = await open_store(tmp_path / "log.db")
        await Scribe(store).write(create(), *(put("/hp", number) for number in range(199)))
        await store.close()

    asyncio.run(make())
    assert versions(tmp_path / "log.db") == list(range(1, 201))
    assert versions(tmp_path / "log.db", "--reverse") == list(range(200, 0, -1))


def test_the_log_is_one_line_an_event_for_people(log: Path) -> None:
    printed = run(log, "log", "c").stdout.splitlines()
    assert len(printed) == HEAD
    assert printed[0].split() == [
        *("1", "2026-01-02T19:30:01.000Z", "campaign.created", "dm", "(whole", "document)")
    ]
    assert printed[-1].endswith("/note /dm /log/0 and 1 more")


def test_show_is_the_event_itself_for_programs(log: Path) -> None:
    (event,) = lines(log, "show", "c", "9")
    assert event == lines(log, "log", "c", "--after", "8")[0]


def test_show_tells_what_went_and_what_came_for_people(log: Path) -> None:
    printed = run(log, "show", "c", "9").stdout.splitlines()
    assert "kind     scene.changed" in printed
    assert 'meta     {"a":1}' in printed
    note = "n" * 90
    assert printed[-8:] == [
        "  test /hp: 4",
        f'- /dm/note: "{note}"',
        f'+ /note: "{note}"',
        "- /dm: {}",
        f'+ /log/0: {{"id":{2**70}}}',
        f"- /log/1/id: {2**70}",
        "+ /log/1/id: 1",
        "+ /log/1/x: 2",
    ]


def test_show_of_the_first_event_prints_the_document(log: Path) -> None:
    assert "+ /hp: 10" in run(log, "show", "c", "1").stdout.splitlines()


def test_state_has_the_shape_it_has_over_http(log: Path) -> None:
    (answer,) = lines(log, "state", "c", "--at", "3")
    assert list(answer) == list(StateAnswer.__struct_fields__)
    assert answer["version"] == 3
    assert answer["structured_data"] == {"hp": 1, "log": [], "dm": {"note": "n" * 90}}


def test_state_is_json_for_people_too(log: Path) -> None:
    text = run(log, "state", "c", "--at", "1").stdout
    assert json.loads(text)["hp"] == 10
    assert text.startswith('{\n  "hp": 10,\n')


def test_state_takes_a_part_of_the_document(log: Path) -> None:
    assert run(log, "state", "c", "--path", "/log/1/x").stdout == "2\n"
    (answer,) = lines(log, "state", "c", "--path", "/log/1/x")
    assert (answer["path"], answer["value"], answer["version"]) == ("/log/1/x", 2, HEAD)


@pytest.mark.parametrize(("a", "b"), [(2, 9), (9, 2), (0, 1), (4, 4)])
def test_diff_prints_the_operations_that_lead_from_one_to_the_other(
    log: Path, a: int, b: int
) -> None:
    old, new = (
        lines(log, "state", "c", "--at", str(v))[0]["structured_data"] if v else {} for v in (a, b)
    )
    assert apply(old, lines(log, "diff", "c", str(a), str(b))) == new


def test_diff_is_lines_by_pointer_for_people(log: Path) -> None:
    assert run(log, "diff", "c", "2", "6").stdout.splitlines() == ["- /hp: 0", "+ /hp: 4"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("log", "nobody"), "unknown_campaign"),
        (("show", "nobody", "1"), "unknown_campaign"),
        (("show", "c", "99"), "unknown_version"),
        (("state", "nobody"), "unknown_campaign"),
        (("state", "c", "--at", "99"), "unknown_version"),
        (("state", "c", "--path", "/nothing"), "invalid"),
        (("diff", "c", "1", "99"), "unknown_version"),
        (("diff", "nobody", "0", "0"), "unknown_campaign"),
        (("verify", "nobody"), "unknown_campaign"),
    ],
)
def test_what_is_not_there_is_status_1_and_a_sentence(
    log: Path, arguments: tuple[str, ...], code: str
) -> None:
    result = run(log, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    result = run(log, *arguments, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    problem = json.loads(result.stderr)
    assert problem["code"] == code
    assert problem["detail"].endswith(".")


@pytest.mark.parametrize(
    "arguments",
    [
        ("log", "c", "--since", "yesterday"),
        ("log", "c", "--path", "hp"),
        ("log", "c", "--follow", "--reverse"),
        ("state", "c", "--path", "/~2"),
        ("state", "c", "--as", "wiz"),
        ("state", "c", "--at", "abc"),
        ("import", "-", "--as", "no/such name"),
        ("show", "c", "0"),
        ("show", "c", "one"),
    ],
)
def test_wrong_usage_is_status_2(log: Path, arguments: tuple[str, ...]) -> None:
    result = run(log, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


@pytest.mark.parametrize("command", ["campaigns", "verify", "migrate"])
def test_a_missing_store_is_said_and_not_made(tmp_path: Path, command: str) -> None:
    result = run(tmp_path / "none.db", command, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["code"] == "no_store"
    assert not (tmp_path / "none.db").exists()


def test_verify_says_that_all_is_intact(log: Path) -> None:
    assert run(log, "verify").stdout == "2 campaigns, 10 events: intact\n"
    assert run(log, "verify", "d").stdout == "1 campaign, 1 event: intact\n"
    assert lines(log, "verify") == []


def test_verify_prints_what_it_finds_and_ends_with_1(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    asyncio.run(write(path))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER event_never_changes")
    connection.execute("UPDATE event SET meta = '[]' WHERE campaign_id = 'c' AND version = 4")
    connection.close()
    result = run(path, "verify", "--json")
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["campaign_id"], each["code"], each["version"]) for each in found] == [
        ("", "schema_changed", None),
        ("c", "hash_mismatch", 4),
    ]
    printed = run(path, "verify").stdout.splitlines()
    assert printed[0].startswith("(store): schema_changed: ")
    assert printed[1].startswith("c version 4: hash_mismatch: ")


def test_a_damaged_log_is_said_with_the_way_to_find_out_more(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    asyncio.run(write(path))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER event_never_goes")
    connection.execute("DELETE FROM event WHERE campaign_id = 'c' AND version = 4")
    connection.close()
    result = run(path, "state", "c")
    assert result.exit_code == 1
    assert "questlog verify" in result.stderr


def test_migrate_prints_the_record(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    asyncio.run(write(path))
    record, *later = lines(path, "migrate")
    assert list(record) == ["number", "name", "sha256", "at"]
    assert (record["number"], record["name"]) == (1, "log")
    assert [each["name"] for each in later] == ["turns"]
    assert run(path, "migrate").stdout.splitlines()[1].split("\t")[:2] == ["1", "log"]


async def test_reading_works_while_the_store_is_written(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "log.db")
    scribe = Scribe(store)
    await scribe.write(create())
    for number in range(3):
        await scribe.write(put("/hp", number))
        result = await asyncio.to_thread(run, tmp_path / "log.db", "state", "c", "--path", "/hp")
        assert result.stdout == f"{number}\n"
    locked = await asyncio.to_thread(run, tmp_path / "log.db", "migrate", "--json")
    assert json.loads(locked.stderr)["code"] == "store_locked"
    await store.close()


def test_following_ends_at_the_limit(log: Path) -> None:
    assert versions(log, "--follow", "--limit", "2") == [1, 2]


async def test_the_event_printed_is_the_one_stored(log: Path) -> None:
    reader = await SqliteReader.open(url_of(log))
    events = await reader.read("c")
    await reader.close()
    printed = (await asyncio.to_thread(run, log, "log", "c", "--json")).stdout.splitlines()
    assert printed == [msgspec.json.encode(event).decode() for event in events]


def test_many_campaigns_are_verified_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.db"

    async def make() -> None:
        store = await open_store(path)
        for name in ("a", "b", "c"):
            await Scribe(store, name).write(create(), *(put("/hp", n) for n in range(9)))
        await store.close()

    asyncio.run(make())
    monkeypatch.setattr("tools.maintenance.MANY", 1)
    monkeypatch.setattr("eventstore.sqlite.proving.processors", lambda: 2)
    monkeypatch.setattr("tools.maintenance.processors", lambda: 2)
    result = run(path, "verify")
    assert (result.exit_code, result.stdout) == (0, "3 campaigns, 30 events: intact\n")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER event_never_changes")
    connection.execute("UPDATE event SET patch = '[]' WHERE campaign_id = 'b' AND version = 4")
    connection.execute("UPDATE event SET meta = '{}x' WHERE campaign_id = 'a' AND version = 7")
    connection.close()
    result = run(path, "verify", "--json")
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["campaign_id"], each["code"], each["version"]) for each in found] == [
        ("", "schema_changed", None),
        ("a", "hash_mismatch", 7),
        ("b", "hash_mismatch", 4),
    ]
