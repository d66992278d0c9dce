"""HTTP: an invite becomes a token, and the page a player opens to do that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from questlog.campaign.errors import Forbidden, Unauthenticated
from questlog.campaign.ids import check_event_id
from server.access.invites import redeem
from server.access.records import viewer_at
from server.access.tokens import mint
from server.bodies import JoinBody, Joined, answer, convert, read_json
from server.callers import caller_of
from server.clock import rfc3339
from server.services import services_of

MAX_JOIN = 4_096
SECOND = 1000
# The page loads its own script and style and talks to this server; nothing else.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES: Mapping[str, str] = MappingProxyType(
    {"/join": "join.html", "/join/join.js": "join.js", "/join/join.css": "join.css"}
)
TYPES: Mapping[str, str] = MappingProxyType(
    {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def join(request: web.Request) -> web.Response:
    """POST /api/join"""
    services = services_of(request)
    access = services.admission.authenticator.access
    if access is None:
        raise Forbidden("This server asks nobody for a token: there is nothing to join.")
    body = convert(await read_json(request, services.config, most=MAX_JOIN), JoinBody)
    check_event_id(body.id)
    now = services.clock.now_ms()
    try:
        invite = await redeem(access, body.invite, body.id, now)
    except Unauthenticated:
        services.admission.failed(caller_of(request).address)
        raise
    viewer = viewer_at(invite.role, invite.member)
    token = mint(
        # What the file has newly may not be known at the door for another moment.
        services.admission.authenticator.signing_key,
        access.audience,
        campaign_id=invite.campaign_id,
        role=invite.role,
        player_id=viewer.player_id,
        now_ms=now,
        lasts=invite.lasts,
    )
    until = rfc3339(now + invite.lasts * SECOND)
    joined = Joined(token, invite.campaign_id, invite.role, viewer.player_id, until)
    return answer(joined, headers={"Cache-Control": "no-store"})


def pages() -> Mapping[str, Handler]:
    """Return the handler of each file of the page, by its path."""
    return {path: _file(name) for path, name in FILES.items()}


def _file(name: str) -> Handler:
    """Return what serves a file: whole, as it is small, so that no Range or date can be wrong."""
    path = Path(str(resources.files("server").joinpath("static", name)))
    body, kind = path.read_bytes(), TYPES[path.suffix]

    async def handler(_request: web.Request) -> web.StreamResponse:
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)

    return handler
