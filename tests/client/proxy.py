"""A TCP proxy that can lose what is said, cut connections or forget them, and refuse sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Passes bytes on between clients and a server.

    Attributes:
        url: where clients connect.
        deaf: while set, what the server says is lost.
        down: while set, whoever connects is cut off at once.
        socketless: while set, no WebSocket gets through, as behind some firewalls.
        accepted: how many connections there have been.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self.deaf = False
        self.down = False
        self.socketless = False
        self.accepted = 0
        self._era = 0
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def before(cls, target: str) -> AsyncIterator[Proxy]:
        """Stand before the server at `target` (`http://HOST:PORT`)."""
        proxy = cls(target)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            server.close()
            proxy.cut()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break off every connection, saying nothing."""
        for writer in list(self._writers):
            writer.transport.abort()

    def forget(self) -> None:
        """Know of no connection there is: what comes over one is lost, and nobody is told."""
        self._era += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        own = {writer}
        self._writers |= own
        try:
            with suppress(ConnectionError):
                first = b"" if self.down else await reader.read(65536)
                if self.socketless and b"upgrade: websocket" in first.lower():
                    writer.write(REFUSED)
                    await writer.drain()
                elif first:
                    host, port = self._target.hostname, self._target.port
                    there, back = await asyncio.open_connection(host, port)
                    own.add(back)
                    self._writers.add(back)
                    back.write(first)
                    await asyncio.gather(
                        self._pass_on(reader, back, from_server=False),
                        self._pass_on(there, writer, from_server=True),
                    )
        finally:
            for each in own:
                if self.down:
                    each.transport.abort()
                else:
                    each.close()
            self._writers -= own
            self._tasks.discard(task)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool
    ) -> None:
        era = self._era
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if era == self._era and not (from_server and self.deaf):
                    writer.write(data)
        writer.close()
