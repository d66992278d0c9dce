"""`questlog replay`: in a pipe, and on a terminal with keys."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.commands import Decide, Suggest, TakeLease
from questlog.campaign.events import Actor
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tests.tools.stores import ROOT, run, write

PATIENCE = 20.0


@pytest.fixture(name="log", scope="module")
def _log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "log.db"
    asyncio.run(write(path))
    return path


def told(path: Path, *arguments: str) -> list[Any]:
    result = run(path, "replay", "c", "--speed", "max", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_is_a_message_a_line_as_over_http(log: Path) -> None:
    messages = told(log)
    assert [message["type"] for message in messages] == [
        "campaign_active",
        "replay",
        *["campaign_updated"] * 8,
        "replay",
    ]
    assert [m["base"] for m in messages if "base" in m] == list(range(1, 9))
    assert messages[-1]["ended"] is True


def test_a_player_is_shown_what_a_player_saw(log: Path) -> None:
    assert "nnnnn" in json.dumps(told(log, "--to", "8"))
    assert "nnnnn" not in json.dumps(told(log, "--as", "player:mira", "--to", "8"))


def test_a_part_by_versions_or_moments(log: Path) -> None:
    assert [m["version"] for m in told(log, "--from", "3", "--to", "4")] == [3, 3, 4, 4]
    at = told(log, "--from", "6", "--to", "6")[0]["timestamp"]
    assert told(log, "--from", at)[0]["version"] == 6
    assert told(log, "--from", "2000-01-01", "--to", "1")[0]["version"] == 1
    assert [m["version"] for m in told(log, "--to", "2000-01-01")] == [1, 1]


def test_people_are_shown_what_changed(log: Path) -> None:
    result = run(log, "replay", "c", "--speed", "max", "--to", "3")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "snapshot" in lines[0]
    assert "hit" in lines[1]
    assert lines[2:4] == ["         - /hp: 10", "         + /hp: 0"]
    assert "\x1b" not in result.stdout


def test_people_are_shown_what_was_proposed(tmp_path: Path) -> None:
    path = tmp_path / "q.db"

    async def propose() -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        mira = Actor("mira", "player")
        await scribe.write(create())
        await scribe.write(Suggest("s", "mira", "I wedge \x1b the door."), id="s", actor=mira)
        await scribe.write(TakeLease(), Decide("s", "mira", "dismissed", "No."))
        await store.close()

    asyncio.run(propose())
    for viewer in ("dm", "player:mira"):
        text = run(path, "replay", "c", "--speed", "max", "--as", viewer).stdout
        assert "         pending   mira: I wedge \\x1b the door." in text.splitlines()
        assert text.splitlines()[-1].endswith("dismissed mira: I wedge \\x1b the door. - No.")
    assert "wedge" not in run(path, "replay", "c", "--speed", "max", "--as", "player").stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("replay", "nowhere"), 1),
        (("replay", "c", "--from", "99"), 1),
        (("replay", "c", "--to", "0"), 1),
        (("replay", "c", "--from", "5", "--to", "3"), 2),
        (("replay", "c", "--from", "5", "--to", "2000-01-01"), 2),
        (("replay", "c", "--from", "2026-01-03", "--to", "2026-01-02"), 2),
        (("replay", "c", "--as", "goblin"), 2),
        (("replay", "c", "--from", "yesterday"), 2),
        (("replay", "c", "--speed", "0.001"), 2),
        (("replay", "c", "--speed", "fast"), 2),
        (("replay", "c", "--gap", "-1"), 2),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    log: Path, arguments: tuple[str, ...], status: int
) -> None:
    result = run(log, *arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    assert result.stderr


class Terminal:
    """A terminal of its own, on which the command runs."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._shown = ""

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    def until(self, text: str) -> str:
        """Return what is shown until and with a text; what is after it is for the next call."""
        end = time.monotonic() + PATIENCE
        while text not in self._shown:
            left = end - time.monotonic()
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, left))
            assert ready, f"{text!r} is not in {self._shown!r}"
            self._shown += os.read(self._descriptor, 65536).decode()
        before, found, self._shown = self._shown.partition(text)
        return before + found


@contextmanager
def on_terminal(path: Path, *arguments: str) -> Iterator[Terminal]:
    """Run the command on a terminal, and see that it gives that back as it was."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    plain = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    environment = {**plain, "QUESTLOG_STORE": url_of(path), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tools", "replay", "c", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env=environment,
    )
    try:
        yield Terminal(process, ours)
        assert process.wait(PATIENCE) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_keys_step_and_go_back_and_quit(log: Path) -> None:
    with on_terminal(log, "--speed", "0.01", "--gap", "3600") as terminal:
        terminal.until("1/9  playing x0.01")
        terminal.press("n")
        assert "/hp: 0" in terminal.until("2/9  paused")
        terminal.press("\x1b[C")
        terminal.until("3/9  paused")
        terminal.press("p")
        assert "snapshot" in terminal.until("2/9  paused")
        terminal.press("+")
        terminal.until("x0.02")
        terminal.press("-")
        terminal.until("x0.01")
        terminal.press("\x1b[F")
        terminal.until("9/9  at the end")
        terminal.press("\x1b[H")
        terminal.until("1/9")
        terminal.press("?!\x1b[A")
        terminal.press(" ")
        terminal.until("1/9  playing")
        terminal.press("q")


def test_it_plays_by_itself_and_stays_at_the_end(log: Path) -> None:
    with on_terminal(log, "--speed", "max") as terminal:
        assert "\x1b[" in terminal.until("9/9  at the end")
        terminal.press("\x04")


def test_an_interrupt_gives_the_terminal_back(log: Path) -> None:
    with on_terminal(log, "--speed", "0.01", "--gap", "3600") as terminal:
        terminal.until("playing")
        terminal.process.send_signal(signal.SIGINT)


def test_what_a_log_holds_never_steers_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def make() -> None:
        store = await open_store(path)
        await Scribe(store).write(create(), put("/a\x1b[2Jb", "c\x1b]0;gotcha\x07"))
        await store.close()

    asyncio.run(make())
    with on_terminal(path, "--speed", "max") as terminal:
        shown = terminal.until("2/2  at the end")
        terminal.press("q")
    assert "\x1b[2J" not in shown
    assert "\x1b]0" not in shown
    assert "gotcha" in shown
