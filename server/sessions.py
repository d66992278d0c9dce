"""HTTP: the sessions of a campaign, who was there, and what somebody missed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from msgspec import Struct

from questlog.campaign.authority import Act, require
from questlog.campaign.errors import Forbidden, Invalid, UnknownCampaign, UnknownVersion
from questlog.campaign.events import EventHeader, Role
from questlog.campaign.position import parse_position
from questlog.campaign.sessions import Counts, Session, counts_of, sessions_of
from questlog.campaign.viewers import viewer_named
from questlog.campaign.visibility import Viewer
from questlog.document import diff
from questlog.sync.entries import Entry
from questlog.sync.feed import Feed
from questlog.sync.hindsight import Hindsight, Trust
from questlog.sync.recap import Recount, changed, narratives
from server.access.attended import Attended
from server.bodies import answer
from server.callers import confirm, looking, whole_number
from server.crowd import is_known
from server.registry import Seat
from server.services import Services, services_of

DEFAULT_SESSIONS = 100
MAX_SESSIONS = 1000
# How many versions are gone through again to find which of their events a viewer may know of.
MAX_RECOUNTED = 2000
CHUNK = 100


class Presence(Struct, frozen=True):
    """Somebody who was at a session: when, and the newest version they said they hold (0: none).

    `player_id` null: whoever had no name, or the DM; `people` is how many of those there were at
    once.
    """

    role: Role
    player_id: str | None
    people: int
    first_at: str
    last_at: str
    version: int


class SessionTold(Struct, frozen=True, kw_only=True):
    """One session. To whoever is no DM `counts` is null, and `present` names themselves alone."""

    number: int
    title: str | None
    table: str
    from_version: int
    to_version: int | None
    began_at: str
    ended_at: str | None
    seconds: float
    counts: Counts | None
    present: list[Presence]


class SessionList(Struct, frozen=True):
    """Sessions in the order they began, and how many the campaign has had."""

    campaign_id: str
    sessions: list[SessionTold]
    total: int


class Recap(Struct, frozen=True, kw_only=True):
    """What became of a view between two versions, as far as its viewer may know of it now.

    `since_at` is when the first of them was made. `events` are those that changed the view, of
    versions after `events_after`; `narratives` are the entries new in it, `changed` the pointers
    that `patch` concerns.
    """

    campaign_id: str
    from_version: int
    to_version: int
    position: str
    since_at: str
    patch: list[dict[str, Any]]
    events: list[EventHeader]
    events_after: int
    narratives: list[Any]
    changed: list[str]


async def sessions(request: web.Request) -> web.Response:
    """GET /api/campaigns/{id}/sessions"""
    services, viewer = services_of(request), looking(request)
    campaign_id = request.match_info["id"]
    after = whole_number(request, "after", 0)
    limit = whole_number(request, "limit", DEFAULT_SESSIONS)
    if not 1 <= limit <= MAX_SESSIONS:
        raise Invalid(f"limit is 1 to {MAX_SESSIONS}.")
    found, head = await _sessions(services, campaign_id)
    present: dict[int, list[Attended]] = {}
    for row in await services.attendance.rows(campaign_id):
        # Nobody is told of others: what hides them now did not always, and the reverse.
        if viewer.role == "dm" or (row.viewer == viewer and is_known(viewer)):
            present.setdefault(row.session, []).append(row)
    told = []
    for session in found[after : after + limit]:
        counts = None
        if viewer.role == "dm":
            until = head if session.to_version is None else session.to_version
            tallies = await services.store.tallies(
                campaign_id, after=session.from_version - 1, until=until
            )
            counts = counts_of(tallies)
        told.append(told_of(session, counts, present.get(session.from_version, [])))
    return answer(SessionList(campaign_id, told, len(found)))


async def recap(request: web.Request) -> web.Response:
    """GET /api/campaigns/{id}/recap"""
    services, viewer = services_of(request), _who(request)
    if "since" in request.query and "session" in request.query:
        raise Invalid("since and session exclude each other.")
    async with services.registry.holding(request.match_info["id"]) as seat:
        while True:
            head = seat.live.feed.head
            told = await _told(request, services, seat, head, viewer)
            await confirm(request)
            if viewer != _who(request):
                raise Forbidden("You have another seat by now: ask again.")
            if seat.live.state.rules == head.state.rules:
                if viewer == looking(request):
                    services.attendance.answered(seat.live.campaign_id, viewer, head.version)
                return answer(told)
            # What was put together meanwhile may hold what is hidden by now.


async def _told(
    request: web.Request, services: Services, seat: Seat, head: Entry, viewer: Viewer
) -> Recap:
    """Return what is told of the versions up to `head`."""
    base, trust = await _base(request, services, seat, head, viewer)
    # Made here, where they are shared with whoever else looks.
    base.view(viewer), head.view(viewer)
    hindsight = await asyncio.to_thread(Hindsight, base, head, viewer, trust)
    events, events_after = await _events(services, seat, base, head, hindsight)
    before, after = hindsight.before, head.view(viewer)
    patch = diff(before, after)
    return Recap(
        campaign_id=seat.live.campaign_id,
        from_version=base.version,
        to_version=head.version,
        position=str(seat.live.feed.seal(head, head.key(viewer))),
        since_at=base.state.last_at,
        patch=patch,
        events=events,
        events_after=events_after,
        narratives=narratives(before, after),
        changed=changed(patch),
    )


def _who(request: web.Request) -> Viewer:
    """Return whose recap is asked for.

    Raises:
        Forbidden: it is another's, and the caller no DM.
        Invalid: `as` names nobody.
    """
    viewer = looking(request)
    if "as" not in request.query:
        return viewer
    require(viewer.role, Act.HISTORY)
    return viewer_named(request.query["as"])


async def _base(
    request: web.Request, services: Services, seat: Seat, head: Entry, viewer: Viewer
) -> tuple[Entry, Trust]:
    """Return the version a recap begins at, and why its viewer may know of that.

    The position given, or the one that was acknowledged; where that is gone, or never was, what
    was before the session asked for, or the last one; and the head, where there was none.
    """
    campaign_id = seat.live.campaign_id
    if "session" not in request.query:
        since = request.query.get("since")
        if since is not None:
            found = await _given(seat, head, viewer, since)
        else:
            found = await _acknowledged(services, seat, head, viewer)
        if found is not None:
            return found
    all_sessions, _ = await _sessions(services, campaign_id)
    number = whole_number(request, "session", len(all_sessions))
    if "session" in request.query and not 1 <= number <= len(all_sessions):
        sentence = f"There is no session {number}: there have been {len(all_sessions)}."
        raise UnknownVersion(sentence, version=head.version)
    if not all_sessions:
        return head, "none"
    version = min(all_sessions[number - 1].from_version - 1, head.version)
    return await seat.live.memory.recall(version) or head, "none"


async def _given(seat: Seat, head: Entry, viewer: Viewer, text: str) -> tuple[Entry, Trust] | None:
    """Return the version of a position, None where it is gone or was never this view's.

    A bare version says where to begin, and proves nothing: anybody can count.

    Raises:
        Invalid: it is no position.
    """
    position = parse_position(text)
    if position is None:
        raise Invalid("since is a position, as the last message or answer gave it.")
    if not 1 <= position.version <= head.version:
        return None
    entry = await seat.live.memory.recall(position.version)
    if entry is None or not seat.live.feed.proves(position, entry, viewer):
        return None
    return entry, "none" if position.proof is None else "proven"


async def _acknowledged(
    services: Services, seat: Seat, head: Entry, viewer: Viewer
) -> tuple[Entry, Trust] | None:
    """Return the version a viewer is known to hold, None where none is."""
    if not is_known(viewer):
        # What one of many who share a name holds says nothing of this one.
        return None
    found = await services.attendance.acknowledged(seat.live.campaign_id)
    version = found.get(viewer, 0)
    if not 1 <= version <= head.version:
        return None
    entry = await seat.live.memory.recall(version)
    return None if entry is None else (entry, "acknowledged")


async def _events(
    services: Services, seat: Seat, base: Entry, head: Entry, hindsight: Hindsight
) -> tuple[list[EventHeader], int]:
    """Return the events after `base` that may be told of, and after which version they are.

    The log is gone through again in a thread, so that nobody who plays waits for it.
    """
    after = max(base.version, head.version - MAX_RECOUNTED)
    start = base if after == base.version else await seat.live.memory.recall(after)
    if start is None or after >= head.version:
        return [], head.version
    feed = Feed(start.state, start.hash, services.store.secret, services.hub.now)
    recount = Recount(feed, hindsight)
    found: list[EventHeader] = []
    for version in range(after, head.version, CHUNK):
        until = min(version + CHUNK, head.version)
        events = await services.store.read(seat.live.campaign_id, after=version, until=until)
        found += await asyncio.to_thread(recount.take, events)
    return found, after


async def _sessions(services: Services, campaign_id: str) -> tuple[list[Session], int]:
    """Return a campaign's sessions, and the version of its head.

    Raises:
        UnknownCampaign: there is no such campaign.
    """
    summary = await services.store.summary(campaign_id)
    if summary is None:
        raise UnknownCampaign
    turns = await services.store.turns(campaign_id, until=summary.version)
    return sessions_of(turns, summary.last_at), summary.version


def _presence(row: Attended) -> Presence:
    viewer = row.viewer
    return Presence(viewer.role, viewer.player_id, row.people, row.first_at, row.last_at, row.held)


def told_of(session: Session, counts: Counts | None, present: Iterable[Attended]) -> SessionTold:
    """Return what is told of a session."""
    return SessionTold(
        number=session.number,
        title=session.title,
        table=session.table,
        from_version=session.from_version,
        to_version=session.to_version,
        began_at=session.began_at,
        ended_at=session.ended_at,
        seconds=session.seconds,
        counts=counts,
        present=[_presence(row) for row in present],
    )
