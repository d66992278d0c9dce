"""`questlog backup` and `restore`: of one moment, proved, never over a file, nothing half-made."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventstore.errors import TargetExistsError
from eventstore.sqlite import copying
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.commands import Activate, Deactivate
from server.access.file import AccessFile
from tests.eventstore.scribe import Scribe, create, filled, open_store, put, url_of
from tests.support.server import ROOT, Served, activate, command, state
from tests.support.server import create as created
from tests.tools.stores import run, write
from tools.backup import BEHIND

PRIORITIES = """
import os
from tools.backup import step_back
for further in (0, 0, 5):
    os.nice(further)
    step_back()
    print(os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.fixture(autouse=True)
def _stay_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as all other tests do, that come after in this process too."""
    monkeypatch.setattr("tools.backup.step_back", lambda: None)


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    asyncio.run(write(path))
    return path


def rows(path: Path, table: str) -> list[Any]:
    """Return all of a table, by its first columns."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
    finally:
        connection.close()


def refused(path: Path, *arguments: str) -> str:
    """Run the command, which must refuse, and return the code it gives."""
    result = run(path, *arguments, "--json")
    assert result.exit_code == 1, result.output
    code: str = json.loads(result.stderr)["code"]
    return code


async def add_access(path: Path) -> list[Any]:
    """Give the store an access file, and return its keys."""
    access = await AccessFile.open(url_of(path))
    keys = await access.keys()
    await access.close()
    return list(keys)


def test_a_backup_is_the_store_with_its_access_file_and_private(log: Path, tmp_path: Path) -> None:
    keys = asyncio.run(add_access(log))
    copy = tmp_path / "copy.db"
    old = os.umask(0)
    try:
        result = run(log, "backup", str(copy), "--json")
    finally:
        os.umask(old)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said == {
        "file": str(copy),
        "access": f"{copy}.access",
        "campaigns": 2,
        "events": 10,
        "size": copy.stat().st_size,
    }
    for table in ("event", "campaign", "snapshot", "store", "migration"):
        assert rows(copy, table) == rows(log, table)
    assert asyncio.run(add_access(copy)) == keys
    made = sorted(path for path in tmp_path.iterdir() if path.name.startswith("copy"))
    assert [path.name for path in made] == ["copy.db", "copy.db.access"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert run(copy, "verify").exit_code == 0


def test_a_backup_of_a_store_nobody_has_seats_at_is_one_file(log: Path, tmp_path: Path) -> None:
    result = run(log, "backup", str(tmp_path / "copy.db"))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path}/copy.db: 2 campaigns, 10 events, intact\n"
    assert not (tmp_path / "copy.db.access").exists()


@pytest.mark.parametrize("there", ["copy.db", "copy.db.access", "copy.db-wal"])
def test_nothing_is_written_over(log: Path, tmp_path: Path, there: str) -> None:
    asyncio.run(add_access(log))
    (tmp_path / there).write_text("mine")
    before = sorted(os.listdir(tmp_path))
    assert refused(log, "backup", str(tmp_path / "copy.db")) == "target_exists"
    assert refused(log, "restore", str(log), str(tmp_path / "copy.db")) == "target_exists"
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / there).read_text() == "mine"


def test_a_name_taken_while_the_copy_was_made_is_not_taken_over(tmp_path: Path) -> None:
    target = tmp_path / "copy.db"

    def make() -> None:
        with copying.unfinished(target) as made:
            made.write_text("ours")
            target.write_text("theirs")

    with pytest.raises(TargetExistsError):
        make()
    assert target.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["copy.db"]


@pytest.mark.parametrize(
    ("store", "target", "code"),
    [
        ("missing.db", "copy.db", "no_store"),
        ("text", "copy.db", "not_a_store"),
        ("log.db", "nowhere/copy.db", "store_read_only"),
        ("log.db", ".", "target_exists"),
    ],
)
def test_what_cannot_be_copied_says_why(
    log: Path, tmp_path: Path, store: str, target: str, code: str
) -> None:
    (tmp_path / "text").write_text("no store, and longer than the header of one" * 9)
    before = sorted(os.listdir(tmp_path))
    assert refused(tmp_path / store, "backup", str(tmp_path / target)) == code
    assert refused(log, "restore", str(tmp_path / store), str(tmp_path / target)) == code
    assert sorted(os.listdir(tmp_path)) == before


