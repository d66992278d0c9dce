"""HTTP: bringing an earlier version back, and what that would do."""

from __future__ import annotations

import os

from aiohttp import web
from msgspec import Raw

from questlog.campaign.commands import Request, Rewind
from questlog.campaign.decide import Minted, decide
from questlog.campaign.errors import UnknownVersion
from questlog.campaign.events import Actor
from questlog.campaign.ids import uuid7
from questlog.document import diff
from questlog.sync.entries import Entry
from server.bodies import RewindBody, RewindPreview, Rewound, Witness, answer, convert, read_json
from server.callers import actor_of, condition, identifier_of, looking
from server.clock import rfc3339
from server.registry import Seat
from server.services import Services, services_of


async def rewind(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/rewind"""
    services = services_of(request)
    body = convert(await read_json(request, services.config), RewindBody)
    identifier = identifier_of(request, body.id)
    async with services.registry.holding(request.match_info["id"]) as seat:
        target = await earlier(seat, body.to_version)
        command = Rewind(
            to_version=body.to_version,
            target=target.state.document,
            only=body.only or None,
            expected_version=body.expected_version,
            lease=body.lease,
            if_match=condition(request, seat),
        )
        if body.preview:
            return answer(await preview(services, seat, command, actor_of(request)))
        done = await seat.live.submit(Request(actor_of(request), command, identifier))
    position = services.position(done.version, done.hash, looking(request))
    rewound = Rewound(done.id, done.version, position, Raw(done.patch.encode()), done.duplicate)
    return answer(rewound, 200 if done.duplicate else 201)


async def earlier(seat: Seat, version: int) -> Entry:
    """Return a version of a campaign up to its head.

    Raises:
        UnknownVersion: there is no such one.
        StoreError, DamagedLogError: the log cannot be read.
    """
    found = None
    if 1 <= version <= seat.live.feed.head.version:
        found = await seat.live.memory.recall(version)
    if found is None:
        raise UnknownVersion(version=seat.live.state.version)
    return found


async def preview(services: Services, seat: Seat, command: Rewind, actor: Actor) -> RewindPreview:
    """Return what `command` would come to now.

    Raises:
        Rejection: it would come to nothing, and why.
    """
    now, state = services.clock.now_ms(), seat.live.state
    minted = Minted(rfc3339(now), uuid7(now, os.urandom(10)))
    decision = decide(state, Request(actor, command), minted, services.config.document_limits())
    after = seat.live.feed.entry(decision.state, "")
    seen = []
    known = await services.attendance.seen(state.campaign_id)
    for viewer, each in sorted(known.items(), key=str):
        version = min(each.sent, state.version)
        if version <= command.to_version:
            continue
        entry = await earlier(seat, version)
        undone = diff(entry.view(viewer), after.view(viewer))
        if undone and viewer.role != "dm":
            seen.append(Witness(viewer.role, viewer.player_id, version, undone))
    return RewindPreview(
        state.campaign_id,
        state.version,
        command.to_version,
        command.only,
        diff(state.document, decision.state.document),
        seen,
    )
