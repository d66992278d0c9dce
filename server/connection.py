"""One socket: its session, the single write path to its transport, and what it still owes."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, web

from questlog.campaign.errors import BadJson, Invalid, Rejection, TooLarge
from questlog.sync.closing import CloseCode, closes_with
from questlog.sync.messages import Encoded, Error
from questlog.sync.session import Session
from server.access.identity import Identity
from server.addresses import UNKNOWN
from server.frames import close_frame, frames_of
from server.limits import Bucket, Census

PING = b"\x89\x00"
CLOSE_GRACE = 2.0
LINGER = 1.0


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
    ) -> None:
        # Compression is negotiated here and done in `frames`: nothing but control frames is ever
        # sent through aiohttp's writer, so the order of frames is the order of our writes.
        super().__init__(
            protocols=protocols,
            compress=deflate,
            autoping=False,
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


class AnswerSlot:
    """The place of a request's answer among those its connection is owed."""

    __slots__ = ("id", "message")

    def __init__(self, identifier: str | None) -> None:
        self.id = identifier
        self.message: Encoded | None = None


class Connection:
    """A connected peer.

    Attributes:
        session: the protocol's state for this peer.
        deflate: whether the peer takes deflated frames.
        heard: when the last frame came, on the monotonic clock.
        sent: when the last heartbeat went, on the same clock.
        identity: who the peer is; None until it has shown a token.
        address: where it comes from.
        metered_as_dm: whether `bucket` is a DM's.
        renewals: how many tokens it has shown since the first.
        only_dm: whether it came to the DM's socket, where nobody else is served.
        counted: among which of its address's connections it is counted.
        bucket: how many messages it may send.
        place: what it is counted under among the connections of its member.
        table: the table followed, None where a campaign is.
        answers: what its requests are still owed, in their order.
    """

    __slots__ = (
        "_closing",
        "address",
        "answers",
        "audience",
        "bucket",
        "buffered",
        "counted",
        "deflate",
        "heard",
        "identity",
        "metered_as_dm",
        "only_dm",
        "place",
        "renewals",
        "room",
        "sent",
        "session",
        "socket",
        "table",
        "transport",
        "write",
    )

    def __init__(
        self,
        socket: Socket,
        transport: asyncio.Transport,
        session: Session,
        now: float,
        *,
        identity: Identity | None = None,
        address: str = UNKNOWN,
        only_dm: bool = False,
    ) -> None:
        self.identity = identity
        self.address = address
        self.only_dm = only_dm
        self.bucket: Bucket | None = None
        self.counted: Census | None = None
        self.metered_as_dm = False
        self.renewals = 0
        self.place: tuple[str, str] | None = None
        self.socket = socket
        self.transport = transport
        self.session = session
        self.deflate = socket.compress == 15
        self.heard = self.sent = now
        self.table: Any = None
        self.room: Any = None
        self.audience: Any = None
        self.answers: deque[AnswerSlot] = deque()
        self.write = transport.write
        self.buffered = transport.get_write_buffer_size
        self._closing = False

    @property
    def known(self) -> Identity:
        """Who the peer is, once it has been let in."""
        assert self.identity is not None, "a stranger is served nothing"
        return self.identity

    @property
    def label(self) -> str:
        """How logs name the peer."""
        return "(nobody)" if self.identity is None else self.identity.label

    @property
    def closing(self) -> bool:
        """Whether a close has been sent or is about to be."""
        return self._closing or self.socket.closed

    def send(self, message: Encoded) -> None:
        """Write `message` to the transport; returns at once, whatever the peer does."""
        if not self._closing and not self.transport.is_closing():
            self.write(frames_of(message).for_peer(self.deflate))

    def ping(self) -> None:
        """Ask for a pong: any frame shows that the peer lives."""
        if not self._closing and not self.transport.is_closing():
            self.write(PING)

    async def close(self, code: int, reason: str) -> None:
        """Send a close and wait a little for its answer; then let the transport go."""
        if self._closing:
            return
        self._closing = True
        try:
            async with asyncio.timeout(CLOSE_GRACE + 1):
                await self.socket.close(code=code, message=reason.encode(), drain=False)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            if self.transport.get_write_buffer_size():
                # A peer that does not read would hold its backlog until TCP gives up.
                self.transport.abort()
