"""HTTP: a log told again, by Server-Sent Events or over a socket that takes controls.

Unlike a broadcast a replay waits for its peer: nobody else waits with it. It costs live play
little: between two messages it rests for as long as making one took, and there are so many at once
at most.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from aiohttp import ClientConnectionResetError, HttpVersion11, WSMsgType, web

from eventstore.errors import StoreError
from questlog.campaign.errors import (
    Invalid,
    Rejection,
    StoreUnavailable,
    UnknownCampaign,
    UnknownVersion,
)
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.position import Position, parse_position
from questlog.campaign.viewers import viewer_named
from questlog.sync.closing import CloseCode, closes_with
from questlog.sync.messages import SUBPROTOCOL, Error
from questlog.sync.replay import (
    DEFAULT_GAP,
    Control,
    Speed,
    check_speed,
    read_control,
)
from server.callers import confirm
from server.clock import rfc3339
from server.fallbacks import STREAM
from server.links import Socket
from server.services import Services, services_of
from server.showing import DAY, GoneError, Outlet, Showing, Wanted, version_of

MAX_CONTROL = 4096
PING_EVERY = 20.0


class _Events(Outlet):
    """A stream of Server-Sent Events: nothing comes back."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        super().__init__()
        self._request = request
        self._response = response

    async def send(self, payload: bytes, place: str | None = None) -> None:
        """See `Outlet.send`."""
        named = b"" if place is None else b"id: %s\n" % place.encode()
        await self._write(b"%sdata: %s\n\n" % (named, payload))

    async def look(self, *, at_rest: bool) -> None:
        """See `Outlet.look`; at rest a comment finds out whether the peer is there."""
        await confirm(self._request)
        if at_rest:
            await self._write(b":\n\n")

    async def _write(self, data: bytes) -> None:
        try:
            await self._response.write(data)
        except (ClientConnectionResetError, ConnectionError) as error:
            raise GoneError from error


class _Socket(Outlet):
    """A socket, which is read for as long as `listening` lasts.

    Attributes:
        faulty: whether something came that is no message: what to say of that is said already.
    """

    controlled = True

    def __init__(self, request: web.Request, socket: Socket) -> None:
        super().__init__()
        self.faulty = False
        self._request = request
        self._socket = socket
        socket.on_fault = self._fault

    def _fault(self, _: Rejection) -> None:
        self.faulty = True

    async def send(self, payload: bytes, place: str | None = None) -> None:
        """See `Outlet.send`."""
        if self._socket.closed or self.faulty:
            raise GoneError
        try:
            await self._socket.send_str(payload.decode())
        except (ClientConnectionResetError, ConnectionError) as error:
            raise GoneError from error

    async def look(self, *, at_rest: bool) -> None:
        """See `Outlet.look`; the socket's own pings tell whether the peer is there."""
        await confirm(self._request)
        if self._socket.closed:
            raise GoneError

    async def listen(self) -> None:
        """Take controls until the peer goes, which is None in the queue."""
        async for message in self._socket:
            if message.type is WSMsgType.ERROR:
                break
            if message.type is WSMsgType.TEXT:
                try:
                    control: Control | Rejection = read_control(message.data)
                except Rejection as rejection:
                    control = rejection
            else:
                control = Invalid("A control is a text frame.")
            await self.controls.put(control)
        await self.controls.put(None)


async def replay(request: web.Request) -> web.StreamResponse:
    """GET /api/campaigns/{id}/replay"""
    services = services_of(request)
    wanted = await _wanted(request, services)
    with services.replays.one():
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _by_socket(request, wanted)
        return await _by_events(request, wanted)


async def _by_events(request: web.Request, wanted: Wanted) -> web.StreamResponse:
    if request.version < HttpVersion11:
        raise Invalid("A stream needs HTTP/1.1.")
    if wanted.since is not None and wanted.since.version >= wanted.last:
        # What a browser is told that comes back after the end: it is not to come again.
        return web.Response(status=204)
    response = web.StreamResponse(headers=STREAM)
    response.force_close()
    if request.method == "HEAD":
        return web.Response(headers=STREAM)
    await response.prepare(request)
    outlet = _Events(request, response)
    with suppress(GoneError):
        try:
            await _show(request, wanted, outlet)
        except Rejection as refusal:
            await outlet.send(_error(services_of(request), refusal))
        await response.write_eof()
    return response


async def _by_socket(request: web.Request, wanted: Wanted) -> web.StreamResponse:
    services = services_of(request)
    socket = Socket(
        MAX_CONTROL, services.hub.now, (SUBPROTOCOL,), deflate=False, ping_every=PING_EVERY
    )
    try:
        await socket.prepare(request)
    except ValueError as error:
        # aiohttp, of a handshake with bytes that are no text.
        raise web.HTTPBadRequest from error
    outlet = _Socket(request, socket)
    listening = asyncio.create_task(outlet.listen())
    code = 1000
    try:
        await _show(request, wanted, outlet)
        if services.replays.stopping.is_set():
            code = CloseCode.RESTARTING
    except GoneError:
        pass
    except Rejection as refusal:
        with suppress(GoneError):
            await outlet.send(_error(services, refusal))
        code = closes_with(refusal.code)
    finally:
        if not outlet.faulty:
            listening.cancel()
        await asyncio.wait([listening])
        await socket.close(code=code)
    return socket


async def _show(request: web.Request, wanted: Wanted, outlet: Outlet) -> None:
    services = services_of(request)
    now, stopping = services.clock.monotonic, services.replays.stopping
    try:
        await Showing(services.store, wanted, outlet, now, stopping).run()
    except (StoreError, DamagedLogError) as error:
        services.log.error("replay failed", code=error.code, error=str(error))
        raise StoreUnavailable("The log cannot be read here.") from error


async def _wanted(request: web.Request, services: Services) -> Wanted:
    """Return what a request wants replayed.

    Raises:
        Rejection: `invalid`, `unknown_campaign` or `unknown_version`.
    """
    query, campaign_id = request.query, request.match_info["id"]
    head = await services.store.head(campaign_id)
    if head is None:
        raise UnknownCampaign
    last = head.version
    if "to" in query:
        last = max(1, await _version(services, campaign_id, query["to"]))
    first = max(1, await _version(services, campaign_id, query.get("from", "1")))
    if max(first, last) > head.version:
        raise UnknownVersion(version=head.version)
    since = parse_position(request.headers.get("Last-Event-ID", ""))
    if since is not None:
        first_shown = max(since.version, first)
        since = Position(first_shown, since.proof if first_shown == since.version else None)
    if first > last:
        raise Invalid("A replay goes forward: from is not later than to.")
    viewer = viewer_named(query.get("as", "dm"))
    gap = _seconds(query.get("gap", str(DEFAULT_GAP)))
    speed = _speed(query.get("speed", "1"))
    return Wanted(campaign_id, first, last, viewer, speed, gap, since)


async def _version(services: Services, campaign_id: str, text: str) -> int:
    # In a query a plus sign is a space.
    return await version_of(services.store, campaign_id, text.replace(" ", "+"))


def _speed(text: str) -> Speed:
    if text == "max":
        return "max"
    try:
        return check_speed(float(text))
    except ValueError as error:
        raise Invalid("speed is a factor, or max.") from error


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= DAY:
        raise Invalid(f"gap is a number of seconds, up to {DAY:g}.")
    return seconds


def _error(services: Services, refusal: Rejection) -> bytes:
    now = rfc3339(services.clock.now_ms())
    return msgspec.json.encode(Error(refusal.code, refusal.message, now))
