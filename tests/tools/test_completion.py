"""Completion: what a shell is offered, as a shell asks for it."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from questlog.campaign.commands import Activate, Suggest
from questlog.campaign.events import Actor
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tests.support.server import ROOT
from tests.tools.stores import run, write
from tools.cli import COMMANDS


@pytest.fixture(name="log", scope="module")
def _log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "log.db"
    asyncio.run(write(path))
    return path


def offered(path: Path, *words: str) -> list[str]:
    """Return what bash is offered for the last of these words, and see that nothing is said."""
    line = " ".join(("questlog", *words))
    environment = {
        **os.environ,
        "_QUESTLOG_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
        "QUESTLOG_STORE": url_of(path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tools"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=ROOT,
    )
    assert done.stderr == ""
    return [each.partition(",")[2] for each in done.stdout.splitlines() if each]


def test_commands_are_offered(log: Path) -> None:
    assert set(offered(log, "re")) == {name for name in COMMANDS if name.startswith("re")}
    assert offered(log, "") == list(COMMANDS)
    assert offered(log, "nothing-like-it") == []


def test_options_are_offered(log: Path) -> None:
    assert "--preview" in offered(log, "rewind", "--p")


def test_campaigns_of_the_store_are_offered(log: Path) -> None:
    assert offered(log, "rewind", "") == ["c", "d"]
    assert offered(log, "rewind", "d") == ["d"]
    assert offered(log, "rewind", "x") == []


def test_an_id_that_a_shell_would_obey_is_not_offered(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def make() -> None:
        store = await open_store(path)
        for name in ("bell", "$(reboot)", "`reboot`", "a;b", "a&b", "*", "~", "the-bell.2", "Łódź"):
            await Scribe(store, name).write(create())
        await store.close()

    asyncio.run(make())
    assert offered(path, "rewind", "") == ["bell", "the-bell.2", "Łódź"]


def test_a_store_named_on_the_line_counts(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "none.db"
    assert offered(other, "rewind", "--store", url_of(log), "") == ["c", "d"]


@pytest.mark.parametrize("content", [None, b"no store at all, only a diary", b""])
def test_where_there_is_no_store_nothing_is_offered_or_said(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "log.db"
    if content is not None:
        path.write_bytes(content)
    assert offered(path, "rewind", "") == []
    assert path.exists() == (content is not None)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(log: Path, shell: str) -> None:
    result = run(log, "completion", shell)
    assert result.exit_code == 0
    assert "_QUESTLOG_COMPLETE" in result.stdout
    assert run(log, "completion", "csh").exit_code == 2


@pytest.mark.parametrize(
    ("command", "begin", "expected"),
    [
        ("state", "", ["dm", "player", "spectator", "player:mira", "player:tobin"]),
        ("state", "pl", ["player", "player:mira", "player:tobin"]),
        ("replay", "player:m", ["player:mira"]),
        ("recap", "player:x", []),
    ],
)
def test_viewers_are_offered(people: Path, command: str, begin: str, expected: list[str]) -> None:
    assert offered(people, command, "c", "--as", begin) == expected


def test_players_and_tables_are_offered(people: Path) -> None:
    assert offered(people, "members", "remove", "c", "") == ["mira", "tobin"]
    assert offered(people, "members", "remove", "other", "") == []
    assert offered(people, "watch", "--table", "") == ["attic"]
    assert offered(people, "watch", "--campaign", "") == ["c"]


@pytest.fixture(name="people", scope="module")
def _people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("people") / "log.db"

    async def make() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        await scribe.write(create(), Activate("attic"))
        await scribe.write(Suggest("s", "mira", "Hm."), actor=Actor("mira", "player"))
        await scribe.write(put("/hp", 1), actor=Actor("zoe", "dm"))
        await store.close()

    asyncio.run(make())
    assert run(path, "members", "add", "c", "tobin").exit_code == 0
    assert run(path, "members", "add", "c", "odd$(reboot)").exit_code == 0
    return path


def test_a_locked_store_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    asyncio.run(write(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        assert offered(path, "rewind", "") == []


def test_completing_leaves_nothing_beside_the_store(log: Path) -> None:
    before = sorted(log.parent.iterdir())
    assert offered(log, "rewind", "") == ["c", "d"]
    assert sorted(log.parent.iterdir()) == before


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "words", "expected"),
    [
        ("rewind ", ["rewind", ""], ["c", "d"]),
        # As bash cuts them: at : and =, and the last piece is what it puts its offer in place of.
        (
            "rewind --store sqlite:///{0} d",
            ["rewind", "--store", "sqlite", ":", "///{0}", "d"],
            ["d"],
        ),
        (
            "rewind --store=sqlite:///{0} ",
            ["rewind", "--store", "=", "sqlite", ":", "///{0}", ""],
            ["c", "d"],
        ),
        ("state c --as player:t", ["state", "c", "--as", "player", ":", "t"], ["tobin"]),
        ("state c --as=player:m", ["state", "c", "--as", "=", "player", ":", "m"], ["mira"]),
        ("state c --as player:", ["state", "c", "--as", "player", ":"], ["mira", "tobin"]),
    ],
)
def test_bash_itself_completes(
    log: Path, people: Path, tmp_path: Path, line: str, words: list[str], expected: list[str]
) -> None:
    here = tmp_path / "questlog"
    here.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tools\n")
    here.chmod(0o755)
    script = run(log, "completion", "bash").stdout
    named = "{0}" in line
    cut = " ".join(shlex.quote(word.format(log)) for word in ("questlog", *words))
    # What bash calls when a person presses the key.
    asked = f"""
    {script}
    COMP_LINE={shlex.quote("questlog " + line.format(log))}
    COMP_WORDS=({cut}) COMP_CWORD={len(words)}
    _questlog_completion {shlex.quote(str(here))}
    echo "${{COMPREPLY[@]}}"
    """
    store = people.parent / "none.db" if named else people if "--as" in line else log
    done = subprocess.run(
        ["bash", "-c", asked],
        env={**os.environ, "QUESTLOG_STORE": url_of(store)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=ROOT,
    )
    assert done.stdout.split() == expected, done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_what_bash_is_given_is_a_word_and_no_command(log: Path, tmp_path: Path) -> None:
    fake = tmp_path / "questlog"
    fake.write_text("#!/bin/sh\nprintf '%s\\n' 'plain,$(reboot)' 'plain,a;b' 'plain,m,'\n")
    fake.chmod(0o755)
    script = run(log, "completion", "bash").stdout
    asked = f"{script}\nCOMP_LINE='q l ' COMP_WORDS=(q l '') COMP_CWORD=2\n" + (
        '_questlog_completion "$0"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", asked, str(fake)], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines() == [r"\$\(reboot\)", r"a\;b", r"m\,"]
