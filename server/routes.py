"""Every HTTP call: its path, its handler, and the Structs of its bodies.

The application's router and the OpenAPI description are both made from this one list, so that
neither can say something the other does not.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from questlog.campaign.authority import Act
from questlog.campaign.visibility import Rules
from questlog.sync.messages import CommitForm
from server import campaigns, fallbacks, joining, pages, probes, sockets, states
from server.admission import TokenReader
from server.bodies import (
    ActivateBody,
    CampaignList,
    CampaignSummary,
    Changed,
    CommitAnswer,
    CreateBody,
    Created,
    EmptyBody,
    JoinBody,
    Joined,
    MessageAnswer,
    Seated,
    StateAnswer,
    UpdatesAnswer,
)
from server.callers import CALLER
from server.console import console
from server.doorway import token_of
from server.history import history
from server.openapi import BASE, BODY, CAMPAIGN, CHANGE, KEY, Handler, Route, describe
from server.overview import LiveAnswer
from server.services import services_of


def routes() -> list[Route]:
    """Return every call, in the order of the documentation."""
    return [
        *_campaigns(),
        *history(),
        *_states(),
        *_live(),
        *_rules_and_seats(),
        *console(),
        *_doors(),
        *_server(),
    ]


def _campaigns() -> list[Route]:
    """Return the calls about campaigns and their logs."""
    return [
        Route(
            method="PUT",
            path=CAMPAIGN,
            handler=campaigns.create,
            act=Act.CREATE,
            summary="Create a campaign.",
            request=CreateBody,
            response=Created,
            status=201,
            headers=KEY,
            codes=(*BODY, "campaign_exists", "id_reused"),
        ),
        Route(
            method="GET",
            path="/api/campaigns",
            handler=campaigns.list_all,
            act=Act.SEE,
            summary="List the campaigns the caller may know of.",
            response=CampaignList,
        ),
        Route(
            method="GET",
            path=CAMPAIGN,
            handler=campaigns.describe,
            act=Act.SEE,
            summary="Describe one campaign.",
            response=CampaignSummary,
            codes=("unknown_campaign",),
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/events",
            handler=campaigns.commit,
            act=Act.COMMIT,
            summary="Commit a change, in full form.",
            request=CommitForm,
            response=CommitAnswer,
            status=201,
            headers=BASE,
            codes=(*CHANGE, "patch_failed", "lease_lost"),
        ),
    ]


def _states() -> list[Route]:
    """Return the calls about documents."""
    return [
        Route(
            method="GET",
            path=f"{CAMPAIGN}/state",
            handler=states.read,
            act=Act.SEE,
            summary="Read the document as the caller may see it.",
            response=StateAnswer,
            query={
                "version": "An earlier version.",
                "at": "The version there was at a moment (RFC 3339), instead.",
                "as": "Another viewer: dm, player, player:ID or spectator.",
            },
            headers={"If-None-Match": "The ETag of the state held (304 where it is still right)."},
            codes=("invalid", "unknown_campaign", "unknown_version"),
        ),
        Route(
            method="PUT",
            path=f"{CAMPAIGN}/state",
            handler=states.replace,
            act=Act.COMMIT,
            summary="Replace the document; the server finds the patch.",
            request=dict[str, Any],
            response=Changed,
            headers=BASE,
            codes=CHANGE,
        ),
        Route(
            method="PATCH",
            path=f"{CAMPAIGN}/state",
            handler=states.patch,
            act=Act.COMMIT,
            summary="Patch the document (RFC 6902 or RFC 7396).",
            request=list[dict[str, Any]] | dict[str, Any],
            media=(states.JSON_PATCH, states.MERGE_PATCH),
            response=Changed,
            headers=BASE,
            codes=(*CHANGE, "patch_failed", "unsupported_media_type"),
        ),
    ]


def _live() -> list[Route]:
    """Return the calls that do what sockets do, for whom no socket gets through."""
    since = "The position held, as the last message or answer gave it; none: a snapshot comes."
    mode = "`full`: every update carries the whole document; else deltas."
    return [
        Route(
            method="GET",
            path=f"{CAMPAIGN}/updates",
            handler=fallbacks.updates,
            act=Act.SEE,
            summary="Wait for news (long poll).",
            response=UpdatesAnswer,
            query={
                "since": since,
                "wait": "Seconds to wait for news; 25 where not given.",
                "mode": mode,
                "client": "Which of the caller's devices polls, in its own words.",
                "introduce": "1: tell who is there and what waits, though there is a position.",
            },
            codes=("invalid", "unknown_campaign"),
            as_socket=True,
        ),
        Route(
            method="GET",
            path=f"{CAMPAIGN}/stream",
            handler=fallbacks.stream,
            act=Act.SEE,
            summary="Follow the campaign by Server-Sent Events.",
            response=str,
            query={"since": since, "mode": mode},
            headers={"Last-Event-ID": "The position held: what a browser sends as it comes back."},
            codes=("invalid", "unknown_campaign"),
            as_socket=True,
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/messages",
            handler=fallbacks.messages,
            act=Act.SEE,
            summary="Send one message of a client's, as over a socket.",
            request=dict[str, Any],
            response=MessageAnswer,
            codes=(*BODY, "unknown_campaign"),
            as_socket=True,
        ),
    ]


def _rules_and_seats() -> list[Route]:
    """Return the calls about who sees what, and where it is played."""
    return [
        Route(
            method="PUT",
            path=f"{CAMPAIGN}/visibility",
            handler=campaigns.set_visibility,
            act=Act.COMMIT,
            summary="Put new visibility rules in force.",
            request=Rules,
            response=CommitAnswer,
            headers=BASE,
            codes=CHANGE,
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/activate",
            handler=campaigns.activate,
            act=Act.SEAT,
            summary="Seat the campaign at a table.",
            request=ActivateBody,
            response=Seated,
            headers=KEY,
            codes=(*BODY, "unknown_campaign", "id_reused"),
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/deactivate",
            handler=campaigns.deactivate,
            act=Act.SEAT,
            summary="Take the campaign from its table.",
            request=EmptyBody,
            response=Seated,
            headers=KEY,
            codes=(*BODY, "unknown_campaign", "id_reused"),
        ),
    ]


def _doors() -> list[Route]:
    """Return the calls of those who have no token yet."""
    return [
        Route(
            method="POST",
            path="/api/join",
            handler=joining.join,
            act=None,
            summary="Turn an invite into a token.",
            request=JoinBody,
            response=Joined,
            codes=(*BODY, "unauthenticated"),
        ),
        Route(
            method="GET",
            path="/api/sign-in",
            handler=pages.sign_in,
            act=None,
            summary="Where people sign in at the pages.",
            response=pages.SignIn,
        ),
    ]


def _server() -> list[Route]:
    """Return the calls about the server itself."""
    return [
        Route(
            method="GET",
            path="/api/openapi.json",
            handler=describe_api,
            act=None,
            summary="This description.",
            response=dict[str, Any],
        ),
        Route(
            method="GET",
            path="/healthz",
            handler=probes.healthz,
            act=None,
            summary="Whether the server lives.",
            response=probes.Health,
        ),
        Route(
            method="GET",
            path="/readyz",
            handler=probes.readyz,
            act=None,
            summary="Whether the store can be written.",
            response=probes.Health,
        ),
        Route(
            method="GET",
            path="/metrics",
            handler=probes.metrics,
            act=Act.METRICS,
            summary="Metrics in Prometheus's text format.",
            response=str,
        ),
        Route(
            method="GET",
            path="/api/live",
            handler=probes.live,
            act=Act.METRICS,
            summary="Who is at which campaign now, and how far behind.",
            response=LiveAnswer,
        ),
    ]


async def describe_api(request: web.Request) -> web.Response:
    """GET /api/openapi.json"""
    return web.json_response(describe(routes(), request.path.removesuffix("/api/openapi.json")))


def behind_the_door(
    act: Act | None, handler: Handler, as_socket: TokenReader | None = None
) -> Handler:
    """Return `handler` behind the door: who may not do `act` never reaches it.

    Args:
        as_socket: see `Admission.admit`.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        request[CALLER] = await services_of(request).admission.admit(request, act, as_socket)
        return await handler(request)

    return guarded


def add_to(app: web.Application) -> None:
    """Give `app` every call, and the sockets."""
    for route in routes():
        as_socket = token_of if route.as_socket else None
        handler = behind_the_door(route.act, route.handler, as_socket)
        if route.method == "GET":
            app.router.add_get(route.path, handler)
        else:
            app.router.add_route(route.method, route.path, handler)
    for path, page in pages.pages(pages.built()).items():
        app.router.add_get(path, behind_the_door(None, page))
    app.router.add_get("/ws/campaign/player", sockets.player)
    app.router.add_get("/ws/campaign/dm", sockets.dm)
