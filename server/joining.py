"""HTTP: an invite becomes a token."""

from __future__ import annotations

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
