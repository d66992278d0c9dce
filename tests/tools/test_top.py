"""`questlog top`: on a terminal, in a pipe, for programs, and while the server is away."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from server.access.tokens import mint_for_metrics
from server.overview import CampaignNow, ConnectionNow, LiveAnswer, MemberNow
from tests.support.access import guarded
from tests.support.peer import calling, put
from tests.support.server import Served, command, serving
from tests.tools.stores import ROOT
from tools.top import COLUMNS, rows, summary

PATIENCE = 20.0
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


async def finished(*arguments: str) -> tuple[int | None, str, str]:
    """Run `questlog top` to its end; returns its status, output and errors."""
    process = await command("top", *arguments)
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, output.decode(), errors.decode()


class Terminal:
    """`questlog top` on a terminal of its own."""

    def __init__(self, process: asyncio.subprocess.Process, ours: int) -> None:
        self.process = process
        self.shown = ""
        self._ours = ours
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(ours, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the other end of a terminal is closed.
            chunk = b""
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._ours)
        self.shown += chunk.decode(errors="replace")
        self._more.set()

    async def until(self, pattern: str) -> str:
        """Return what has been shown since the last call, once `pattern` is found in it."""
        async with asyncio.timeout(PATIENCE):
            while not re.search(pattern, plain := ESCAPE.sub("", self.shown)):
                self._more.clear()
                await self._more.wait()
        self.shown = ""
        return plain


@asynccontextmanager
async def on_terminal(*arguments: str) -> AsyncIterator[Terminal]:
    """Run `questlog top` on a terminal; killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    plain = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    size = {"COLUMNS": "140", "LINES": "30", "TERM": "xterm-256color"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools", "top", *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**plain, **size},
    )
    os.close(theirs)
    terminal = Terminal(process, ours)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)


async def test_a_terminal_shows_what_changes_and_waits_for_a_server_that_is_away(
    tmp_path: Path,
) -> None:
    async with Served.start(tmp_path / "q.db") as served, calling(served.url) as call:
        await call.create("the-bell", {"n": 0})
        async with on_terminal("--url", served.url, "--interval", "0.1") as terminal:
            shown = await terminal.until("the-bell")
            assert "campaigns 1   members 0   connections 0   waiting 0" in shown
            assert "━" in shown
            async with call.socket(campaign_id="the-bell", player_id="mira") as peer:
                await peer.next()
                await call.commit("the-bell", put("/n", 1))
                await peer.next()
                await terminal.until("members 1   connections 1")
                await terminal.until(r"mira +│ player +│ +│ socket +│ +1 │ +1 │ +0 │")
                await peer.say(type="heartbeat", version=2)
                await peer.until("heartbeat")
                await terminal.until(r"mira +│ player +│ +│ socket +│ +2 │ +0 │ +0 │")
            await served.kill()
            shown = await terminal.until("Trying again every 0.1 s.")
            assert f"No server answers at {served.url}." in shown
            await served.restart()
            await call("GET", "/api/campaigns/the-bell/state")
            await terminal.until("campaigns 1   members 0")
            terminal.process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(terminal.process.wait(), PATIENCE) == 0
            assert "Traceback" not in terminal.shown


