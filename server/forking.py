"""HTTP: a campaign that begins as a copy of another's log."""

from __future__ import annotations

import os

from aiohttp import web
from msgspec.structs import replace

from eventstore.errors import DamagedSourceError
from eventstore.port import Appended, Conflict, Duplicate, Reused
from questlog.campaign.commands import Fork, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.errors import CampaignExists, IdReused
from questlog.campaign.events import Actor, Origin
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.ids import uuid7
from server.bodies import Created, ForkBody, answer, convert, read_json
from server.callers import actor_of, idempotency_key, looking
from server.clock import rfc3339
from server.rewinding import earlier
from server.services import Services, services_of


async def fork(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/fork"""
    services = services_of(request)
    body = convert(await read_json(request, services.config), ForkBody)
    source, actor = request.match_info["id"], actor_of(request)
    outcome = await forked(services, source, body, actor, idempotency_key(request))
    duplicate = not isinstance(outcome, Appended)
    position = services.position(outcome.version, outcome.hash, looking(request))
    created = Created(body.new_id, outcome.version, position, duplicate)
    return answer(created, 200 if duplicate else 201)


async def forked(
    services: Services, source: str, body: ForkBody, actor: Actor, identifier: str | None
) -> Appended | Duplicate:
    """Make a campaign out of another's log up to a version; return its head: Appended or Duplicate.

    Raises:
        CampaignExists, IdReused: there is one of that id, or the id of the request is taken.
        UnknownCampaign, UnknownVersion: there is nothing to copy.
        DamagedSourceError: the log is damaged, up to there or so that it cannot be used at all.
        StoreError: it cannot be copied; nothing was, or the outcome is unknown.
    """
    try:
        async with services.registry.holding(source) as seat:
            entry = await earlier(seat, body.at_version)
    except DamagedLogError as error:
        sentence = f"The log of {source!r} is damaged and cannot be read: nothing was forked."
        raise DamagedSourceError(sentence) from error
    now = services.clock.now_ms()
    origin = Origin(source, entry.version, entry.hash)
    decision = decide(
        replace(entry.state, campaign_id=body.new_id),
        Request(actor, Fork(origin), identifier),
        Minted(rfc3339(now), uuid7(now, os.urandom(10))),
        services.config.document_limits(),
    )
    assert decision.event is not None, "a fork is an event"
    outcome = await services.store.fork(source, body.new_id, decision.event)
    if isinstance(outcome, Conflict):
        raise CampaignExists(version=outcome.version)
    if isinstance(outcome, Reused):
        raise IdReused(version=outcome.version)
    if isinstance(outcome, Appended):
        carrying = services.store.carry_snapshots(source, body.new_id, entry.version)
        services.background.spawn(carrying)
    return outcome
