"""HTTP: a campaign's document, read as any viewer and changed as a whole or by patch."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import Raw

from eventstore.moments import version_at
from questlog.campaign.authority import Act, require
from questlog.campaign.commands import Commit, Request
from questlog.campaign.errors import Invalid, UnsupportedMediaType
from questlog.campaign.moments import parse_moment
from questlog.campaign.viewers import viewer_named
from server.bodies import Changed, StateAnswer, answer, read_json, require_object
from server.callers import (
    actor_of,
    condition,
    idempotency_key,
    looking,
    whole_number,
)
from server.registry import Seat
from server.rewinding import earlier
from server.services import services_of

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


async def read(request: web.Request) -> web.Response:
    """GET /api/campaigns/{id}/state"""
    services = services_of(request)
    seat = await services.registry.find(request.match_info["id"])
    viewer = looking(request)
    if request.query.keys() & {"as", "version", "at"}:
        require(viewer.role, Act.HISTORY)
    if "as" in request.query:
        viewer = viewer_named(request.query["as"])
    entry = seat.live.feed.head
    if "at" in request.query:
        if "version" in request.query:
            raise Invalid("version and at both say when: give one of them.")
        # In a query a plus sign is a space.
        moment = parse_moment(request.query["at"].replace(" ", "+"))
        found = await version_at(services.store, seat.live.campaign_id, moment)
        entry = await earlier(seat, found)
    elif "version" in request.query:
        entry = await earlier(seat, whole_number(request, "version", 0))
    position = str(seat.live.feed.seal(entry, entry.key(viewer)))
    if viewer == looking(request):
        services.attendance.answered(seat.live.campaign_id, viewer, entry.version)
    etag = f'"{position}"'
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"ETag": etag, "Cache-Control": "no-cache"})
    body = StateAnswer(seat.live.campaign_id, entry.version, position, entry.view(viewer))
    return answer(body, headers={"ETag": etag})


async def replace(request: web.Request) -> web.Response:
    """PUT /api/campaigns/{id}/state"""
    services = services_of(request)
    document = require_object(await read_json(request, services.config))
    seat = await services.registry.find(request.match_info["id"])
    key = idempotency_key(request)
    command = Commit(
        structured_data=document,
        if_match=condition(request, seat),
        log_unchanged=key is not None,
    )
    return await _change(request, seat, command, key)


async def patch(request: web.Request) -> web.Response:
    """PATCH /api/campaigns/{id}/state"""
    services = services_of(request)
    kind = request.content_type.lower()
    if kind not in (JSON_PATCH, MERGE_PATCH):
        raise UnsupportedMediaType(f"A patch is {JSON_PATCH} or {MERGE_PATCH}.")
    value = await read_json(request, services.config)
    seat = await services.registry.find(request.match_info["id"])
    key = idempotency_key(request)
    base = condition(request, seat)
    if kind == JSON_PATCH:
        command = Commit(patch=_operations(value), if_match=base, log_unchanged=True)
    else:
        merge = require_object(value)
        command = Commit(merge=merge, if_match=base, log_unchanged=key is not None)
    return await _change(request, seat, command, key)


async def _change(
    request: web.Request, seat: Seat, command: Commit, key: str | None
) -> web.Response:
    done = await seat.live.submit(Request(actor_of(request), command, key))
    position = services_of(request).position(done.version, done.hash, looking(request))
    return answer(Changed(done.version, position, Raw(done.patch.encode()), done.duplicate))


def _operations(value: Any) -> list[dict[str, Any]]:
    if type(value) is not list or not all(type(operation) is dict for operation in value):
        raise Invalid("A JSON Patch is a list of operations.")
    return value
