"""HTTP: live updates for whom no socket gets through: long poll and Server-Sent Events.

The messages are those of the sockets, from the same sessions. No cache may hold any of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

import msgspec
from aiohttp import HttpVersion11, web

from eventstore.errors import StoreError
from questlog.campaign.errors import Invalid, Rejection, StoreUnavailable
from questlog.campaign.evolve import DamagedLogError
from questlog.sync.session import Session
from server.bodies import read_body
from server.callers import caller_of, looking, mode_of
from server.connection import Connection
from server.doorway import Target
from server.frames import RETRY_EVENT
from server.hardening import QuietHandler
from server.links import StreamLink
from server.polling import Ask
from server.services import services_of

DEFAULT_WAIT = 25.0
LOOK_EVERY = 2.0
MAX_CLIENT = 64
NO_STORE: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store"})
STREAM: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "text/event-stream; charset=utf-8",
        **NO_STORE,
        # nginx, of what must not wait until there is more of it.
        "X-Accel-Buffering": "no",
    }
)


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /api/campaigns/{id}/stream"""
    services = services_of(request)
    hub, campaign_id = services.hub, request.match_info["id"]
    if request.version < HttpVersion11:
        raise Invalid("A stream needs HTTP/1.1.")
    # What would be refused is refused before the response begins: a browser then gives up.
    viewer, mode = looking(request), mode_of(request)
    since = request.headers.get("Last-Event-ID") or request.query.get("since")
    await services.registry.find(campaign_id)
    if request.method == "HEAD":
        # What it would begin with; what comes after the head is written past aiohttp.
        return web.Response(headers=STREAM)
    response = web.StreamResponse(headers=STREAM)
    response.force_close()
    writer = await response.prepare(request)
    transport = request.transport
    if writer is None or transport is None or transport.is_closing():
        return response
    config = services.config
    link = StreamLink(transport, writer, max(config.silence_timeout, config.slow_timeout))
    link.write(RETRY_EVENT)
    caller = caller_of(request)
    connection = Connection(
        link,
        Session(viewer, mode, config.message_limits()),
        services.clock.monotonic(),
        identity=caller.known,
        address=caller.address,
    )
    try:
        hub.arrive(connection)
        await hub.settle_down(connection, Target(campaign_id, "", since))
        await _ended(link)
    except Rejection as refusal:
        await hub.turn_away(connection, refusal)
    except (StoreError, DamagedLogError) as error:
        services.log.error("store unavailable", code=error.code, error=str(error))
        await hub.turn_away(connection, StoreUnavailable("The log cannot be read now."))
    finally:
        hub.forget(connection)
    return response


async def _ended(link: StreamLink) -> None:
    """Wait until a stream has been closed, or its peer has gone."""
    protocol = link.transport.get_protocol()
    if isinstance(protocol, QuietHandler):
        protocol.when_gone(link.over.set)
    while not link.closed:
        # Within another's application nobody tells.
        with suppress(TimeoutError):
            async with asyncio.timeout(None if isinstance(protocol, QuietHandler) else LOOK_EVERY):
                await link.over.wait()


async def updates(request: web.Request) -> web.Response:
    """GET /api/campaigns/{id}/updates"""
    services = services_of(request)
    introduce = request.query.get("introduce", "0")
    if introduce not in ("0", "1"):
        raise Invalid("introduce is 0 or 1.")
    client = request.query.get("client", "")
    if len(client) > MAX_CLIENT or not client.isprintable():
        raise Invalid(f"client has at most {MAX_CLIENT} printable characters.")
    since = request.query.get("since")
    ask = Ask(since, _wait(request), mode_of(request), introduce == "1", client)
    caller, campaign_id = caller_of(request), request.match_info["id"]
    protocol = None if request.transport is None else request.transport.get_protocol()
    # Within another's application nobody tells.
    when_gone = protocol.when_gone if isinstance(protocol, QuietHandler) else lambda _: None
    messages, position = await services.polls.poll(caller, campaign_id, ask, when_gone)
    return _told(messages, b',"position":%s' % msgspec.json.encode(position))


async def messages(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/messages"""
    services = services_of(request)
    viewer = looking(request)
    most = None if viewer.role == "dm" else services.config.max_player_message
    frame = await read_body(request, services.config, most=most)
    told = await services.polls.answer(caller_of(request), request.match_info["id"], frame)
    return _told(told)


def _told(told: list[bytes], more: bytes = b"") -> web.Response:
    return web.Response(
        body=b'{"messages":[%s]%s}' % (b",".join(told), more),
        content_type="application/json",
        headers=NO_STORE,
    )


def _wait(request: web.Request) -> float:
    """Return how many seconds a poll may wait for news."""
    text = request.query.get("wait")
    if text is None:
        return DEFAULT_WAIT
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise Invalid("wait is a number of seconds.")
    return float(text)
