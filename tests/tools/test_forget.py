"""`questlog forget`: nothing of a person is left in the access file, and the log still verifies."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from server.access.file import access_path
from tests.support.access import store_url, token
from tests.support.peer import calling
from tests.support.server import Served, bearer
from tests.tools.stores import run, write
from tools.cli import main

NAME, SUBJECT, ISSUER = "Mirabelle Kowalczyk", "auth0|8f3a2c55", "https://id.example/"


def said(path: Path, *arguments: str) -> str:
    """Run a command that must succeed, and return what it prints."""
    result = run(path, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store with campaigns `c` and `d`, in whose first mira acted."""
    path = tmp_path / "q.db"
    asyncio.run(write(path))
    return path


def seated(path: Path, campaign: str = "c") -> None:
    """Give mira a seat with a name and a provider's subject, an invite, and an evening there."""
    who = ("--name", NAME, "--subject", SUBJECT, "--issuer", ISSUER)
    said(path, "members", "add", campaign, "mira", *who)
    said(path, "invite", campaign, "--player", "mira")
    connection = sqlite3.connect(access_path(store_url(path)))
    connection.execute(
        "INSERT INTO attendance VALUES (?, 8, '', 'player', 'mira', 1, 't', 't', 7, 9)", (campaign,)
    )
    connection.commit()
    connection.close()


def bytes_beside(path: Path) -> bytes:
    """Return every byte of every file of the access file."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}.access*")))


def rows(path: Path, statement: str) -> list[Any]:
    """Return what a query of the access file gives."""
    connection = sqlite3.connect(access_path(store_url(path)))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_no_byte_of_a_person_is_left_and_every_hash_still_verifies(path: Path) -> None:
    seated(path)
    # What was removed before the file was kept clean may stand in free pages.
    raw = sqlite3.connect(access_path(store_url(path)))
    raw.execute("PRAGMA secure_delete = OFF")
    for number in range(200):
        filler = f"{NAME} {number} " * 20
        raw.execute(
            "INSERT INTO member (campaign_id, member, role, name, changed_at)"
            " VALUES ('c', ?, 'player', ?, 't')",
            (f"m{number}", filler),
        )
    raw.commit()
    raw.execute("DELETE FROM member WHERE member LIKE 'm_%' AND member <> 'mira'")
    raw.commit()
    raw.close()
    before = bytes_beside(path)
    assert before.count(NAME.encode()) > 100
    assert SUBJECT.encode() in before
    log = path.read_bytes()
    text = said(path, "forget", "mira", "--yes")
    assert "mira is forgotten" in text
    after = bytes_beside(path)
    for piece in (NAME, SUBJECT, ISSUER, "Mirabelle", "8f3a2c55"):
        assert piece.encode() not in after
    assert path.read_bytes() == log
    said(path, "verify")
    assert rows(path, "SELECT count(*) FROM invite") == [(0,)]
    assert rows(path, "SELECT count(*) FROM attendance") == [(0,)]
    ((role, name, issuer, subject, valid, when),) = rows(
        path,
        "SELECT role, name, issuer, subject, valid_from, forgotten_at FROM member"
        " WHERE campaign_id = 'c'",
    )
    assert (role, name, issuer, subject) == (None, None, None, None)
    assert valid > 0
    assert when.endswith("Z")


def test_it_says_what_there_was_and_asks_first(path: Path) -> None:
    seated(path)
    seated(path, "e")
    for answer, status in (("n\n", 1), ("", 1), ("y\n", 0)):
        arguments = ["forget", "mira", "--store", store_url(path)]
        result = CliRunner().invoke(main, arguments, input=answer)
        assert result.exit_code == status, result.output
        assert [line.split("\t")[0] for line in result.stdout.splitlines()[1:3]] == ["c", "e"]
        assert "for good" in result.stderr
        assert (NAME.encode() in bytes_beside(path)) == bool(status)


def test_one_campaign_alone_may_forget_somebody(path: Path) -> None:
    seated(path)
    seated(path, "e")
    (told,) = map(
        json.loads,
        said(path, "forget", "mira", "--campaign", "e", "--yes", "--json").splitlines(),
    )
    assert told == {
        "campaign_id": "e",
        "name": True,
        "subject": True,
        "seat": True,
        "invites": 1,
        "attendance": 1,
        "acted": False,
        "forgotten": False,
    }
    assert rows(path, "SELECT campaign_id FROM attendance") == [("c",)]
    assert rows(path, "SELECT campaign_id FROM member WHERE name IS NOT NULL") == [("c",)]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["forget", "nobody", "--yes"], 1, "Nobody called 'nobody' is known anywhere"),
        (["forget", "mira", "--yes", "--campaign", "d"], 1, "known at 'd'"),
        (["forget", "a b", "--yes"], 1, "no spaces"),
        (["forget", "mira", "--yes", "--campaign", "a b"], 1, "no spaces"),
        (["forget"], 2, "Missing argument"),
    ],
)
def test_nobody_is_forgotten_who_is_not_there(
    path: Path, arguments: list[str], status: int, sentence: str
) -> None:
    said(path, "keys")
    result = run(path, *arguments)
    assert result.exit_code == status
    assert sentence in result.output
    assert result.stdout == ""
    assert rows(path, "SELECT count(*) FROM member") == [(0,)]


def test_where_nobody_comes_in_no_file_is_made_to_say_so(path: Path) -> None:
    result = run(path, "forget", "mira", "--yes", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["code"] == "unknown_member"
    assert not access_path(store_url(path)).exists()


def test_who_is_only_in_the_log_and_in_tokens_is_forgotten_too(path: Path) -> None:
    old = asyncio.run(token(path, "c", "player", "mira"))
    said(path, "forget", "mira", "--yes")
    again = said(path, "forget", "mira", "--yes")
    assert "forgotten" in again.splitlines()[1], "once more does no harm"
    assert old
    assert rows(path, "SELECT campaign_id, member, role FROM member") == [("c", "mira", None)]


def test_without_its_log_an_access_file_can_still_forget(path: Path) -> None:
    seated(path)
    path.unlink()
    result = run(path, "forget", "mira", "--yes")
    assert result.exit_code == 0, result.output
    assert "The log was not asked" in result.stderr
    assert NAME.encode() not in bytes_beside(path)


def test_a_file_that_is_busy_is_said_and_nothing_is_forgotten_by_half(path: Path) -> None:
    seated(path)
    other = sqlite3.connect(access_path(store_url(path)), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    result = run(path, "forget", "mira", "--yes", "--json")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    other.execute("COMMIT")
    other.close()
    assert rows(path, "SELECT name FROM member") == [(NAME,)]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Yield a server that asks for tokens, as a process of its own."""
    async with Served.start(tmp_path / "q.db", options=()) as served:
        yield served


