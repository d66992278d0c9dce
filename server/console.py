"""HTTP: what a DM's console asks beside the game: the rules, rules tried out, and invites."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from msgspec import Struct

from questlog.campaign.authority import Act
from questlog.campaign.errors import Forbidden, Invalid
from questlog.campaign.ids import check_name
from questlog.campaign.viewers import viewer_named
from questlog.campaign.visibility import Projector, Rule, Rules, check_rules
from server.access.invites import list_invites, make_invite
from server.access.records import member_of
from server.bodies import answer, convert, read_json
from server.clock import rfc3339
from server.openapi import BODY, CAMPAIGN, Route
from server.services import services_of

DAY = 86_400
# Of one campaign, used, expired and revoked ones included: a leaked token fills no disk.
MAX_INVITES = 1_000


class RulesAnswer(Struct, frozen=True):
    """The rules in force at a version."""

    campaign_id: str
    version: int
    default: Literal["visible", "hidden"]
    rules: tuple[Rule, ...]


class PreviewBody(Struct, frozen=True, forbid_unknown_fields=True, rename={"viewer": "as"}):
    """Rules to try out, and whose view is asked for: `dm`, `player`, `player:ID`, `spectator`."""

    visibility: Rules
    viewer: str


class PreviewAnswer(Struct, frozen=True):
    """What somebody would see of a version under the rules that were tried out."""

    campaign_id: str
    version: int
    structured_data: dict[str, Any]


class InviteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to invite.

    Attributes:
        player_id: as whom who joins is seated; a spectator needs no name.
        uses: how many browsers may join by it; null: any number.
        expires_in, lasts: seconds: how long the link is good, and the seat of who joins.
    """

    player_id: str | None = None
    role: Literal["player", "spectator"] = "player"
    uses: int | None = 1
    expires_in: int = 7 * DAY
    lasts: int = 30 * DAY


class InviteAnswer(Struct, frozen=True):
    """An invite; its secret is told only now."""

    invite_id: str
    campaign_id: str
    secret: str
    expires_at: str


async def rules(request: web.Request) -> web.Response:
    """GET /api/campaigns/{id}/visibility"""
    seat = await services_of(request).registry.find(request.match_info["id"])
    entry = seat.live.feed.head
    said = entry.projector.rules
    told = RulesAnswer(seat.live.campaign_id, entry.version, said.default, said.rules)
    return answer(told)


async def preview(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/visibility/preview"""
    services = services_of(request)
    body = convert(await read_json(request, services.config), PreviewBody)
    check_rules(body.visibility)
    viewer = viewer_named(body.viewer)
    seat = await services.registry.find(request.match_info["id"])
    entry = seat.live.feed.head
    view = Projector(body.visibility).project(entry.state.document, viewer)
    return answer(PreviewAnswer(seat.live.campaign_id, entry.version, view))


async def invite(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/invites"""
    services = services_of(request)
    access = services.admission.authenticator.access
    if access is None:
        raise Forbidden("This server asks nobody for a token: anybody may come.")
    body = convert(await read_json(request, services.config), InviteBody)
    seat = await services.registry.find(request.match_info["id"])
    if body.role == "player" and body.player_id is None:
        raise Invalid("An invite for a player names one.")
    if body.player_id is not None:
        check_name(body.player_id, "player id")
    if min(body.expires_in, body.lasts) < 1 or (body.uses is not None and body.uses < 1):
        raise Invalid("uses, expires_in and lasts are 1 or more.")
    if max(body.expires_in, body.lasts) > 3_650 * DAY:
        raise Invalid("An invite is good for ten years at the most, and so is a seat.")
    campaign_id = seat.live.campaign_id
    if len(await list_invites(access, campaign_id)) >= MAX_INVITES:
        raise Invalid(f"This campaign has {MAX_INVITES} invites already.")
    now = services.clock.now_ms()
    expires_at = now + body.expires_in * 1000
    invite_id, secret = await make_invite(
        access,
        campaign_id,
        member_of(body.role, body.player_id),
        body.role,
        max_uses=body.uses,
        expires_at=expires_at,
        lasts=body.lasts,
        now_ms=now,
    )
    told = InviteAnswer(invite_id, campaign_id, secret, rfc3339(expires_at))
    return answer(told, status=201, headers={"Cache-Control": "no-store"})


def console() -> list[Route]:
    """Return the calls, in the order of the documentation."""
    return [
        Route(
            method="GET",
            path=f"{CAMPAIGN}/visibility",
            handler=rules,
            act=Act.HISTORY,
            summary="Read the visibility rules in force.",
            response=RulesAnswer,
            codes=("unknown_campaign",),
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/visibility/preview",
            handler=preview,
            act=Act.HISTORY,
            summary="Try rules out: what somebody would see under them.",
            request=PreviewBody,
            response=PreviewAnswer,
            codes=(*BODY, "unknown_campaign"),
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/invites",
            handler=invite,
            act=Act.INVITE,
            summary="Invite somebody to a seat.",
            request=InviteBody,
            response=InviteAnswer,
            status=201,
            codes=(*BODY, "unknown_campaign"),
        ),
    ]
