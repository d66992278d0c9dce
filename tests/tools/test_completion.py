"""Completion: what a shell is offered, as a shell asks for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventstore.scribe import Scribe, create, open_store, url_of
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


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_completes(log: Path) -> None:
    script = run(log, "completion", "bash").stdout
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # What bash calls when a person presses the key.
    asked = f"""
    {script}
    COMP_WORDS=(questlog rewind "") COMP_CWORD=2
    _questlog_completion questlog
    echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", asked],
        env={**os.environ, "PATH": path, "QUESTLOG_STORE": url_of(log)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=ROOT,
    )
    assert done.stdout.split() == ["c", "d"], done.stderr