async def test_a_running_server_lets_them_go_and_notes_nothing_more_of_them(
    served: Served, tmp_path: Path
) -> None:
    path = tmp_path / "q.db"
    dm, mira = await token(path, "c", "dm"), await token(path, "c", "player", "mira")
    async with calling(served.url) as call:
        await call("PUT", "/api/campaigns/c", json={"structured_data": {}}, headers=bearer(dm))
        async with call.socket(campaign_id="c", token=mira) as peer:
            await peer.next()
            await peer.say(type="heartbeat", version=1)
            await peer.until("heartbeat")
            for _ in range(2000):
                if rows(path, "SELECT member FROM attendance") == [("mira",)]:
                    break
                await asyncio.sleep(0.01)
            await asyncio.to_thread(said, path, "forget", "mira", "--yes")
            assert await peer.closed() == 4403
        status, _ = await call("GET", "/api/campaigns/c/state", headers=bearer(mira))
        assert status == 403
        _, told = await call("GET", "/api/campaigns/c/sessions", headers=bearer(dm))
        assert "mira" not in str(told)
        # Whoever is given a token anew is somebody new.
        again = await token(path, "c", "player", "mira")
        assert (await call("GET", "/api/campaigns/c/state", headers=bearer(again)))[0] == 200
    status, output = await served.stop()
    assert (status, output) == (0, "")
    assert rows(path, "SELECT member FROM attendance") == []
