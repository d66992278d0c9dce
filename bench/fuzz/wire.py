"""HTTP connections by hand: aiohttp's client is too polite to send what is not HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from msgspec import Struct

NO_BODY = frozenset({204, 304})
END = b"\r\n\r\n"


class Response(Struct, frozen=True):
    """An HTTP response: names of headers in lower case, of several with one name the last."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def last(self) -> bool:
        """Whether no other response follows on the connection."""
        return self.raw.startswith(b"HTTP/1.0") or self.headers.get("connection", "") == "close"


class BadResponseError(Exception):
    """What came is no HTTP response."""


class GoneError(ConnectionError):
    """The peer has gone, and all it sent has been read."""


class Line(asyncio.Protocol):
    """A TCP connection to a server; `async with` closes it.

    What came before a reset can be read after it, as it cannot from asyncio's own streams: a server
    that refuses too large a message says so, and is then sent the rest of it all the same.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._over = False
        self._more = asyncio.Event()

    @classmethod
    async def open(cls, port: int) -> Line:
        """Connect to a port of this machine."""
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(cls, "127.0.0.1", port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        self._received += data
        self._more.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will come."""
        self._over = True
        self._more.set()

    async def __aenter__(self) -> Line:
        """Return the connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the connection go, whatever still comes."""
        if self._transport is not None:
            self._transport.abort()

    def send(self, data: bytes) -> None:
        """Send bytes; what the peer does not read any more is lost without an error."""
        if self._transport is not None and not self._over and not self._transport.is_closing():
            self._transport.write(data)

    async def exactly(self, size: int) -> bytes:
        """Return the next so many bytes.

        Raises:
            GoneError: they do not come.
        """
        while len(self._received) < size:
            await self._wait()
        return self._take(size)

    async def until(self, end: bytes) -> bytes:
        """Return all up to the next `end`, and `end` itself.

        Raises:
            GoneError: it does not come.
        """
        while (at := self._received.find(end)) < 0:
            await self._wait()
        return self._take(at + len(end))

    async def everything(self, patience: float) -> bytes:
        """Return all that comes until the peer goes or is silent for `patience` seconds."""
        with suppress(TimeoutError, GoneError):
            while True:
                async with asyncio.timeout(patience):
                    await self._wait()
        return self._take(len(self._received))

    async def response(self, method: str) -> Response | None:
        """Return the next response to a request of this method; None where the peer went away.

        A handshake's is its head. What precedes the response proper (100) is passed over.

        Raises:
            BadResponseError: it is none.
        """
        while True:
            try:
                head = await self.until(END)
            except GoneError:
                if self._received:
                    raise BadResponseError(bytes(self._received)) from None
                return None
            status, headers = read_head(head)
            if status != 100:
                break
        size = int(headers.get("content-length", "0"))
        if method == "HEAD" or status in NO_BODY or status == 101:
            size = 0
        try:
            body = await self.exactly(size)
        except GoneError as error:
            raise BadResponseError(f"a body cut short: {head!r}") from error
        return Response(status, headers, body, head + body)

    async def _wait(self) -> None:
        if self._over:
            raise GoneError
        self._more.clear()
        await self._more.wait()

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken


def read_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers in the head of a response.

    Raises:
        BadResponseError: it is none.
    """
    first, *lines = head.removesuffix(END).decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    # An old version in a request that is none is given back.
    if version not in ("HTTP/1.1", "HTTP/1.0", "HTTP/0.9") or not rest[:3].isdigit():
        raise BadResponseError(first)
    pairs = [line.partition(":") for line in lines]
    if not all(colon for _, colon, _ in pairs):
        raise BadResponseError(head)
    return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}


def responses_in(data: bytes, methods: Sequence[str]) -> list[Response]:
    """Return the responses in all that came over a connection, the last perhaps cut short.

    Which request each answers is not known for certain: one without the body its length promises
    is taken for the answer to HEAD where another follows at once or nothing does.

    Raises:
        BadResponseError: something in it is none.
    """
    found: list[Response] = []
    while data:
        head, end, rest = data.partition(END)
        if not end:
            raise BadResponseError(data)
        status, headers = read_head(head + end)
        size = 0
        if status not in NO_BODY and status >= 200:
            size = int(headers.get("content-length", "0"))
        bare = size and (not rest or rest.startswith(b"HTTP/1.")) and "HEAD" in methods
        if bare:
            size = 0
        if status != 100:
            found.append(Response(status, headers, rest[:size], head + end + rest[:size]))
        if status == 101:
            break
        data = rest[size:]
    return found
