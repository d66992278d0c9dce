"""Every HTTP call: its path, its handler, and the Structs of its bodies.

The application's router and the OpenAPI description are both made from this one list, so that
neither can say something the other does not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from aiohttp import web

from questlog.campaign.errors import Invalid
from questlog.campaign.visibility import Rules
from questlog.sync.messages import CommitForm
from server import campaigns, probes, sockets, states
from server.bodies import (
    ActivateBody,
    CampaignList,
    CampaignSummary,
    Changed,
    CommitAnswer,
    CreateBody,
    Created,
    EmptyBody,
    EventAnswer,
    Seated,
    StateAnswer,
)
from server.openapi import Route, describe
from server.problems import problem

CAMPAIGN = "/api/campaigns/{id}"
KEY = MappingProxyType(
    {"Idempotency-Key": "The commit's id: a retry with it is answered as a duplicate."}
)
BASE = MappingProxyType(
    {**KEY, "If-Match": "The version or position this change is based on (else 412)."}
)
BODY = ("bad_json", "invalid", "too_large")
CHANGE = (*BODY, "unknown_campaign", "version_conflict", "id_reused")


def routes() -> list[Route]:
    """Return every call, in the order of the documentation."""
    return [*_campaigns(), *_states(), *_rules_and_seats(), *_server()]


def _campaigns() -> list[Route]:
    """Return the calls about campaigns and their logs."""
    return [
        Route(
            method="PUT",
            path=CAMPAIGN,
            handler=campaigns.create,
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
            summary="List the campaigns the caller may know of.",
            response=CampaignList,
        ),
        Route(
            method="GET",
            path=CAMPAIGN,
            handler=campaigns.describe,
            summary="Describe one campaign.",
            response=CampaignSummary,
            codes=("unknown_campaign",),
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/events",
            handler=campaigns.commit,
            summary="Commit a change, in full form.",
            request=CommitForm,
            response=CommitAnswer,
            status=201,
            headers=BASE,
            codes=(*CHANGE, "patch_failed", "lease_lost"),
        ),
        Route(
            method="GET",
            path=f"{CAMPAIGN}/events",
            handler=campaigns.events,
            summary="Read the log.",
            response=EventAnswer,
            query={
                "after": "Events of later versions than this; 0 where not given.",
                "limit": "At most this many; 100 where not given, 1,000 at the most.",
                "kind": "Only events of this kind.",
            },
            codes=("invalid", "unknown_campaign"),
        ),
    ]


def _states() -> list[Route]:
    """Return the calls about documents."""
    return [
        Route(
            method="GET",
            path=f"{CAMPAIGN}/state",
            handler=states.read,
            summary="Read the document as the caller may see it.",
            response=StateAnswer,
            query={
                "version": "An earlier version.",
                "as": "Another viewer: dm, player, player:ID or spectator.",
            },
            headers={"If-None-Match": "The ETag of the state held (304 where it is still right)."},
            codes=("invalid", "unknown_campaign", "unknown_version"),
        ),
        Route(
            method="PUT",
            path=f"{CAMPAIGN}/state",
            handler=states.replace,
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
            summary="Patch the document (RFC 6902 or RFC 7396).",
            request=list[dict[str, Any]] | dict[str, Any],
            media=(states.JSON_PATCH, states.MERGE_PATCH),
            response=Changed,
            headers=BASE,
            codes=(*CHANGE, "patch_failed", "unsupported_media_type"),
        ),
    ]


def _rules_and_seats() -> list[Route]:
    """Return the calls about who sees what, and where it is played."""
    return [
        Route(
            method="PUT",
            path=f"{CAMPAIGN}/visibility",
            handler=campaigns.set_visibility,
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
            summary="Take the campaign from its table.",
            request=EmptyBody,
            response=Seated,
            headers=KEY,
            codes=(*BODY, "unknown_campaign", "id_reused"),
        ),
    ]


def _server() -> list[Route]:
    """Return the calls about the server itself."""
    return [
        Route(
            method="GET",
            path="/api/openapi.json",
            handler=describe_api,
            summary="This description.",
            response=dict[str, Any],
        ),
        Route(
            method="GET",
            path="/healthz",
            handler=probes.healthz,
            summary="Whether the server lives.",
            response=probes.Health,
        ),
        Route(
            method="GET",
            path="/readyz",
            handler=probes.readyz,
            summary="Whether the store can be written.",
            response=probes.Health,
        ),
    ]


async def describe_api(_request: web.Request) -> web.Response:
    """GET /api/openapi.json"""
    return web.json_response(describe(routes()))


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Ask for the body of a request that waits to be asked (RFC 9110, 10.1.1); refuse all else."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return problem(Invalid("The only expectation understood is 100-continue."), status=417)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # These bytes are no part of the response that follows.
    request.writer.output_size = 0
    return None


def add_to(app: web.Application) -> None:
    """Give `app` every call, and the sockets."""
    for route in routes():
        if route.method == "GET":
            app.router.add_get(route.path, route.handler, expect_handler=expect)
        else:
            app.router.add_route(route.method, route.path, route.handler, expect_handler=expect)
    app.router.add_get("/ws/campaign/player", sockets.player)
    app.router.add_get("/ws/campaign/dm", sockets.dm)
