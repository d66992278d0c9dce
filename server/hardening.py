"""aiohttp's edges, made safe: requests it cannot parse are answered without quoting them.

aiohttp puts the bytes of an oversized header or a malformed request line into its answer and its
log, where a token or a secret in a URL would then stand.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from questlog.campaign.errors import Invalid, TooLarge
from server.problems import problem

SENTENCES = {
    400: "The request is not HTTP this server can read, or a header is over the limit.",
    413: "The request is over the limit.",
}


class QuietHandler(RequestHandler):
    """A request handler that says of an unreadable request only that it was one."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer with a problem document and log the kind of the error, never its text."""
        del message
        self.logger.warning(
            "request failed: %s from %s", type(exc).__name__ if exc else status, request.remote
        )
        if request.writer.output_size > 0:
            raise ConnectionError("The response has begun; it can only be broken off.")
        sentence = SENTENCES.get(status, "The server failed.")
        refusal = TooLarge(sentence) if status == 413 else Invalid(sentence)
        response = problem(refusal, status)
        response.force_close()
        return response


class QuietServer(web.Server):
    """Makes a QuietHandler for each connection."""

    def __call__(self) -> RequestHandler:
        """Return the handler of a new connection."""
        return QuietHandler(self, loop=self._loop, **self._kwargs)


class QuietRunner(web.AppRunner):
    """An application runner whose server is a QuietServer."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        kwargs: dict[str, Any] = dict(server._kwargs)
        return QuietServer(
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,
            **kwargs,
        )