async def test_once_prints_a_table_and_ends(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        await call.create("c", {})
        async with call.socket(campaign_id="c", player_id="mira") as peer:
            await peer.next()
            await peer.say(type="player_status", status="\u202ethinking")
            await peer.until("error")
            await peer.say(type="player_status", status="thinking")
            await peer.until("player_status")
            status, output, errors = await finished("--url", url + "/", "--once")
        assert (status, errors) == (0, "")
        head, campaign, member = output.splitlines()
        assert head.split("\t") == list(COLUMNS)
        assert campaign.split("\t")[:4] == ["c", "1", "", "(1)"]
        told = dict(zip(COLUMNS, member.split("\t"), strict=True))
        assert (told["member"], told["role"], told["status"]) == ("mira", "player", "thinking")
        assert (told["by"], told["holds"], told["lag"], told["outbox"]) == ("socket", "1", "0", "0")
        async with on_terminal("--url", url, "--once") as terminal:
            assert "┃" in await terminal.until("└")
            assert await asyncio.wait_for(terminal.process.wait(), PATIENCE) == 0


async def test_json_is_the_servers_answer_a_line(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        await call.create("c", {})
        status, output, _ = await finished("--url", url, "--once", "--json")
        _, answer = await call("GET", "/api/live")
        assert (status, json.loads(output)) == (0, answer)
        process = await command("top", "--url", url, "--json", "--interval", "0.1")
        assert process.stdout is not None
        for _ in range(3):
            line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
            assert json.loads(line)["campaigns"][0]["campaign_id"] == "c"
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert (process.returncode, errors) == (0, b"")


async def test_in_a_pipe_it_says_once_that_the_server_is_away(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as served:
        process = await command("top", "--url", served.url, "--json", "--interval", "0.1")
        assert process.stdout is not None
        assert process.stderr is not None
        await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        await served.kill()
        sentence = (await asyncio.wait_for(process.stderr.readline(), PATIENCE)).decode()
        assert sentence == f"No server answers at {served.url}. Trying again every 0.1 s.\n"
        await served.restart()
        while not json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE)):
            pass
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert errors == b""


async def test_what_it_cannot_be_told_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        gone = url
    status, output, errors = await finished("--url", gone, "--once")
    assert (status, output, errors) == (1, "", f"Error: No server answers at {gone}.\n")
    status, _, errors = await finished("--url", "nonsense", "--once")
    assert status == 1
    assert errors == "Error: nonsense is no server's URL: http://HOST:PORT.\n"


@asynccontextmanager
async def answering(make: Callable[[], web.Response]) -> AsyncIterator[str]:
    """Serve something that is not Questlog."""

    async def answer(_request: web.Request) -> web.Response:
        return make()

    app = web.Application()
    app.router.add_get("/api/live", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_another_server_is_not_asked_again() -> None:
    for made in (
        lambda: web.Response(text="<html>"),
        lambda: web.Response(text="<html>", status=404),
        lambda: web.json_response({"campaigns": 7}),
    ):
        async with answering(made) as url:
            status, _, errors = await finished("--url", url)
            sentence = f"Error: What answers at {url} is no Questlog server of this release.\n"
            assert (status, errors) == (1, sentence)


async def test_a_server_that_is_busy_is_asked_again() -> None:
    answers = [web.Response(status=503), web.json_response({"campaigns": [], "waiting": 3})]
    async with answering(lambda: answers.pop(0)) as url:
        process = await command("top", "--url", url, "--json", "--interval", "0.1")
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert json.loads(line)["waiting"] == 3
        process.kill()
        _, errors = await process.communicate()
        assert errors.startswith(f"The server at {url} answers HTTP 503.".encode())


async def test_from_elsewhere_it_shows_a_token_that_was_made_for_it(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served:
        key = (await served.access.keys())[0]
        now = served.services.clock.now_ms()
        good = mint_for_metrics(key, served.access.audience, now_ms=now, lasts=60)
        seen: list[str | None] = []

        async def forward(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization"))
            async with (
                calling(served.url) as call,
                call.session.get(
                    f"{served.url}{request.path}",
                    headers={**request.headers, "X-Forwarded-For": "192.0.2.1"},
                ) as answer,
            ):
                return web.Response(status=answer.status, body=await answer.read())

        app = web.Application()
        app.router.add_get("/{path:.*}", forward)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            assert (await finished("--url", url, "--token", good, "--once"))[0] == 0
            status, _, errors = await finished("--url", url)
            assert status == 1
            assert "This needs a token" in errors
            status, _, errors = await finished("--url", url, "--token", await served.token("dm"))
            assert status == 1
            assert "made for them" in errors
        finally:
            await runner.cleanup()
        assert seen[0] == f"Bearer {good}"


def test_the_furthest_behind_come_first_and_the_slow_stand_out() -> None:
    def device(version: int, *, slow: bool = False, transport: str = "socket") -> ConnectionNow:
        return ConnectionNow(transport, version, 9 - version, 10, slow, 1.25)

    members = [
        MemberNow("ash", "player", None, [device(9), device(9, transport="poll"), device(8)]),
        MemberNow("bo", "player", "away", [device(2, slow=True)]),
        MemberNow("cy", "player", None, []),
        MemberNow(None, "dm", None, [device(9)]),
    ]
    answer = LiveAnswer([CampaignNow("c", 9, "main", 5, members)], 2)
    shown = [(dict(zip(COLUMNS, cells, strict=True)), style) for cells, style in rows(answer)]
    assert [(cells["member"], style) for cells, style in shown] == [
        ("(4)", "bold"),
        ("bo", "red"),
        ("ash", ""),
        ("-", ""),
        ("cy", "dim"),
    ]
    ash = shown[2][0]
    assert (ash["by"], ash["holds"], ash["lag"]) == ("2 sockets poll", "8", "1")
    assert (ash["outbox"], ash["seen"]) == ("30", "1.2")
    assert summary(answer) == "campaigns 1   members 4   connections 5   waiting 2"
