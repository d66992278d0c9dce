"""The sockets: `/ws/campaign/player` and `/ws/campaign/dm`, from the upgrade to the hub."""

from __future__ import annotations

from aiohttp import web

from eventstore.errors import StoreError
from questlog.campaign.errors import Rejection, StoreUnavailable
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer
from questlog.sync.feed import DM
from questlog.sync.messages import SUBPROTOCOL
from questlog.sync.session import Session
from server.access.identity import Identity, OpenIdentity
from server.access.provider import MAX_TOKEN
from server.callers import mode_of
from server.connection import Connection, Socket
from server.doorway import NOBODY, Target, first_viewer, token_of
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
        identity = await _identify(request, services, address, only_dm=only_dm)
        viewer = NOBODY if identity is None else first_viewer(identity, only_dm)
        target = _target(request)
        mode = mode_of(request)
    except Rejection as error:
        refusal, mode = error, "delta"
    except StoreError:
        refusal, mode = StoreUnavailable("Who may come in cannot be read now."), "delta"
    most = max(config.max_player_message, MAX_TOKEN * 2)
    if only_dm or viewer.role == "dm":
        most = max(most, config.max_body)
    socket = Socket(most, services.hub.now, (SUBPROTOCOL,))
    writer = await socket.prepare(request)
    transport = request.transport
    if transport is None or transport.is_closing():
        return socket
    connection = Connection(
        socket,
        transport,
        Session(viewer, mode, config.message_limits()),
        services.clock.monotonic(),
        identity=identity,
        address=address,
        only_dm=only_dm,
    )
    if refusal is not None:
        await services.hub.turn_away(connection, refusal)
    else:
        await services.hub.serve(connection, writer, target)
    return socket


async def _identify(
    request: web.Request, services: Services, address: str, *, only_dm: bool
) -> Identity | None:
    """Return who opens this socket; None where the handshake brings no token."""
    if services.config.open:
        return OpenIdentity(DM if only_dm else _player(request))
    token = token_of(request)
    return None if token is None else await services.admission.identify(token, address)


def _target(request: web.Request) -> Target:
    campaign_id = request.query.get("campaign_id")
    if campaign_id is not None:
        check_name(campaign_id, "campaign id")
    return Target(campaign_id, request.query.get("table", "main"), request.query.get("since"))


def _player(request: web.Request) -> Viewer:
    """Return the player an open server believes a caller to be; none is anonymous."""
    player_id = request.query.get("player_id")
    return Viewer("player", None if player_id is None else check_name(player_id, "player id"))
