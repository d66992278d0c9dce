"""The examples as processes, which can be killed and started again where they were."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.support.server import ROOT, ended

TIMEOUT = 60.0


class Example:
    """A module of `examples`, running; killed at the end if it still runs.

    Attributes:
        url: where it listens, once it does.
    """

    def __init__(self, module: str, *options: str) -> None:
        self._module = module
        self._options = options
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    @asynccontextmanager
    async def start(cls, module: str, *options: str) -> AsyncIterator[Example]:
        """Start it."""
        example = cls(module, *options)
        try:
            await example.restart()
            yield example
        finally:
            await example.end(signal.SIGKILL)

    async def restart(self) -> None:
        """Start it again, on the port it had."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"examples.{self._module}",
            *self._options,
            "--port",
            str(self._port),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def end(self, how: signal.Signals) -> tuple[int, str]:
        """Send it a signal, and wait; returns its exit status and all it said."""
        process, self._process = self._process, None
        return await ended(process, how)


async def post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post until there is an answer, as a client of a chat does: the same, with the same id."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            try:
                async with session.post(url, json=body) as answer:
                    if answer.status < 500:
                        assert answer.status == 200, await answer.text()
                        found: dict[str, Any] = await answer.json()
                        return found
            except aiohttp.ClientError:
                pass
            # Nobody tells a client when a server is back.
            await asyncio.sleep(0.05)
