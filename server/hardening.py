"""aiohttp's edges, made safe: requests it cannot parse are answered without quoting them.

aiohttp puts the bytes of an oversized header or a malformed request line into its answer and its
log, where a token or a secret in a URL would then stand. It also closes at once, which resets the
connection of a peer that is still sending: the answer would be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from questlog.campaign.errors import Invalid, Rejection, TooLarge
from server.addresses import UNKNOWN
from server.guards import dress
from server.limits import Bucket, bucket
from server.links import LINGER
from server.problems import problem

SENTENCES: Mapping[int, str] = MappingProxyType(
    {
        400: "The request is not HTTP this server can read, or a header is over the limit.",
        413: "The request is over the limit.",
    }
)
# Seconds a connection may be open before its first request is there.
FIRST_REQUEST = 10.0
EXPECTATION = "100-continue"

Refused = Callable[[Rejection, str], None]
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class QuietHandler(RequestHandler):
    """A request handler that says of an unreadable request only that it was one."""

    __slots__ = (
        "_allowance",
        "_bytes",
        "_deaf",
        "_excess",
        "_gone",
        "_mourner",
        "_patience",
        "_unreadable",
        "refused",
    )

    def __init__(self, *args: Any, refused: Refused, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refused = refused
        self._gone = asyncio.Event()
        self._mourner: Callable[[], None] | None = None
        self._unreadable = False
        self._allowance: int | None = None
        self._bytes: Bucket | None = None
        self._deaf = False
        self._excess: Callable[[], None] | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection; who asks for nothing for a while is hung up on."""
        super().connection_made(transport)
        self._patience = self._loop.call_later(FIRST_REQUEST, self._hang_up, transport)

    def _hang_up(self, transport: asyncio.BaseTransport) -> None:
        if not self._request_count:
            transport.close()

    def meter(self, rate: int | None, excess: Callable[[], None]) -> None:
        """Take at most `rate` bytes a second (None: any number); past them call `excess`, once."""
        now = self._loop.time()
        self._bytes = None if rate is None else bucket(rate, now)
        self._excess = excess

    def when_gone(self, mourner: Callable[[], None]) -> None:
        """Have `mourner` called when the peer has gone: a handler that only writes is not told."""
        self._mourner = mourner

    def allow(self, size: int | None, excess: Callable[[], None]) -> None:
        """Take at most `size` more bytes (None: any number); past them call `excess`, once."""
        self._allowance, self._excess = size, excess

    def data_received(self, data: bytes) -> None:
        """Take what has come, as far as it is allowed."""
        over = self._deaf
        if over:
            return
        if self._allowance is not None:
            self._allowance -= len(data)
            over = self._allowance < 0
        elif self._bytes is not None:
            over = self._bytes.take(self._loop.time(), len(data)) > 0.0
        if not over:
            super().data_received(data)
            return
        # A frame with a gap in it could be read as another: nothing is heard from here on.
        self._deaf = True
        if self._excess is not None:
            self._excess()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note that the peer has gone."""
        if self._patience is not None:
            self._patience.cancel()
        self._gone.set()
        if self._mourner is not None:
            self._mourner()
        super().connection_lost(exc)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; after one to an unreadable request, give the peer time to read it."""
        if request.content.exception() is not None:
            # The body is not encoded as it says, and nobody can tell any more what follows it.
            resp.force_close()
            self._lingering_time = 0.0
        finished = await super().finish_response(request, resp, start_time)
        if self._unreadable:
            # From here on what still comes is thrown away.
            self._close = True
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._gone.wait()
        return finished

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an exception, but not a body that cannot be decoded: that is its sender's fault."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer with a problem document and log the kind of the error, never its text."""
        del message
        if status not in SENTENCES:
            self.logger.warning(
                "request failed: %s from %s", type(exc).__name__ if exc else status, request.remote
            )
        if request.writer.output_size > 0:
            raise ConnectionError("The response has begun; it can only be broken off.")
        sentence = SENTENCES.get(status, "The server failed.")
        refusal = TooLarge(sentence) if status == 413 else Invalid(sentence)
        if isinstance(exc, LineTooLong):
            refusal.limit = "max_header"
        if status in SENTENCES:
            self.refused(refusal, request.remote or UNKNOWN)
        self._unreadable = True
        response = problem(refusal, status)
        dress(response.headers, secure=request.secure)
        response.force_close()
        return response


def expecting(handle: Handle) -> Handle:
    """Return `handle` for requests that expect nothing but to be asked for their body.

    Any other expectation is refused (RFC 9110, 10.1.1), wherever the request goes. aiohttp would do
    so by quoting it.
    """

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        expectation = request.headers.get("Expect")
        if expectation and expectation.lower() != EXPECTATION:
            refusal = Invalid(f"The only expectation understood is {EXPECTATION}.")
            response = problem(refusal, 417)
            dress(response.headers, secure=request.secure)
            return response
        return await handle(request)

    return handler


class QuietServer(web.Server):
    """Makes a QuietHandler for each connection."""

    def __init__(self, *args: Any, refused: Refused, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refused = refused

    def __call__(self) -> RequestHandler:
        """Return the handler of a new connection."""
        return QuietHandler(self, loop=self._loop, refused=self._refused, **self._kwargs)


class QuietRunner(web.AppRunner):
    """An application runner whose server is a QuietServer.

    Args:
        refused: told of each request nobody could read, and the address it came from.
    """

    def __init__(self, *args: Any, refused: Refused, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refused = refused

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        kwargs: dict[str, Any] = dict(server._kwargs)
        return QuietServer(
            expecting(server.request_handler),
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,
            refused=self._refused,
            **kwargs,
        )