def test_a_damaged_store_has_no_backup_but_can_be_restored_from_before(tmp_path: Path) -> None:
    log = tmp_path / "log.db"

    async def make() -> None:
        (await filled(log)).close()

    asyncio.run(make())
    raw = sqlite3.connect(log, isolation_level=None)
    raw.execute("DROP TRIGGER event_never_changes")
    raw.execute("UPDATE event SET patch = replace(patch, '2', '3') WHERE version = 3")
    raw.execute(
        "CREATE TRIGGER event_never_changes BEFORE UPDATE ON event\n"
        "BEGIN\n    SELECT RAISE(ABORT, 'events are never changed');\nEND"
    )
    raw.close()
    copy = tmp_path / "copy.db"
    result = run(log, "backup", str(copy))
    assert result.exit_code == 1
    assert "c version 3, hash_mismatch" in result.stderr
    assert refused(log, "restore", str(log), str(copy)) == "damaged_copy"
    assert not list(tmp_path.glob("*copy*"))
    two = ("--campaign", "c", "--version", "2")
    assert run(log, "restore", str(log), str(copy), *two).exit_code == 0
    assert run(copy, "verify").exit_code == 0


def test_a_damaged_access_file_fails_the_backup_and_leaves_nothing(
    log: Path, tmp_path: Path
) -> None:
    (tmp_path / "log.db.access").write_text("keys, once " * 99)
    assert refused(log, "backup", str(tmp_path / "copy.db")) == "unreadable"
    assert not list(tmp_path.glob("*copy*"))


async def test_a_writer_neither_waits_for_a_backup_nor_makes_it_begin_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "log.db", tmp_path / "copy.db"
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create({"text": "a" * 200_000}))
    pages = (await store.extent()).size // 4096
    writer = sqlite3.connect(path, isolation_level=None)
    seen: list[int] = []

    class Watched(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **kept: Any) -> None:
            def progress(status: int, left: int, total: int) -> None:
                seen.append(left)
                writer.execute("UPDATE store SET created_at = created_at || '!'")

            super().backup(target, pages=4, progress=progress)

    connect = sqlite3.connect

    def watched(database: Any, **settings: Any) -> sqlite3.Connection:
        return connect(database, factory=Watched, **settings)

    monkeypatch.setattr(sqlite3, "connect", watched)
    with copying.unfinished(copy) as made:
        copying.copy_pages(path, made)
    monkeypatch.undo()
    writer.close()
    await store.close()
    assert len(seen) > 10, pages
    assert seen == sorted(seen, reverse=True)
    assert not rows(copy, "store")[0][3].endswith("!")
    assert rows(path, "store")[0][3].endswith("!" * len(seen))


async def test_an_interrupted_backup_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create())
    for _ in range(60):
        await scribe.write(*(put("/log/-", "a" * 40) for _ in range(500)))
    await store.close()
    process = await command("backup", str(tmp_path / "copy.db"), "--store", url_of(path))
    while not any("copy" in name for name in os.listdir(tmp_path)):
        assert process.returncode is None
        await asyncio.sleep(0.002)
    process.send_signal(signal.SIGINT)
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, output) == (130, b""), errors
    assert b"Traceback" not in errors
    assert not any("copy" in name for name in os.listdir(tmp_path))


async def test_a_store_is_backed_up_while_it_is_served(tmp_path: Path) -> None:
    path, copy = tmp_path / "log.db", tmp_path / "copy.db"
    async with Served.start(path) as served:
        await created(served.url, "c", {"hp": 1})
        await activate(served.url, "c")
        process = await command("backup", str(copy), "--store", url_of(path))
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, errors
        assert b"1 campaign, 2 events, intact" in output
        # What the server wrote is in its WAL still, and in the copy.
        assert (await state(served.url, "c"))["version"] == 2
    async with Served.start(copy) as served:
        assert (await state(served.url, "c"))["structured_data"] == {"hp": 1}


async def _evening(path: Path) -> None:
    """Write `c`, seated at `main` from version 3 to 5 and then again; `d`, begun later."""
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create(title="Ash"), put("/hp", 1))
    await scribe.snapshot()
    await scribe.write(Activate("main"), put("/hp", 2), Deactivate())
    other = Scribe(store, "d")
    other.state = other.state.__class__(campaign_id="d")
    await other.write(create(), Activate("main"), Deactivate())
    await scribe.write(put("/hp", 3))
    await scribe.snapshot()
    await scribe.write(Activate("main"), put("/hp", 4))
    await store.close()


