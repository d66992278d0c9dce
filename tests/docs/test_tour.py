"""The tour of the README and the programs of the documents do what they say, on a real server."""

from __future__ import annotations

import asyncio
import re
import shlex
import sqlite3
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.docs.markdown import ROOT, blocks
from tests.support.server import Served, command, create, serving

README = ROOT / "README.md"
LOG_FORMAT = ROOT / "docs" / "log-format.md"
DEFAULT_URL = "http://127.0.0.1:8765"
# What these do is make and enter an environment, which the tests have.
SURROUNDINGS = ("make", ".")
TIMEOUT = 30.0


def tour() -> list[list[str]]:
    """Return the commands of the README's tour, each as its words, in order."""
    text = README.read_text("utf-8")
    start = text.index("## Five minutes")
    lines = "".join(b.text for b in blocks(README, "sh") if text.index(b.text) > start)
    found = []
    # A quoted body may go over several lines; shlex knows where it ends, lines do not.
    for words in split_commands(lines):
        if words[0] not in SURROUNDINGS:
            found.append(words)
    return found


def split_commands(text: str) -> list[list[str]]:
    """Return shell text as a list of commands; a newline ends one outside quotes."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for token in lexer:
        if token.strip("\n"):
            found[-1].append(token)
        else:
            found.append([])
    return [words for words in found if words]


async def curl(words: list[str], url: str) -> tuple[int, str]:
    """Do what a `curl` of the tour does; returns the status and the body."""
    method, headers, body, target = "GET", {}, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest)
        elif word != "-sS":
            assert word.startswith(DEFAULT_URL), f"what curl does with {word!r} is not known here"
            target = word.replace(DEFAULT_URL, url)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, target, headers=headers, data=body) as answer,
    ):
        return answer.status, await answer.text()


async def output_of(process: asyncio.subprocess.Process) -> str:
    """Wait for a process that is expected to succeed, and return what it printed."""
    output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def run_python(text: str, folder: Path) -> str:
    """Run a program in `folder`, with this checkout's packages; returns what it printed."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{text}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=folder, stdout=-1, stderr=-1
    )
    return await output_of(process)


async def read_until(process: asyncio.subprocess.Process, pattern: str) -> str:
    """Read a process's output up to a line that holds `pattern`; returns all that was read."""
    assert process.stdout is not None
    read = ""
    async with asyncio.timeout(TIMEOUT):
        while not re.search(pattern, read):
            line = (await process.stdout.readline()).decode()
            assert line, f"{pattern!r} never came after:\n{read}"
            read += line
    return read


async def test_the_tour_of_the_readme_goes_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "questlog.db"
    monkeypatch.setenv("QUESTLOG_STORE", f"sqlite:////{str(store).lstrip('/')}")
    printed: dict[str, str] = {}
    answers: list[tuple[int, str]] = []
    watching: asyncio.subprocess.Process | None = None
    async with Served.start(store) as served:
        monkeypatch.setenv("QUESTLOG_URL", served.url)
        try:
            for words in tour():
                if words[0] == "curl":
                    answers.append(await curl(words, served.url))
                    again = words
                elif words[1] == "watch":
                    watching = await command(*words[1:])
                    seen = await read_until(watching, r"\b1\b")
                elif words[1] != "serve":
                    printed[" ".join(words)] = await output_of(await command(*words[1:]))
            answers.append(await curl(again, served.url))
            assert watching is not None
            seen += await read_until(watching, r"\b3\b")
        finally:
            if watching is not None and watching.returncode is None:
                watching.kill()
                await watching.wait()
        (program,) = blocks(README, "python")
        said = await run_python(program.text.replace(DEFAULT_URL, served.url), tmp_path)
    assert [status for status, _ in answers] == [201, 200, 201, 200]
    assert '"duplicate":true' in answers[-1][1]
    assert "/characters/mira/hp/current" in seen
    assert "bell" not in seen, "a player was shown what only the DM may see"
    assert "22" in printed["questlog state evening --at 1"]
    assert "17" in printed["questlog diff evening 1 3"]
    assert "plan.changed" in printed["questlog log evening"]
    assert "intact" in printed["questlog verify evening"]
    assert said.split() == ["4", "2"]


async def test_the_program_that_checks_a_log_finds_it_intact_and_finds_damage(
    tmp_path: Path,
) -> None:
    store = tmp_path / "questlog.db"
    (program,) = blocks(LOG_FORMAT, "python")
    async with serving(store) as url:
        await create(url, "evening", {"turn": 1, "text": "naïve — ✓"})
        await create(url, "morning", {})
        for number in range(2, 5):
            await post(url, {"structured_data": {"turn": number}, "meta": {"n": number}})
        assert await run_python(program.text, tmp_path) == "evening is intact\nmorning is intact\n"
    assert await run_python(program.text, tmp_path) == "evening is intact\nmorning is intact\n"
    for statement, complaint in (
        ("UPDATE event SET meta = '{\"n\":9}' WHERE version = 3", "damaged at version 3"),
        ("DELETE FROM event WHERE version = 4", "the end of evening is missing"),
    ):
        copy = tmp_path / complaint.replace(" ", "-")
        copy.mkdir()
        (copy / "questlog.db").write_bytes(store.read_bytes())
        spoil(copy / "questlog.db", statement)
        with pytest.raises(AssertionError, match=complaint):
            await run_python(program.text, copy)


async def test_the_statements_shown_for_the_sqlite_shell_work(tmp_path: Path) -> None:
    store = tmp_path / "questlog.db"
    async with serving(store) as url:
        await create(url, "evening", {"turn": 1})
        await post(url, {"structured_data": {"turn": 2}, "meta": {"source": "dice"}})
    text = "".join(block.text for block in blocks(LOG_FORMAT, "sh"))
    connection = sqlite3.connect(store)
    try:
        rows = [connection.execute(words[-1]).fetchall() for words in split_commands(text)]
    finally:
        connection.close()
    assert [version for version, *_ in rows[0]] == [1, 2]
    assert sorted(rows[1], key=str) == [("dice", 1), (None, 1)]
    assert rows[2] == []


async def post(url: str, body: dict[str, Any]) -> None:
    """Commit to the campaign `evening`."""
    async with aiohttp.ClientSession() as session:
        path = f"{url}/api/campaigns/evening/events"
        async with session.post(path, json=body) as answer:
            assert answer.status == 201, await answer.text()


def spoil(store: Path, statement: str) -> None:
    """Change a log in a way its triggers would refuse."""
    connection = sqlite3.connect(store)
    try:
        for trigger in ("event_never_changes", "event_never_goes"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()
