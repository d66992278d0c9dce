"""A real server on a real port over a real file: in this process, or as `serve` in one of its own.

async with serving(tmp_path / "questlog.db") as url: ...
async with Served.start(tmp_path / "questlog.db") as served: await served.kill()
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from eventstore.sqlite.store import SqliteStore
from server.app import make_app, make_runner
from server.clock import SystemClock
from server.config import Config

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT = 20.0


def silent_log() -> Any:
    """Return a structlog logger that renders every line and prints none."""
    return structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[structlog.processors.JSONRenderer(default=repr)]
    )


@asynccontextmanager
async def serving(path: Path, *, config: Config | None = None, port: int = 0) -> AsyncIterator[str]:
    """Serve the store at `path` in this process; yields its `http://127.0.0.1:PORT`."""
    store = await SqliteStore.open(f"sqlite:////{path.as_posix().lstrip('/')}")
    app = make_app(config or Config(open=True), store, SystemClock(), silent_log())
    runner = make_runner(app)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await store.close()


def bearer(token: str | None) -> dict[str, str]:
    """Return the headers that show a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


async def create(url: str, campaign_id: str, document: dict[str, Any]) -> None:
    """Create a campaign over HTTP."""
    async with aiohttp.ClientSession() as session:
        body = {"structured_data": document}
        async with session.put(f"{url}/api/campaigns/{campaign_id}", json=body) as answer:
            assert answer.status == 201, await answer.text()


async def activate(url: str, campaign_id: str, table: str = "main") -> None:
    """Seat a campaign at a table over HTTP."""
    async with aiohttp.ClientSession() as session:
        path = f"{url}/api/campaigns/{campaign_id}/activate"
        async with session.post(path, json={"table": table}) as answer:
            assert answer.status == 200, await answer.text()


async def state(url: str, campaign_id: str, token: str | None = None) -> dict[str, Any]:
    """Return the answer of `GET …/state` as the holder of the token sees it; open: as a DM."""
    async with (
        aiohttp.ClientSession(headers=bearer(token)) as session,
        session.get(f"{url}/api/campaigns/{campaign_id}/state") as answer,
    ):
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def command(*arguments: str) -> asyncio.subprocess.Process:
    """Start `questlog ARGUMENTS` as a process, its output and its errors piped."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tools",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process | None, how: signal.Signals) -> tuple[int, str]:
    """End a process, if there is one; returns its exit status and the rest of its output."""
    if process is None:
        return 0, ""
    if process.returncode is None:
        process.send_signal(how)
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


class Served:
    """`questlog serve`, open where not told otherwise, as a process of its own.

    Attributes:
        url: where it listens; the same again after `restart`.
    """

    def __init__(self, path: Path, options: tuple[str, ...] = ("--open",)) -> None:
        self.url = ""
        self._options = options
        self._path = path
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    @asynccontextmanager
    async def start(
        cls, path: Path, options: tuple[str, ...] = ("--open",)
    ) -> AsyncIterator[Served]:
        """Serve the store at `path`; killed at the end if it still runs."""
        served = cls(path, options)
        try:
            await served.restart()
            yield served
        finally:
            await served.kill()

    async def restart(self) -> None:
        """Start the process again, on the port it had."""
        store = f"sqlite:////{self._path.as_posix().lstrip('/')}"
        port = str(self._port)
        process = await command("serve", *self._options, "--store", store, "--port", port)
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT)
        if not line:
            raise AssertionError((await process.stderr.read()).decode())
        self.url = line.decode().split()[-1]
        self._port = int(self.url.rpartition(":")[2])

    async def kill(self) -> None:
        """Kill it as a failing machine would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> tuple[int, str]:
        """Ask it to stop (SIGTERM); returns its exit status and the rest of its output."""
        return await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> tuple[int, str]:
        process, self._process = self._process, None
        return await ended(process, how)