def _at(second: int) -> str:
    return f"2026-01-02T19:30:{second:02}Z"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--at", _at(4)), {"c": (4, "main"), "d": (3, None)}),
        (("--at", "2026-01-02T19:30:05.999Z"), {"c": (5, None), "d": (3, None)}),
        (("--at", "2027-01-01"), {"c": (8, "main"), "d": (3, None)}),
        (("--at", _at(0)), {}),
        (("--campaign", "c", "--version", "4"), {"c": (4, "main")}),
        (("--campaign", "c", "--version", "1"), {"c": (1, None)}),
        (("--campaign", "c", "--at", _at(7)), {"c": (7, "main")}),
        (("--campaign", "c"), {"c": (8, "main")}),
    ],
)
def test_a_store_is_restored_as_it_was(
    tmp_path: Path, options: tuple[str, ...], expected: dict[str, tuple[int, str | None]]
) -> None:
    path, new = tmp_path / "log.db", tmp_path / "new.db"
    asyncio.run(_evening(path))
    result = run(path, "restore", str(path), str(new), *options)
    assert result.exit_code == 0, result.output
    assert run(new, "verify").exit_code == 0
    assert rows(new, "store") == rows(path, "store")
    versions = {name: head for name, (head, _) in expected.items()}
    assert rows(new, "event") == [
        row for row in rows(path, "event") if row[1] <= versions.get(row[0], 0)
    ]
    assert rows(new, "snapshot") == [
        row for row in rows(path, "snapshot") if row[1] <= versions.get(row[0], 0)
    ]

    async def found() -> dict[str, tuple[int, str | None]]:
        reader = await SqliteReader.open(url_of(new))
        try:
            there = await reader.campaigns()
            assert [each.title for each in there if each.campaign_id == "c"] == ["Ash"] * (
                "c" in expected
            )
            for each in there:
                loaded = await reader.load(each.campaign_id)
                assert loaded is not None
                assert each.last_at == loaded.state.last_at
                assert each.created_at == loaded.state.created_at
            return {each.campaign_id: (each.version, each.table) for each in there}
        finally:
            await reader.close()

    assert asyncio.run(found()) == expected
    assert sorted(os.listdir(tmp_path)) == ["log.db", "log.db.lock", "new.db"]


def test_a_whole_restore_has_everything_and_takes_the_access_file_along(
    log: Path, tmp_path: Path
) -> None:
    keys = asyncio.run(add_access(log))
    new = tmp_path / "new.db"
    assert run(log, "restore", str(log), f"sqlite:///{new}").exit_code == 0
    for table in ("event", "campaign", "snapshot", "store"):
        assert rows(new, table) == rows(log, table)
    assert asyncio.run(add_access(new)) == keys


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--campaign", "x"), "unknown_campaign"),
        (("--campaign", "c", "--version", "10"), "unknown_version"),
        (("--campaign", "c", "--at", "2020-01-01"), "unknown_version"),
    ],
)
def test_what_was_never_there_cannot_be_restored(
    log: Path, tmp_path: Path, options: tuple[str, ...], code: str
) -> None:
    assert refused(log, "restore", str(log), str(tmp_path / "new.db"), *options) == code
    assert not list(tmp_path.glob("*new*"))


@pytest.mark.parametrize(
    "options",
    [
        ("--version", "3"),
        ("--campaign", "c", "--version", "3", "--at", "2026-01-02"),
        ("--campaign", "c", "--version", "0"),
        ("--at", "yesterday"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(
    log: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    assert run(log, "restore", str(log), str(tmp_path / "new.db"), *options).exit_code == 2


def test_a_store_that_cannot_be_written_can_be_backed_up(log: Path, tmp_path: Path) -> None:
    log.chmod(0o400)
    assert run(log, "backup", str(tmp_path / "copy.db")).exit_code == 0
    assert rows(tmp_path / "copy.db", "event") == rows(log, "event")


def test_a_backup_lets_all_else_go_first_and_is_never_brought_forward() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PRIORITIES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert [int(line) for line in said.stdout.split()] == [BEHIND, BEHIND, BEHIND + 5]
