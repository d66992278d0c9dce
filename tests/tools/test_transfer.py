"""`questlog export` and `import`: a log that comes out goes in again, all of it or nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import lzma
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventstore.lock import WriterLock
from eventstore.sqlite import importing
from eventstore.transfer import Line, line_from
from questlog.campaign.commands import Activate
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tests.tools.stores import run, write
from tests.tools.transfers import exported, refused, rows, staged, taken
from tools.cli import main

HEAD = 9


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    asyncio.run(write(path))
    return path


@pytest.fixture(name="file")
def _file(log: Path, tmp_path: Path) -> Path:
    return exported(log, tmp_path / "c.jsonl")


@pytest.fixture(name="new")
def _new(tmp_path: Path) -> Path:
    return tmp_path / "new.db"


def edited(file: Path, number: int, /, **changes: Any) -> Path:
    """Change members of one event in an exported file."""
    lines = file.read_bytes().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **changes}).encode()
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


def test_an_export_is_a_header_and_an_event_a_line_as_stored(log: Path, file: Path) -> None:
    header, *events = [json.loads(line) for line in file.read_text().splitlines()]
    assert header == {
        "format": "questlog.log.1",
        "campaign_id": "c",
        "after": 0,
        "previous": "0" * 64,
        "version": HEAD,
        "hash": events[-1]["hash"],
    }
    assert [event["version"] for event in events] == list(range(1, HEAD + 1))
    assert events[6]["patch"] == [{"op": "add", "path": "/log/-", "value": {"id": 2**70}}]
    shown = json.loads(run(log, "show", "c", "2", "--json").stdout)
    assert events[1] == shown


def test_what_was_exported_comes_in_again_row_by_row(log: Path, file: Path, new: Path) -> None:
    assert taken(new, str(file))["added"] == HEAD
    for table in ("event", "campaign"):
        assert rows(new, table) == rows(log, table)
    assert run(new, "verify").exit_code == 0
    assert staged(new) == []
    again = run(new, "import", str(file))
    assert (again.exit_code, again.stdout) == (0, f"c is there already, at version {HEAD}\n")


@pytest.mark.parametrize("form", ["plain", "gzip", "xz", "stdin", "stdin gzip", "no last newline"])
def test_a_file_may_be_compressed_or_piped(log: Path, file: Path, new: Path, form: str) -> None:
    text = file.read_bytes()
    packed = text
    if form.endswith("gzip"):
        packed = gzip.compress(text)
    elif form == "xz":
        packed = lzma.compress(text)
    elif form == "no last newline":
        packed = text[:-1]
    result: Result
    if form.startswith("stdin"):
        runner = CliRunner()
        environment = {"QUESTLOG_STORE": url_of(new)}
        result = runner.invoke(main, ["import", "-"], input=packed, env=environment)
    else:
        file.write_bytes(packed)
        result = run(new, "import", str(file))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"c: {HEAD} events, now at version {HEAD}\n"
    assert rows(new) == rows(log)


def test_the_rest_is_appended_to_a_campaign_that_is_there(
    log: Path, file: Path, new: Path, tmp_path: Path
) -> None:
    six = tmp_path / "six.db"
    assert (
        run(log, "restore", str(log), str(six), "--campaign", "c", "--version", "6").exit_code == 0
    )
    taken(new, str(exported(six, tmp_path / "six.jsonl")))
    rest = exported(log, tmp_path / "rest.jsonl", "--after", "4")
    assert json.loads(rest.read_text().splitlines()[0])["previous"] == rows(log)[3][-1]
    done = taken(new, str(rest))
    assert (done["added"], done["version"]) == (3, HEAD)
    assert rows(new) == rows(log)
    assert rows(new, "campaign") == rows(log, "campaign")
    assert taken(six, str(file))["added"] == 3
    assert rows(six) == rows(log)
    # What is there goes on beyond the file: all of the file is in it.
    assert taken(new, str(exported(log, tmp_path / "all.jsonl")))["added"] == 0


def test_a_rest_without_its_beginning_is_refused(log: Path, new: Path, tmp_path: Path) -> None:
    rest = exported(log, tmp_path / "rest.jsonl", "--after", "4")
    code, detail = refused(new, "import", str(rest))
    assert (code, "begins after version 4" in detail) == ("bad_transfer", True)
    assert rows(new) == []


def test_another_campaign_of_that_id_is_left_untouched(file: Path, new: Path) -> None:
    async def make() -> None:
        store = await open_store(new)
        await Scribe(store).write(create(), put("/hp", 99))
        await store.close()

    asyncio.run(make())
    before = rows(new)
    code, detail = refused(new, "import", str(file))
    assert code == "campaign_differs"
    assert "from version 1 on" in detail
    assert (rows(new), staged(new)) == (before, [])
    assert taken(new, str(file), "--as", "c2")["version"] == HEAD
    assert rows(new) == before
    assert run(new, "verify").exit_code == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"patch": [{"op": "add", "path": "/hp", "value": 7}]}, "its hash"),
        ({"meta": {"x": 1}}, "its hash"),
        ({"hash": "0" * 64}, "its hash"),
        ({"version": 5}, "missing"),
        ({"campaign_id": "d"}, "missing"),
        ({"at": "2026-01-02T19:30:00.000Z"}, "before the one before it"),
        ({"at": "yesterday"}, "time"),
        ({"at": "2026-13-45T19:30:00.000Z"}, "cannot be in a log"),
        ({"id": ""}, "1 to 64"),
        ({"kind": "campaign.nonsense"}, "server's own"),
        ({"kind": "campaign.created"}, "anew"),
        ({"actor": {"member": "x\n", "role": "dm"}}, "printable"),
        ({"actor": {"member": "x", "role": "god"}}, "no event"),
        ({"request": "12"}, "digest"),
        ({"data": []}, "cannot be in a log"),
        ({"extra": 1}, "no event"),
    ],
)
def test_a_changed_event_is_found_and_named(
    file: Path, new: Path, changes: dict[str, Any], said: str
) -> None:
    code, detail = refused(new, "import", str(edited(file, 4, **changes)))
    assert code == "bad_transfer"
    assert detail.startswith("Version 4 ")
    assert said in detail
    assert (rows(new), staged(new)) == ([], [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"patch": [{"op": "remove", "path": "/nowhere"}]}, "cannot follow"),
        ({"patch": [{"op": "add", "path": "", "value": 3}]}, "no object"),
        ({"patch": {"op": "add"}}, "cannot follow"),
        ({"schema": 99}, "cannot follow"),
        ({"kind": "visibility.changed", "data": {"visibility": 3}}, "cannot follow"),
        ({"id": "minted-c-3", "actor": {"member": "dm", "role": "dm"}}, "earlier event"),
    ],
)
def test_what_no_rehashing_makes_right_is_refused(
    file: Path, new: Path, changes: dict[str, Any], said: str
) -> None:
    code, detail = refused(new, "import", str(edited(file, 5, **changes)), "--rehash")
    assert code == "bad_transfer"
    assert detail.startswith("Version 5 ")
    assert said in detail
    assert (rows(new), staged(new)) == ([], [])


@pytest.mark.usefixtures("untraced")
def test_a_copy_bomb_is_refused_before_it_is_made(file: Path, new: Path) -> None:
    bomb = [{"op": "copy", "from": "", "path": f"/x{n}"} for n in range(40)]
    detail = refused(new, "import", str(edited(file, 5, patch=bomb)), "--rehash")[1]
    assert detail.startswith("Version 5 cannot follow")


def test_a_changed_log_comes_in_rehashed_where_that_is_asked_for(file: Path, new: Path) -> None:
    edited(file, 3, patch=[{"op": "add", "path": "/hp", "value": 77}])
    assert taken(new, str(file), "--rehash")["version"] == HEAD
    assert run(new, "verify").exit_code == 0
    state = json.loads(run(new, "state", "c", "--at", "3", "--json").stdout)
    assert state["structured_data"]["hp"] == 77


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "does not begin"),
        (b"nonsense\n", "does not begin"),
        (b'{"format":"questlog.log.9"}\n', "does not begin"),
        (b"\xff\xfe\n", "does not begin"),
    ],
)
def test_another_file_is_no_export_and_makes_no_store(
    tmp_path: Path, new: Path, text: bytes, said: str
) -> None:
    (tmp_path / "file").write_bytes(text)
    code, detail = refused(new, "import", str(tmp_path / "file"))
    assert code == "bad_transfer"
    assert said in detail
    assert not new.exists()


def test_a_file_that_is_not_there_says_so(tmp_path: Path, new: Path) -> None:
    code, detail = refused(new, "import", str(tmp_path / "nothing"))
    assert (code, "No such file" in detail) == ("bad_transfer", True)


def test_a_header_that_promises_another_end_is_found_out(file: Path, new: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines, lines[-1]]))
    assert f"goes on after version {HEAD}" in refused(new, "import", str(file))[1]
    header = {**json.loads(lines[0]), "hash": "1" * 64}
    file.write_bytes(json.dumps(header).encode() + b"\n" + b"".join(lines[1:]))
    assert "header speaks of" in refused(new, "import", str(file))[1]
    assert rows(new) == []


def test_empty_lines_at_the_end_are_passed_over(log: Path, file: Path, new: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole + b"\n\r\n  ")
    assert taken(new, str(file))["added"] == HEAD
    assert rows(new) == rows(log)
    file.write_bytes(whole + b"\n" + whole)
    assert "goes on after" in refused(new, "import", str(file))[1]


def test_a_cut_file_is_kept_and_gone_on_with(
    log: Path, file: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def counted(text: bytes, campaign_id: str, version: int, at: str) -> Line:
        looked.append(version)
        return line_from(text, campaign_id, version, at)

    monkeypatch.setattr(importing, "line_from", counted)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    code, detail = refused(new, "import", str(file))
    assert code == "bad_transfer"
    assert "ends at version" in detail
    assert rows(new) == []
    assert len(staged(new)) >= 1
    file.write_bytes(whole)
    assert taken(new, str(file))["added"] == HEAD
    # Nothing that was proved and staged is looked at again.
    assert looked == list(range(1, HEAD + 1))
    assert (rows(new), staged(new)) == (rows(log), [])


def test_going_on_with_another_file_is_noticed(file: Path, new: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    refused(new, "import", str(file), "--rehash")
    file.write_bytes(whole)
    edited(file, 2, meta={"another": True})
    assert "not the file" in refused(new, "import", str(file), "--rehash")[1]
    assert staged(new) == []
    assert taken(new, str(file), "--rehash")["added"] == HEAD


def test_a_seat_is_taken_only_where_it_is_free(log: Path, file: Path, new: Path) -> None:
    async def make() -> None:
        store = await open_store(new)
        await Scribe(store, "other").write(create(), Activate("main"))
        await store.close()

    asyncio.run(make())
    code, detail = refused(new, "import", str(file))
    assert (code, "'other' is active at 'main'" in detail) == ("table_taken", True)
    assert (rows(new), staged(new)) == ([], [])
    done = taken(new, str(file), "--as", "c2")
    assert (done["added"], done["version"], done["left"]) == (HEAD + 1, HEAD + 1, "main")
    assert rows(new, campaign="c2")[-1][3:6] == ("campaign.deactivated", "questlog", "dm")
    assert run(new, "verify").exit_code == 0
    assert taken(new, str(file), "--as", "c2")["added"] == 0


def test_a_store_that_is_served_is_not_imported_into(file: Path, log: Path) -> None:
    lock = WriterLock(log)
    lock.acquire()
    try:
        assert refused(log, "import", str(file))[0] == "store_locked"
    finally:
        lock.release()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("export", "x"), "unknown_campaign"),
        (("export", "c", "--after", "10"), "unknown_version"),
    ],
)
def test_what_cannot_be_says_why(log: Path, arguments: tuple[str, ...], code: str) -> None:
    assert refused(log, *arguments)[0] == code


def test_an_export_of_nothing_more_is_a_header(log: Path, tmp_path: Path) -> None:
    file = exported(log, tmp_path / "rest", "--after", str(HEAD))
    assert len(file.read_text().splitlines()) == 1
    assert taken(log, str(file))["added"] == 0


def test_a_log_with_a_hole_is_not_exported(log: Path) -> None:
    raw = sqlite3.connect(log, isolation_level=None)
    raw.execute("DROP TRIGGER event_never_goes")
    raw.execute("DELETE FROM event WHERE campaign_id = 'c' AND version = 4")
    raw.close()
    result = run(log, "export", "c", "--json")
    assert result.exit_code == 1
    assert "version 4 of 'c' is missing" in result.stderr
