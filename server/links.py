"""What a connection is made of: a WebSocket, a stream of events, or a box that is emptied.

All three are written to by one call that never waits, know how much waits in them, and can be
closed with a reason; so that one session, one room and one broadcast serve them alike.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Callable
from typing import Literal, Protocol

from aiohttp import WSCloseCode, web
from aiohttp.abc import AbstractStreamWriter

from questlog.campaign.errors import BadJson, Invalid, Rejection, TooLarge
from questlog.sync.closing import CloseCode, closes_with
from questlog.sync.messages import Encoded, Error
from server.frames import QUIET_EVENT, Form, close_frame, frames_of

PING = 0x89
CLOSE_GRACE = 2.0
LINGER = 1.0
HIGH_WATER = 64 * 1024

Kind = Literal["socket", "stream", "poll", "call"]


class Link(Protocol):
    """Where a connection's messages go."""

    kind: Kind
    form: Form

    @property
    def write(self) -> Callable[[bytes], None]:
        """Write bytes of the form; returns at once."""
        ...

    @property
    def buffered(self) -> Callable[[], int]:
        """Return how many bytes wait."""
        ...

    @property
    def closed(self) -> bool:
        """Whether nothing that is written now goes anywhere."""
        ...

    @property
    def code(self) -> int:
        """The code that a peer that has gone closed with; 1006: none."""
        ...

    def hold(self, most: int) -> None:
        """Call it full where `most` bytes wait."""
        ...

    async def drained(self) -> None:
        """Wait until it is not full. Raises ConnectionError where it breaks."""
        ...

    def ask(self, about: bytes = b"") -> None:
        """Make the peer show that it lives; where it can, it says what it was asked about."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close it, in a few seconds at most."""
        ...


class Socket(web.WebSocketResponse):
    """aiohttp's WebSocket, closing with the contract's codes where aiohttp finds the fault.

    Attributes:
        on_fault: told of each fault that aiohttp finds.
    """

    def __init__(
        self,
        max_message: int,
        now: Callable[[], str],
        protocols: tuple[str, ...],
        *,
        deflate: bool = True,
        ping_every: float | None = None,
    ) -> None:
        """Prepare.

        Args:
            ping_every: seconds; aiohttp then pings, and answers pings, by itself.
        """
        # Compression is negotiated here and done in `frames`: nothing but control frames is ever
        # sent through aiohttp's writer, so the order of frames is the order of our writes.
        super().__init__(
            protocols=protocols,
            compress=deflate,
            autoping=ping_every is not None,
            heartbeat=ping_every,
            max_msg_size=max_message,
            timeout=CLOSE_GRACE,
        )
        self._now = now
        self._farewell = asyncio.Lock()
        self.on_fault: Callable[[Rejection], None] | None = None

    def _set_closing(self, code: WSCloseCode) -> None:
        # So aiohttp wakes its reader for a close of ours, and would then hang up at once. The peer
        # is to answer first (RFC 6455, 7.1.1): one that finds the end of the connection together
        # with the close may take it for a break and never learn the code.
        if not (self.closed and code is WSCloseCode.OK):
            super()._set_closing(code)

    async def close(
        self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True
    ) -> bool:
        """Close, saying `too_large` or `bad_json` first where that is what aiohttp found."""
        if code == WSCloseCode.MESSAGE_TOO_BIG:
            code = self._say(TooLarge("The message is over the limit."))
            self._write(close_frame(code))
            # The rest of the message is still coming; closing on it would reset the connection,
            # and the peer would never read why.
            await asyncio.sleep(LINGER)
        elif code == WSCloseCode.INVALID_TEXT:
            code = self._say(BadJson("The frame is not UTF-8."))
        elif code == WSCloseCode.PROTOCOL_ERROR or isinstance(self.exception(), zlib.error):
            code = self._say(Invalid("The frame cannot be read."))
        # aiohttp closes once more where a handler ends, and hangs up as soon as that is done.
        async with self._farewell:
            return await super().close(code=code, message=message, drain=drain)

    def _say(self, fault: Rejection) -> CloseCode:
        if self.on_fault is not None:
            self.on_fault(fault)
        error = Error(fault.code, fault.message, self._now())
        self._write(frames_of(Encoded(error)).plain)
        return closes_with(fault.code)

    def _write(self, frame: bytes) -> None:
        transport = None if self._req is None else self._req.transport
        if transport is not None and not transport.is_closing():
            transport.write(frame)


