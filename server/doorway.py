"""How a socket's token comes: by header, by subprotocol, in the query, or as the first message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import WSMsgType, web
from msgspec import Struct

from questlog.campaign.errors import BadJson, TooLarge, Unauthenticated
from questlog.campaign.visibility import Viewer
from questlog.document import Limits
from questlog.sync.messages import Authenticate, Malformed, read_client_message
from server.access.identity import Identity, UserIdentity
from server.admission import bearer_of
from server.hardening import QuietHandler
from server.links import Socket

SUBPROTOCOL_PREFIX = "bearer."
# Enough for any token, and what stands round it.
ALLOWANCE = 32 * 1024
NOBODY = Viewer("spectator")


class Target(Struct, frozen=True):
    """What a socket came for: a campaign, or whatever is played at a table."""

    campaign_id: str | None
    table: str
    since: str | None


class GoneError(ConnectionError):
    """The peer left before it showed a token."""


def token_of(request: web.Request) -> str | None:
    """Return the token a handshake brings, None where it brings none.

    Raises:
        Unauthenticated: the Authorization header holds something else.
    """
    found = bearer_of(request)
    if found is not None:
        return found
    for line in request.headers.getall("Sec-WebSocket-Protocol", ()):
        for offered in line.split(","):
            name = offered.strip()
            if name.startswith(SUBPROTOCOL_PREFIX):
                return name.removeprefix(SUBPROTOCOL_PREFIX)
    return request.query.get("token")


def brings_token(request: web.Request) -> bool:
    """Return whether a handshake brings a token, be it good or not; else one may follow."""
    try:
        return token_of(request) is not None
    except Unauthenticated:
        return True


async def first_token(socket: Socket, limits: Limits, patience: float) -> str:
    """Wait for the message that brings the token of a socket whose handshake brought none.

    Args:
        patience: seconds to wait.

    Raises:
        Rejection: something else came, or nothing did in time.
        GoneError: the peer went away.
    """
    try:
        async with asyncio.timeout(patience):
            while True:
                message = await socket.receive()
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    return _read(message.data, limits)
                elif message.type is WSMsgType.BINARY:
                    raise BadJson("Frames are text, one JSON object each.")
                elif message.type is not WSMsgType.PONG:
                    raise GoneError
    except TimeoutError as error:
        refusal = Unauthenticated(f"No token came within {patience:g} seconds.")
        refusal.limit = "auth_timeout"
        raise refusal from error


@contextmanager
def on_allowance(transport: asyncio.Transport, excess: Callable[[], None]) -> Iterator[None]:
    """Let a stranger send no more than a token takes; past that, `excess` is called once.

    The socket behind it takes messages of any size its endpoint allows: a stranger's are cut off
    here, before they pile up.
    """
    protocol = _protocol(transport)
    if protocol is None:
        yield
        return
    protocol.allow(ALLOWANCE, excess)
    try:
        yield
    finally:
        protocol.allow(None, excess)


def meter(transport: asyncio.Transport, rate: int | None, excess: Callable[[], None]) -> None:
    """Let a peer send `rate` bytes a second (None: any number); past that, call `excess` once.

    Messages are counted one by one; this counts what is none: pongs, and frames that end nothing.
    """
    protocol = _protocol(transport)
    if protocol is not None:
        protocol.meter(rate, excess)


def _protocol(transport: asyncio.Transport) -> QuietHandler | None:
    """Return what counts the bytes of a connection; None where another's runner serves it.

    There, messages are still counted, and only what is none goes uncounted.
    """
    protocol = transport.get_protocol()
    return protocol if isinstance(protocol, QuietHandler) else None


def first_viewer(identity: Identity) -> Viewer:
    """Return who looks before a campaign is followed, when there is nothing to see.

    Who a provider's user is depends on the campaign.
    """
    return NOBODY if isinstance(identity, UserIdentity) else identity.viewer or NOBODY


def size_of(data: str | bytes) -> int:
    """Return the bytes of a message as it came."""
    return len(data.encode("utf-8", "surrogatepass")) if isinstance(data, str) else len(data)


def _read(frame: str, limits: Limits) -> str:
    if len(frame) > ALLOWANCE:
        # What was deflated is only now as long as it is.
        refusal = TooLarge("The first message is authenticate, and is small.")
        refusal.limit = "max_player_message"
        raise refusal
    message = read_client_message(frame, limits)
    if isinstance(message, Authenticate):
        return message.token
    if isinstance(message, Malformed) and message.fatal:
        raise message.rejection
    raise Unauthenticated("The first message of a socket without a token is authenticate.")
