"""What a request says of its caller and of what it is based on."""

from __future__ import annotations

from aiohttp import web

from questlog.campaign.errors import Invalid
from questlog.campaign.events import Actor
from questlog.campaign.ids import check_event_id
from questlog.campaign.position import Position, parse_position
from questlog.campaign.visibility import Viewer
from questlog.sync.entries import Entry
from questlog.sync.messages import Mode
from server.admission import Caller
from server.registry import Seat
from server.services import services_of

NEVER = 0


# Where a request keeps who makes it, once they have been let in.
CALLER: web.RequestKey[Caller] = web.RequestKey("questlog.caller", Caller)


def caller_of(request: web.Request) -> Caller:
    """Return who makes this request."""
    return request[CALLER]


async def confirm(request: web.Request) -> None:
    """Look again at who makes this request, and go on with what they are now.

    Raises:
        Unauthenticated, Forbidden: they may not do this any more.
    """
    admission = services_of(request).admission
    request[CALLER] = await admission.confirm(caller_of(request), request.match_info.get("id"))


def looking(request: web.Request) -> Viewer:
    """Return who looks at the campaign in the path."""
    viewer = caller_of(request).viewer
    assert viewer is not None, "the path names a campaign"
    return viewer


def actor_of(request: web.Request) -> Actor:
    """Return whom the log names for what this request commits."""
    viewer = looking(request)
    return Actor(viewer.member, viewer.role)


def identifier_of(request: web.Request, given: str | None) -> str | None:
    """Return the id of what a request commits: in its header or its body, None where in neither.

    Raises:
        Invalid: it is no id, or the two differ.
    """
    key = idempotency_key(request)
    if key is not None and given is not None and key != given:
        raise Invalid("The Idempotency-Key and the body's id differ.")
    return key if given is None else given


def mode_of(request: web.Request) -> Mode:
    """Return the form of updates a socket asks for.

    Raises:
        Invalid: it is neither `delta` nor `full`.
    """
    mode = request.query.get("mode", "delta")
    if mode == "delta":
        return "delta"
    if mode == "full":
        return "full"
    raise Invalid("mode is delta or full.")


def idempotency_key(request: web.Request) -> str | None:
    """Return the id this request is known by, None where it gives none.

    Raises:
        Invalid: it is no id.
    """
    key = request.headers.get("Idempotency-Key")
    return None if key is None else check_event_id(key)


def condition(request: web.Request, seat: Seat) -> int | None:
    """Return the version `If-Match` asks for; NEVER where nothing it names can hold.

    It may name several (RFC 9110, 13.1.1); a weak one never matches. A condition that cannot hold
    still goes to the log, where a retry is known by its id first.
    """
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    head = seat.live.feed.head
    versions = []
    for part in text.split(","):
        position = parse_position(part.strip().removeprefix('"').removesuffix('"'))
        if position is not None and _may_hold(position, head, seat, looking(request)):
            versions.append(position.version)
    if head.version in versions:
        return head.version
    return versions[0] if versions else NEVER


def _may_hold(position: Position, head: Entry, seat: Seat, viewer: Viewer) -> bool:
    """Return whether a change may be based on `position`: a proof holds at the head or not at all.

    A bare version is compared when the commit is decided.
    """
    if position.proof is None:
        return True
    return position.version == head.version and seat.live.feed.proves(position, head, viewer)


def whole_number(request: web.Request, name: str, default: int) -> int:
    """Return a query parameter that is a whole number from 0.

    Raises:
        Invalid: it is something else.
    """
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Invalid(f"{name} is a whole number.")
    return int(text)
