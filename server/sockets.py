"""The sockets: `/ws/campaign/player` and `/ws/campaign/dm`, from the upgrade to the hub."""

from __future__ import annotations

from aiohttp import web

from questlog.campaign.errors import Rejection
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer
from questlog.sync.feed import DM
from questlog.sync.messages import SUBPROTOCOL
from questlog.sync.session import Session
from server.callers import mode_of
from server.connection import Connection, Socket
from server.services import services_of


async def player(request: web.Request) -> web.StreamResponse:
    """GET /ws/campaign/player"""
    return await _serve(request, None)


async def dm(request: web.Request) -> web.StreamResponse:
    """GET /ws/campaign/dm"""
    return await _serve(request, DM)


async def _serve(request: web.Request, viewer: Viewer | None) -> web.StreamResponse:
    services = services_of(request)
    limits = services.config.message_limits()
    socket = Socket(services.config.max_body, services.hub.now, (SUBPROTOCOL,))
    writer = await socket.prepare(request)
    transport = request.transport
    if transport is None or transport.is_closing():
        return socket
    now = services.clock.monotonic()
    try:
        session = Session(viewer or _player(request), mode_of(request), limits)
        campaign_id = request.query.get("campaign_id")
        if campaign_id is not None:
            check_name(campaign_id, "campaign id")
    except Rejection as refusal:
        connection = Connection(socket, transport, Session(Viewer("player"), "delta", limits), now)
        await services.hub.turn_away(connection, refusal)
        return socket
    connection = Connection(socket, transport, session, now)
    table = request.query.get("table", "main")
    await services.hub.serve(connection, writer, campaign_id, table, request.query.get("since"))
    return socket


def _player(request: web.Request) -> Viewer:
    """Return the player an open server believes a caller to be; none is anonymous."""
    player_id = request.query.get("player_id")
    return Viewer("player", None if player_id is None else check_name(player_id, "player id"))
