"""The sockets: `/ws/campaign/player` and `/ws/campaign/dm`, from the upgrade to the hub."""

from __future__ import annotations

from aiohttp import web

from questlog.campaign.errors import Rejection
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer
from questlog.sync.feed import DM
from questlog.sync.messages import SUBPROTOCOL
from questlog.sync.session import Session
from server.access.identity import Identity, OpenIdentity
from server.access.provider import MAX_TOKEN
from server.callers import mode_of
from server.connection import Connection
from server.doorway import NOBODY, Target, brings_token, first_viewer, token_of
from server.links import Socket, SocketLink
from server.services import Services, services_of


async def player(request: web.Request) -> web.StreamResponse:
    """GET /ws/campaign/player"""
    return await _serve(request, only_dm=False)


async def dm(request: web.Request) -> web.StreamResponse:
    """GET /ws/campaign/dm"""
    return await _serve(request, only_dm=True)


async def _serve(request: web.Request, *, only_dm: bool) -> web.StreamResponse:
    """Upgrade, then refuse: a browser shows no page the answer to a handshake that failed."""
    services = services_of(request)
    config, address = services.config, services.admission.addresses.of(request)
    identity: Identity | None = None
    refusal: Rejection | None = None
    viewer = NOBODY
    try:
        identity = await _identify(request, services, only_dm=only_dm)
        viewer = NOBODY if identity is None else first_viewer(identity)
        target = _target(request)
        mode = mode_of(request)
    except Rejection as error:
        refusal, mode = error, "delta"
    known_dm = viewer.role == "dm"
    most = max(config.max_player_message, MAX_TOKEN * 2)
    if only_dm or known_dm:
        most = max(most, config.max_body)
    # What a stranger has deflated would be inflated to a DM's size before anybody knows them.
    deflate = known_dm or not only_dm
    socket = Socket(most, services.hub.now, (SUBPROTOCOL,), deflate=deflate)
    try:
        writer = await socket.prepare(request)
    except ValueError as error:
        # aiohttp, of a handshake with bytes that are no text: it would quote or decode them.
        raise web.HTTPBadRequest from error
    transport = request.transport
    if transport is None or transport.is_closing():
        return socket
    link = SocketLink(socket, transport, writer)
    connection = Connection(
        link,
        Session(viewer, mode, config.message_limits()),
        services.clock.monotonic(),
        identity=identity,
        address=address,
        only_dm=only_dm,
        metrics=services.metrics,
    )
    if refusal is not None:
        await services.hub.turn_away(connection, refusal)
    else:
        await services.attendant.serve(connection, link, target)
    return socket


async def _identify(request: web.Request, services: Services, *, only_dm: bool) -> Identity | None:
    """Return who opens this socket; None where the handshake brings no token."""
    if services.config.open:
        return OpenIdentity(DM if only_dm else _player(request))
    if not brings_token(request):
        return None
    return await services.admission.identify_by(token_of, request)


def _target(request: web.Request) -> Target:
    campaign_id = request.query.get("campaign_id")
    if campaign_id is not None:
        check_name(campaign_id, "campaign id")
    return Target(campaign_id, request.query.get("table", "main"), request.query.get("since"))


def _player(request: web.Request) -> Viewer:
    """Return the player an open server believes a caller to be; none is anonymous."""
    player_id = request.query.get("player_id")
    return Viewer("player", None if player_id is None else check_name(player_id, "player id"))
