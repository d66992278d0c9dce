"""`questlog demo`: an evening from the first line to ^C, and again."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from questlog.client import CampaignClient
from tests.support.access import token
from tests.support.server import ROOT, command, state
from tools.demo import recording_path
from tools.demo.view import lines_of, picture


@asynccontextmanager
async def demo(tmp_path: Path, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `questlog demo` on a store in `tmp_path`; killed at the end if it still runs."""
    store = f"sqlite:////{tmp_path.as_posix().lstrip('/')}/demo.db"
    process = await command("demo", "--store", store, *more)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(process: asyncio.subprocess.Process, words: str) -> str:
    """Read the process's output up to the first line that has these words in it."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        async for line in process.stdout:
            if words in line.decode():
                return line.decode()
    raise AssertionError(f"it never said {words!r}")


def last_state() -> dict[str, Any]:
    """Return the recording's last document."""
    found: dict[str, Any] = json.loads(recording_path().read_text("utf-8").splitlines()[-1])
    return dict(found["state"])


async def stop(process: asyncio.subprocess.Process) -> str:
    """Interrupt it as ^C does; it must end with status 0 and no traceback. Returns its output."""
    process.send_signal(signal.SIGINT)
    output, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, errors.decode()
    assert errors == b""
    return output.decode()


async def test_an_evening_is_performed_to_its_end_and_the_next_run_is_another(
    tmp_path: Path,
) -> None:
    async with demo(tmp_path, "--port", "0", "--speed", "max") as process:
        url = (await line_with(process, "is served at")).split()[4].rstrip(".")
        assert "watch --url" in await line_with(process, "questlog watch")
        await line_with(process, "The evening is over")
        dm = await token(tmp_path / "demo.db", "the-drowned-bell", "dm")
        found = await state(url, "the-drowned-bell", dm)
        assert found["structured_data"] == last_state()
        assert "the log keeps it all" in await stop(process)
    async with demo(tmp_path, "--port", "0", "--speed", "max") as process:
        assert "the-drowned-bell-2" in await line_with(process, "performed to its end")
        await line_with(process, "The evening is over")
        await stop(process)


async def test_an_evening_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    async with demo(tmp_path, "--port", "0", "--speed", "50") as process:
        url = (await line_with(process, "is served at")).split()[4].rstrip(".")
        seat = await token(tmp_path / "demo.db", "the-drowned-bell", "spectator")
        async with CampaignClient(url, table="main", token=seat) as witness:
            await asyncio.wait_for(witness.reached(10), 30)
        await stop(process)
    async with demo(tmp_path, "--port", "0", "--speed", "max") as process:
        await line_with(process, "was broken off after step")
        over = await line_with(process, "The evening is over")
        steps = len(recording_path().read_text("utf-8").splitlines()) - 1
        # Version 1 made the campaign and version 2 seated it.
        assert f"at version {steps + 2}." in over
        await stop(process)


async def test_a_port_that_is_taken_is_said_and_another_found(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with demo(tmp_path, "--port", port) as process:
            await line_with(process, "Taking a free port instead")
            assert f":{port}." not in await line_with(process, "is served at")
            await stop(process)


async def test_in_a_terminal_it_draws_the_party_and_leaves_it_in_order(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    store = f"sqlite:////{tmp_path.as_posix().lstrip('/')}/demo.db"
    arguments = ("demo", "--store", store, "--port", "0", "--speed", "20")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tools",
        *arguments,
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(theirs)
    seen = await asyncio.wait_for(asyncio.to_thread(read_until, ours, "Mira Tallow"), 30)
    process.send_signal(signal.SIGINT)
    rest = await asyncio.wait_for(asyncio.to_thread(read_until, ours, None), 20)
    os.close(ours)
    assert await process.wait() == 0
    assert "Traceback" not in seen + rest
    # The cursor was hidden while it drew, and is shown again.
    assert "\x1b[?25h" in rest


def read_until(terminal: int, words: str | None) -> str:
    """Read a terminal until these words were seen; None: until the other side has gone."""
    seen = b""
    while words is None or words.encode() not in seen:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            # Linux says EIO where the other side has closed.
            break
        if not data:
            break
        seen += data
    return seen.decode(errors="replace")


def test_the_picture_shows_story_party_and_turn_and_survives_any_document() -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    document = {
        "narrative": "A bell \x1b[2J rings.",
        "characters": [
            {"name": "Oda", "hp": {"current": 3, "max": 26}, "conditions": ["wet"]},
            {"name": "ghost", "hp": 7},
            "nobody",
        ],
        "initiative": ["Oda", {"id": "eel", "name": "the eel"}],
        "turn_info": {"current": "eel"},
        "combat_status": "Round 1",
        "immediate_threats": ["the tide"],
    }
    for value in (document, None, {}, {"characters": 7, "initiative": "x", "turn_info": []}):
        console.print(picture(value, 12, "live"))
    console.file.close()
    text = console.export_text()
    for words in ("A bell", "Oda", "3/26", "wet", "Round 1", "the eel", "the tide", "version 12"):
        assert words in text
    assert "\x1b" not in text


def test_plain_lines_tell_what_changed_and_nothing_else() -> None:
    before = {"narrative": "a", "characters": {"m": {"name": "M", "hp": {"current": 5, "max": 9}}}}
    after = {"narrative": "b", "characters": {"m": {"name": "M", "hp": {"current": 2, "max": 9}}}}
    assert lines_of(before, before) == []
    assert lines_of(before, after) == ["b", "M: 2 of 9 hit points"]