class _Wire:
    """What a socket and a stream have in common: a transport that is written to with no copy."""

    def __init__(self, transport: asyncio.Transport, writer: AbstractStreamWriter) -> None:
        self.transport = transport
        self.write: Callable[[bytes], None] = transport.write
        self.buffered: Callable[[], int] = transport.get_write_buffer_size
        self._writer = writer

    def hold(self, most: int) -> None:
        """Call it full where `most` bytes wait."""
        # The transport must call itself full no later than we do, or there is nothing to wait for.
        self.transport.set_write_buffer_limits(high=min(most, HIGH_WATER))

    async def drained(self) -> None:
        """Wait until it is not full. Raises ConnectionError where it breaks."""
        await self._writer.drain()

    def _let_go(self) -> None:
        if self.transport.get_write_buffer_size():
            # A peer that does not read would hold its backlog until TCP gives up.
            self.transport.abort()


class SocketLink(_Wire):
    """A WebSocket."""

    kind: Kind = "socket"

    def __init__(
        self, websocket: Socket, transport: asyncio.Transport, writer: AbstractStreamWriter
    ) -> None:
        super().__init__(transport, writer)
        self.socket = websocket
        self.form = Form.DEFLATED if websocket.compress == 15 else Form.PLAIN

    @property
    def closed(self) -> bool:
        """Whether nothing that is written now goes anywhere."""
        return self.socket.closed or self.transport.is_closing()

    @property
    def code(self) -> int:
        """The code that a peer that has gone closed with; 1006: none."""
        return self.socket.close_code or WSCloseCode.ABNORMAL_CLOSURE

    def ask(self, about: bytes = b"") -> None:
        """Ask for a pong, which repeats `about` (RFC 6455, 5.5.3)."""
        self.write(bytes((PING, len(about))) + about)

    async def close(self, code: int, reason: str) -> None:
        """Send a close and wait a little for its answer; then let the transport go."""
        try:
            async with asyncio.timeout(CLOSE_GRACE + 1):
                await self.socket.close(code=code, message=reason.encode(), drain=False)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._let_go()


class StreamLink(_Wire):
    """A response of Server-Sent Events, chunked (RFC 9112, 7.1), that ends when it is closed.

    Its peer never says anything, so that it lives is seen from what it takes: a peer that has
    acknowledged nothing for a while is dropped by the kernel, where the kernel can.
    """

    kind: Kind = "stream"
    form: Form = Form.EVENT
    code: int = WSCloseCode.ABNORMAL_CLOSURE

    def __init__(
        self, transport: asyncio.Transport, writer: AbstractStreamWriter, patience: float
    ) -> None:
        super().__init__(transport, writer)
        self.over = asyncio.Event()
        wire = transport.get_extra_info("socket")
        if wire is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1000))

    @property
    def closed(self) -> bool:
        """Whether nothing that is written now goes anywhere."""
        return self.over.is_set() or self.transport.is_closing()

    def ask(self, about: bytes = b"") -> None:
        """Send a comment: nobody answers it, but TCP does."""
        self.write(QUIET_EVENT)

    async def close(self, code: int, reason: str) -> None:
        """Let the response end, which aiohttp does once its handler returns."""
        try:
            async with asyncio.timeout(CLOSE_GRACE):
                await self.drained()
        except (TimeoutError, ConnectionError):
            self._let_go()
        self.over.set()


class Mailbox:
    """A box of messages that somebody comes to empty."""

    form: Form = Form.BARE
    code: int = WSCloseCode.ABNORMAL_CLOSURE

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.closed = False
        self._messages: list[bytes] = []
        self._size = 0
        self._news = asyncio.Event()
        self._empty = asyncio.Event()

    def write(self, message: bytes) -> None:
        """Put a message in."""
        self._messages.append(message)
        self._size += len(message)
        self._empty.clear()
        self._news.set()

    def buffered(self) -> int:
        """Return the bytes of what is in it."""
        return self._size

    def take(self) -> list[bytes]:
        """Take everything out."""
        messages, self._messages, self._size = self._messages, [], 0
        self._news.clear()
        self._empty.set()
        return messages

    def put_back(self, messages: list[bytes]) -> None:
        """Put what was taken back in, before what has come since."""
        self._messages = messages + self._messages
        self._size += sum(map(len, messages))

    def nudge(self) -> None:
        """Wake whoever waits for news, though nothing has been put in: the session has moved."""
        self._news.set()

    async def news(self) -> None:
        """Wait until something is in it, the session has moved, or it is closed."""
        await self._news.wait()

    def hold(self, most: int) -> None:
        """Nothing to do: how full it is is asked each time."""

    async def drained(self) -> None:
        """Wait until it has been emptied."""
        await self._empty.wait()
        if self.closed:
            raise ConnectionResetError("The box is closed.")

    def ask(self, about: bytes = b"") -> None:
        """Nothing to do: whoever lives comes."""

    async def close(self, code: int, reason: str) -> None:
        """Close it; what is in it can still be taken."""
        self.closed = True
        self._news.set()
        self._empty.set()
