"""Sessions: the stretches of a campaign's log from an activation to what ends it. Pure.

What ends one is a deactivation, the activation at another table, or a fork, whose log goes on from
a copy and sits at no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from questlog.campaign.events import (
    CampaignActivated,
    CampaignDeactivated,
    CampaignForked,
    Event,
    Role,
)
from questlog.campaign.evolve import DamagedLogError

# The kinds of events that begin and end sessions.
TURNS = ("campaign.activated", "campaign.deactivated", "campaign.forked")
NARRATION = "narration.begun"


class Turn(Struct, frozen=True):
    """An event that begins or ends a session."""

    version: int
    at: str
    fact: CampaignActivated | CampaignDeactivated | CampaignForked


class Tally(Struct, frozen=True):
    """How many events of one kind there are by one actor."""

    kind: str
    member: str
    role: Role
    events: int


class Session(Struct, frozen=True, kw_only=True):
    """One session.

    Attributes:
        number: from 1, in the order they began.
        title: what it was called as it began, None where it was not.
        from_version: the version of its `campaign.activated`.
        to_version: the last version in it, None while it is on.
        began_at, ended_at: RFC 3339; `ended_at` None while it is on.
        seconds: how long it lasted; while it is on, up to the log's latest event.
    """

    number: int
    title: str | None
    table: str
    from_version: int
    to_version: int | None
    began_at: str
    ended_at: str | None
    seconds: float

    def holds(self, version: int) -> bool:
        """Return whether a version is one of this session."""
        last = version if self.to_version is None else self.to_version
        return self.from_version <= version <= last


class Counts(Struct, frozen=True, kw_only=True):
    """What happened in a session.

    Attributes:
        events: how many.
        kinds: how many of each kind, the most frequent first.
        actors: how many by each `member` in their `role`, the busiest first.
        narrations: how many streams of text began.
    """

    events: int
    kinds: dict[str, int]
    actors: list[ActorCount]
    narrations: int


class ActorCount(Struct, frozen=True):
    """How many events an actor made."""

    member: str
    role: Role
    events: int


def turn_of(event: Event) -> Turn | None:
    """Return what an event does to sessions, None where it does nothing."""
    if event.kind not in TURNS:
        return None
    fact = event.fact()
    assert isinstance(fact, CampaignActivated | CampaignDeactivated | CampaignForked)
    return Turn(event.version, event.at, fact)


def sessions_of(turns: Iterable[Turn], last_at: str) -> list[Session]:
    """Return the sessions of a log, in order.

    Args:
        turns: where they begin and end, in order.
        last_at: when the log's latest event was appended.

    Raises:
        DamagedLogError: a time is none.
    """
    found: list[Session] = []
    for turn in turns:
        if found and found[-1].to_version is None:
            # A deactivation is the last event of its session; what else ends one is not in it.
            own = isinstance(turn.fact, CampaignDeactivated)
            last = turn.version if own else turn.version - 1
            length = _seconds(found[-1], turn.at)
            found[-1] = replace(found[-1], to_version=last, ended_at=turn.at, seconds=length)
        if isinstance(turn.fact, CampaignActivated):
            begun = Session(
                number=len(found) + 1,
                title=turn.fact.title,
                table=turn.fact.table,
                from_version=turn.version,
                to_version=None,
                began_at=turn.at,
                ended_at=None,
                seconds=0.0,
            )
            found.append(begun)
    if found and found[-1].to_version is None:
        found[-1] = replace(found[-1], seconds=_seconds(found[-1], last_at))
    return found


def session_at(turns: Sequence[Turn], version: int) -> int:
    """Return the version that the session began with which `version` is in; 0: it is in none.

    Raises:
        DamagedLogError: a time is none.
    """
    for session in reversed(sessions_of(turns, turns[-1].at if turns else "")):
        if session.holds(version):
            return session.from_version
    return 0


def counts_of(tallies: Iterable[Tally]) -> Counts:
    """Return what the tallies of a session come to."""
    kinds: dict[str, int] = {}
    actors: dict[tuple[str, Role], int] = {}
    for each in tallies:
        kinds[each.kind] = kinds.get(each.kind, 0) + each.events
        who = (each.member, each.role)
        actors[who] = actors.get(who, 0) + each.events
    return Counts(
        events=sum(kinds.values()),
        kinds=dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        actors=[
            ActorCount(member, role, events)
            for (member, role), events in sorted(
                actors.items(), key=lambda item: (-item[1], item[0])
            )
        ],
        narrations=kinds.get(NARRATION, 0),
    )


def _seconds(session: Session, until: str) -> float:
    try:
        began, ended = (datetime.fromisoformat(text) for text in (session.began_at, until))
        return (ended - began).total_seconds()
    except (ValueError, TypeError) as error:
        sentence = f"the session that began at version {session.from_version} has no times"
        raise DamagedLogError(sentence) from error
