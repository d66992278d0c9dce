"""A relay: passes bytes on between one viewer and the server, and shows every one it was sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

CHUNK = 1 << 18
# As much as it takes to know a canary that arrives in two pieces.
OVERLAP = 32
NARROW = 16 * 1024
SEGMENT = 1024


class Relay:
    """Listens on a port of its own.

    Attributes:
        url: where the viewer connects.
    """

    def __init__(
        self,
        target: Callable[[], tuple[str, int]],
        heard: Callable[[bytes, int], None],
        *,
        narrow: bool,
    ) -> None:
        """Prepare; `open` begins.

        Args:
            target: says where the server is now.
            heard: called with what the server sent over a connection, piece by piece, and how many
                bytes of that are new: each piece begins with the end of the one before it, so that
                nothing is cut in two.
            narrow: hold little, so that a nap is felt by the server.
        """
        self.url = ""
        self._target = target
        self._heard = heard
        self._narrow = narrow
        self._server: asyncio.Server | None = None
        self._awake = asyncio.Event()
        self._awake.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def doze(self) -> None:
        """Read no more of what the server sends; it piles up there."""
        self._awake.clear()

    def wake(self) -> None:
        """Read on."""
        self._awake.set()

    async def close(self) -> None:
        """Stop, and break off what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection, by a task that is known from the beginning: it can be closed."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back = None
        try:
            there, back = await self._connect()
            await asyncio.gather(self._up(reader, back), self._down(there, writer))
        except (OSError, asyncio.CancelledError):
            # The server is not there, or the relay is closed; either way the viewer sees an end.
            pass
        finally:
            for each in (writer, back):
                if each is not None:
                    each.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self._narrow:
            return await asyncio.open_connection(*self._target(), limit=CHUNK)
        near = socket.socket()
        try:
            near.setblocking(False)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
            # The far end's buffer is as many segments as it likes: they had better be small.
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
            await asyncio.get_running_loop().sock_connect(near, self._target())
            return await asyncio.open_connection(sock=near, limit=NARROW)
        except BaseException:
            near.close()
            raise

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tail = b""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                self._heard(tail + data, len(data))
                tail = (tail + data)[-OVERLAP:]
                writer.write(data)
                await writer.drain()
                await self._awake.wait()
        writer.close()
