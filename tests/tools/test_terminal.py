"""The reading commands on a terminal, in a pipe, and following a log that grows."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tests.tools.stores import ROOT, run, write


@pytest.fixture(name="log", scope="module")
def _log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "log.db"
    asyncio.run(write(path))
    return path


def on_terminal(path: Path, *arguments: str) -> str:
    """Run the command on a terminal of its own and return what that shows."""
    ours, theirs = pty.openpty()
    plain = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    environment = {**plain, "QUESTLOG_STORE": url_of(path), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "tools", *arguments]
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment
    ) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux says so when the other end of a terminal is closed.
                break
            if not chunk:
                break
            printed += chunk
    os.close(ours)
    assert process.returncode == 0, printed
    return printed.decode()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("campaigns",), "┃"),
        (("log", "c"), "\x1b["),
        (("show", "c", "9"), "\x1b["),
        (("state", "c"), "\x1b["),
        (("verify",), "\x1b["),
    ],
)
def test_a_terminal_gets_colour_and_tables(
    log: Path, arguments: tuple[str, ...], expected: str
) -> None:
    printed = on_terminal(log, *arguments)
    assert expected in printed
    assert "Verifying" not in printed


def test_what_a_title_holds_never_steers_the_terminal(log: Path) -> None:
    printed = on_terminal(log, "campaigns")
    assert "\\x1b[1m" in printed
    assert "Ash\x1b" not in printed


def test_a_long_log_is_verified_under_a_progress_bar(tmp_path: Path) -> None:
    async def make() -> None:
        store = await open_store(tmp_path / "log.db")
        await Scribe(store).write(create(), *(put("/hp", number) for number in range(5000)))
        await store.close()

    asyncio.run(make())
    printed = on_terminal(tmp_path / "log.db", "verify")
    assert "Verifying" in printed
    assert "1 campaign, 5,001 events: intact" in printed
    assert run(tmp_path / "log.db", "verify").output == "1 campaign, 5,001 events: intact\n"


async def test_following_prints_what_is_appended_until_interrupted(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "log.db")
    scribe = Scribe(store)
    await scribe.write(create())
    command = (sys.executable, "-m", "tools", "log", "c", "--follow", "--json")
    follower = await asyncio.create_subprocess_exec(
        *command,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "QUESTLOG_STORE": url_of(tmp_path / "log.db")},
    )
    assert follower.stdout is not None
    for number in range(4):
        line = await asyncio.wait_for(follower.stdout.readline(), 20)
        assert json.loads(line)["version"] == number + 1
        await scribe.write(put("/hp", number))
    follower.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(follower.wait(), 20) == 0
    await store.close()


def test_a_pipe_that_closes_early_ends_it_quietly(tmp_path: Path) -> None:
    async def make() -> None:
        store = await open_store(tmp_path / "log.db")
        await Scribe(store).write(create(), *(put("/log", "x" * 500) for _ in range(400)))
        await store.close()

    asyncio.run(make())
    environment = {**os.environ, "QUESTLOG_STORE": url_of(tmp_path / "log.db")}
    command = [sys.executable, "-m", "tools", "log", "c", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
