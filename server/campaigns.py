"""HTTP: campaigns, their log, their rules and their seats."""

from __future__ import annotations

from aiohttp import web

from eventstore.port import Summary
from questlog.campaign.commands import Activate, Create, Request, SetVisibility
from questlog.campaign.errors import Invalid, UnknownCampaign
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Rules, Viewer
from questlog.sync.messages import CommitForm
from server.bodies import (
    ActivateBody,
    CampaignList,
    CampaignSummary,
    CommitAnswer,
    CreateBody,
    Created,
    EmptyBody,
    EventAnswer,
    Seated,
    answer,
    convert,
    read_json,
)
from server.callers import (
    actor_of,
    caller_of,
    condition,
    idempotency_key,
    identifier_of,
    looking,
    whole_number,
)
from server.live import Done
from server.services import Services, services_of

MAX_EVENTS = 1000
DEFAULT_EVENTS = 100


async def create(request: web.Request) -> web.Response:
    """PUT /api/campaigns/{id}"""
    services = services_of(request)
    campaign_id = check_name(request.match_info["id"], "campaign id")
    body = convert(await read_json(request, services.config), CreateBody)
    command = Create(body.structured_data, body.visibility, body.title)
    done = await services.registry.create(
        campaign_id, Request(actor_of(request), command, idempotency_key(request))
    )
    position = services.position(done.version, done.hash, looking(request))
    created = Created(campaign_id, done.version, position, done.duplicate)
    return answer(created, 200 if done.duplicate else 201)


async def list_all(request: web.Request) -> web.Response:
    """GET /api/campaigns"""
    services = services_of(request)
    identity = caller_of(request).known
    authenticator = services.admission.authenticator
    named = await authenticator.campaigns(identity)
    if named is None:
        found = await services.store.campaigns()
    else:
        each = [await services.store.summary(campaign_id) for campaign_id in named]
        found = [summary for summary in each if summary is not None]
    viewers = await authenticator.viewers([(identity, each.campaign_id) for each in found])
    seen = [
        await _summary(services, summary, viewer)
        for summary, viewer in zip(found, viewers, strict=True)
        if isinstance(viewer, Viewer)
    ]
    return answer(CampaignList(seen))


async def describe(request: web.Request) -> web.Response:
    """GET /api/campaigns/{id}"""
    services = services_of(request)
    summary = await services.store.summary(request.match_info["id"])
    if summary is None:
        raise UnknownCampaign
    return answer(await _summary(services, summary, looking(request)))


async def commit(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/events"""
    services = services_of(request)
    body = convert(await read_json(request, services.config), CommitForm)
    seat = await services.registry.find(request.match_info["id"])
    identifier = identifier_of(request, body.id)
    command = body.command(condition(request, seat))
    done = await seat.live.submit(Request(actor_of(request), command, identifier))
    position = services.position(done.version, done.hash, looking(request))
    reply = CommitAnswer(done.id, done.version, position, done.duplicate)
    return answer(reply, 200 if done.duplicate else 201)


async def events(request: web.Request) -> web.Response:
    """GET /api/campaigns/{id}/events"""
    services = services_of(request)
    campaign_id = request.match_info["id"]
    after = whole_number(request, "after", 0)
    limit = whole_number(request, "limit", DEFAULT_EVENTS)
    if not 1 <= limit <= MAX_EVENTS:
        raise Invalid(f"limit is 1 to {MAX_EVENTS}.")
    head = await services.store.head(campaign_id)
    if head is None:
        raise UnknownCampaign
    found = await services.store.read(
        campaign_id, after=after, until=head.version, limit=limit, kind=request.query.get("kind")
    )
    return answer(EventAnswer(list(found), head.version))


async def set_visibility(request: web.Request) -> web.Response:
    """PUT /api/campaigns/{id}/visibility"""
    services = services_of(request)
    rules = convert(await read_json(request, services.config), Rules)
    seat = await services.registry.find(request.match_info["id"])
    command = SetVisibility(rules, condition(request, seat))
    done = await seat.live.submit(Request(actor_of(request), command, idempotency_key(request)))
    position = services.position(done.version, done.hash, looking(request))
    return answer(CommitAnswer(done.id, done.version, position, done.duplicate))


async def activate(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/activate"""
    services = services_of(request)
    body = convert(await read_json(request, services.config), ActivateBody)
    campaign_id = request.match_info["id"]
    wanted = Request(actor_of(request), Activate(body.table, body.title), idempotency_key(request))
    done = await services.tables.activate(campaign_id, wanted)
    return await _seated(services, campaign_id, done, looking(request))


async def deactivate(request: web.Request) -> web.Response:
    """POST /api/campaigns/{id}/deactivate"""
    services = services_of(request)
    convert(await read_json(request, services.config), EmptyBody)
    campaign_id = request.match_info["id"]
    done = await services.tables.deactivate(
        campaign_id, actor_of(request), idempotency_key(request)
    )
    return await _seated(services, campaign_id, done, looking(request))


async def _seated(services: Services, campaign_id: str, done: Done, viewer: Viewer) -> web.Response:
    table = (await services.registry.find(campaign_id)).live.state.table
    position = services.position(done.version, done.hash, viewer)
    return answer(Seated(campaign_id, done.version, position, table, done.duplicate))


async def _summary(services: Services, summary: Summary, viewer: Viewer) -> CampaignSummary:
    """Return what a viewer may know of a campaign; the position is one of the viewer's own view."""
    version, position = summary.version, services.position(summary.version, summary.hash, viewer)
    if viewer.role == "player":
        # Which view a player shares, if any, depends on the document.
        head = (await services.registry.find(summary.campaign_id)).live.feed
        version, position = head.head.version, head.position(viewer)
    return CampaignSummary(
        summary.campaign_id,
        summary.title,
        version,
        position,
        summary.table,
        summary.created_at,
        summary.last_at,
    )
