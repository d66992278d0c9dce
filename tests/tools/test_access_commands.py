"""`token`, `keys`, `invite`, `invites` and `members`, against a server that runs as a process."""

from __future__ import annotations

import asyncio
import json
import os
import pty
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import store_url
from tests.support.peer import calling
from tests.support.server import Served, bearer, command
from tests.tools.stores import run


def said(path: Path, *arguments: str) -> str:
    """Run a command that must succeed, and return what it prints."""
    result = run(path, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(path: Path, *arguments: str) -> list[Any]:
    """Run a command with --json, and return what it prints, one value a line."""
    return [json.loads(line) for line in said(path, *arguments, "--json").splitlines()]


async def saying(path: Path, *arguments: str) -> str:
    """Run `said` beside a running event loop."""
    return await asyncio.to_thread(said, path, *arguments)


async def telling(path: Path, *arguments: str) -> list[Any]:
    """Run `told` beside a running event loop."""
    return await asyncio.to_thread(told, path, *arguments)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Yield a server that asks for tokens, as a process of its own."""
    async with Served.start(tmp_path / "q.db", options=()) as served:
        yield served


async def ask(url: str, token: str | None, method: str, path: str, **more: Any) -> tuple[int, Any]:
    """Make a call with a token."""
    async with calling(url) as call:
        return await call(method, path, headers=bearer(token), **more)


async def test_a_token_is_alone_on_its_last_line_and_opens_its_seat(
    served: Served, tmp_path: Path
) -> None:
    path = tmp_path / "q.db"
    seat = ("token", "--campaign", "c", "--role")
    dm = (await saying(path, *seat, "dm")).splitlines()[-1]
    mira = (await saying(path, *seat, "player", "--player", "mira")).splitlines()[-1]
    body = {"structured_data": {"dm": {"plan": 1}, "private": {"mira": 1, "tobin": 2}}}
    assert (await ask(served.url, dm, "PUT", "/api/campaigns/c", json=body))[0] == 201
    _, state = await ask(served.url, mira, "GET", "/api/campaigns/c/state")
    assert state["structured_data"] == {"private": {"mira": 1}}
    assert (await ask(served.url, None, "GET", "/api/campaigns/c/state"))[0] == 401
    await served.kill()
    await served.restart()
    assert (await ask(served.url, mira, "GET", "/api/campaigns/c/state"))[0] == 200
    (as_json,) = await telling(path, *seat, "spectator", "--expires", "90s")
    assert (as_json["role"], as_json["player_id"]) == ("spectator", None)
    assert (await ask(served.url, as_json["token"], "GET", "/api/campaigns/c/state"))[0] == 200


async def test_a_removed_members_socket_is_closed_by_the_command(
    served: Served, tmp_path: Path
) -> None:
    path = tmp_path / "q.db"
    dm = (await saying(path, "token", "--campaign", "c", "--role", "dm")).strip()
    await ask(served.url, dm, "PUT", "/api/campaigns/c", json={"structured_data": {}})
    mira = (
        await saying(path, "token", "--campaign", "c", "--role", "player", "--player", "mira")
    ).strip()
    async with calling(served.url) as call, call.socket(campaign_id="c", token=mira) as peer:
        await peer.next()
        await saying(path, "members", "role", "c", "mira", "spectator")
        assert (await peer.next())["reason"] == "role"
        await saying(path, "members", "remove", "c", "mira")
        assert await peer.closed() == 4403


def test_members_are_listed_with_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    said(path, "members", "add", "c", "mira", "--name", "Mira \x1b[1mK.")
    subject = ("--subject", "auth0|1", "--issuer", "https://id.example/")
    said(path, "members", "add", "c", "lia", "--role", "dm", *subject)
    said(path, "members", "remove", "c", "mira")
    assert [(each["member"], each["role"]) for each in told(path, "members", "list", "c")] == [
        ("lia", "dm"),
        ("mira", None),
    ]
    text = said(path, "members", "list", "c")
    assert "\x1b" not in text
    assert text.splitlines()[1].split("\t")[:4] == ["lia", "dm", "", "auth0|1"]
    assert told(path, "members", "list", "nobody") == []


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["token"], 2, "names a --campaign"),
        (["token", "--campaign", "c"], 2, "a --role"),
        (["token", "--campaign", "c", "--role", "king"], 2, "is not one of"),
        (["token", "--campaign", "c/d", "--role", "dm"], 1, "none of /"),
        (["token", "--campaign", "c", "--role", "player", "--player", "dm"], 1, "name of a role"),
        (["token", "--campaign", "c", "--role", "dm", "--expires", "soon"], 2, "length of time"),
        (["token", "--campaign", "c", "--role", "dm", "--expires", "0s"], 2, "ten years"),
        (["token", "--campaign", "c", "--role", "dm", "--expires", "9999d"], 2, "ten years"),
        (["token", "--metrics", "--campaign", "c"], 2, "opens no campaign"),
        (["invite", "c"], 2, "names a --player"),
        (["invite", "c", "--role", "dm", "--uses", "2"], 1, "for one use"),
        (["invite", "c d", "--player", "mira"], 1, "no spaces"),
        (["invite", "c", "--player", "mira", "--uses", "0"], 2, "not in the range"),
        (["invites", "c", "--revoke", "nope"], 1, "has no invite"),
        (["members", "add", "c", "dm"], 1, "name of a role"),
        (["members", "add", "c", "a b"], 1, "no spaces"),
        (["members", "add", "c", "mira", "--subject", "s"], 2, "--issuer names it"),
        (["members", "role", "c", "a b", "dm"], 1, "no spaces"),
        (["members", "remove", "a b", "mira"], 1, "no spaces"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, arguments: list[str], status: int, sentence: str
) -> None:
    result = run(tmp_path / "q.db", *arguments)
    assert result.exit_code == status
    assert sentence in result.output
    assert result.stdout == ""


async def test_an_invite_is_a_link_whose_secret_no_server_sees(
    served: Served, tmp_path: Path
) -> None:
    path = tmp_path / "q.db"
    link = (
        await saying(path, "invite", "c", "--player", "mira", "--url", "https://q.example/")
    ).strip()
    assert link.startswith("https://q.example/play?campaign_id=c#invite=")
    (made,) = await telling(path, "invites", "c")
    assert (made["member"], made["state"], made["uses"], made["max_uses"]) == ("mira", "open", 0, 1)
    secret = link.rpartition("=")[2]
    body = {"invite": secret, "id": "browser"}
    status, joined = await ask(served.url, None, "POST", "/api/join", json=body)
    assert (status, joined["player_id"]) == (200, "mira")
    assert (await telling(path, "invites", "c"))[0]["state"] == "used"
    (many,) = await telling(
        path, "invite", "c", "--role", "spectator", "--unlimited", "--expires", "1s"
    )
    assert (await saying(path, "invites", "c", "--revoke", many["invite_id"])).count("revoked") == 1
    body = {"invite": many["link"].rpartition("=")[2], "id": "browser"}
    assert (await ask(served.url, None, "POST", "/api/join", json=body))[0] == 401
    assert secret not in await saying(path, "invites", "c")


def test_keys_are_listed_and_rotated_and_never_told(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    (first,) = told(path, "keys")
    assert first["signs"]
    second = told(path, "keys", "--rotate")
    assert [each["key_id"] == first["key_id"] for each in second] == [False, True]
    assert [each["signs"] for each in second] == [True, False]
    assert "still counts" in said(path, "keys")
    assert set(first) == {"key_id", "created_at", "signs"}


async def test_on_a_terminal_an_invite_is_a_qr_code_too(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *command_line("invite", "c", "--player", "mira", "--store", store_url(tmp_path / "q.db")),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(theirs)
    seen = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == 0
    assert "▄" in seen or "▀" in seen or "█" in seen
    assert "/play?campaign_id=c#invite=" in seen


def command_line(*arguments: str) -> list[str]:
    """Return the command as a process's arguments."""
    import sys

    return [sys.executable, "-m", "tools", *arguments]


def read_all(terminal: int) -> str:
    """Read a terminal until the other side has gone."""
    seen = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            # Linux says EIO where the other side has closed.
            data = b""
        if not data:
            os.close(terminal)
            return seen.decode()
        seen += data


async def test_play_and_watch_show_their_token(served: Served, tmp_path: Path) -> None:
    from tools.demo import recording_path

    path = tmp_path / "q.db"
    dm = (await saying(path, "token", "--campaign", "evening", "--role", "dm")).strip()
    more = ("--url", served.url, "--campaign", "evening")
    playing = await command("play", str(recording_path()), "--speed", "max", "--token", dm, *more)
    output, errors = await asyncio.wait_for(playing.communicate(), 60)
    assert playing.returncode == 0, errors.decode()
    assert b"performed 183 of 183 steps" in output
    seat = (await saying(path, "token", "--campaign", "evening", "--role", "spectator")).strip()
    watching = await command("watch", "--until", "1", "--json", "--token", seat, *more)
    output, errors = await asyncio.wait_for(watching.communicate(), 20)
    assert watching.returncode == 0, errors.decode()
    assert json.loads(output.splitlines()[0])["reason"] == "connected"
    for name in ("play", "watch"):
        arguments = (str(recording_path()),) if name == "play" else ()
        refused = await command(name, *arguments, *more)
        _, errors = await asyncio.wait_for(refused.communicate(), 20)
        assert refused.returncode == 1
        assert b"Traceback" not in errors
        assert b"token" in errors
