"""HTTP: a campaign's history: the calls that read the log or bring an earlier version back."""

from __future__ import annotations

from questlog.campaign.authority import Act
from server import campaigns, forking, replaying, rewinding, sessions
from server.bodies import (
    Created,
    EventAnswer,
    ForkBody,
    RewindBody,
    RewindPreview,
    Rewound,
)
from server.openapi import BASE, BODY, CAMPAIGN, CHANGE, KEY, Route


def history() -> list[Route]:
    """Return the calls about a campaign's history, in the order of the documentation."""
    return [
        Route(
            method="GET",
            path=f"{CAMPAIGN}/events",
            handler=campaigns.events,
            act=Act.HISTORY,
            summary="Read the log.",
            response=EventAnswer,
            query={
                "after": "Events of later versions than this; 0 where not given.",
                "limit": "At most this many; 100 where not given, 1,000 at the most.",
                "kind": "Only events of this kind.",
            },
            codes=("invalid", "unknown_campaign"),
        ),
        Route(
            method="GET",
            path=f"{CAMPAIGN}/replay",
            handler=replaying.replay,
            act=Act.HISTORY,
            summary="Replay the log as live messages, by Server-Sent Events or over a socket.",
            response=str,
            query={
                "from": "The version or moment to begin with; the beginning where not given.",
                "to": "The last version or moment; the head where not given.",
                "as": "The viewer: dm, player, player:ID or spectator; dm where not given.",
                "speed": "Times as fast as it was, or max; 1 where not given.",
                "gap": "Recorded seconds between two events to wait at the most; 10 if not given.",
            },
            headers={"Last-Event-ID": "The position shown last: what a browser comes back with."},
            codes=("invalid", "unknown_campaign", "unknown_version"),
            as_socket=True,
        ),
        *_played(),
        *_undone(),
    ]


def _played() -> list[Route]:
    """Return the calls about sessions, and about who missed what."""
    return [
        Route(
            method="GET",
            path=f"{CAMPAIGN}/sessions",
            handler=sessions.sessions,
            act=Act.SEE,
            summary="List the sessions, and who was there.",
            response=sessions.SessionList,
            query={
                "after": "Sessions of higher numbers than this; 0 where not given.",
                "limit": "At most this many; 100 where not given, 1,000 at the most.",
            },
            codes=("invalid", "unknown_campaign"),
        ),
        Route(
            method="GET",
            path=f"{CAMPAIGN}/recap",
            handler=sessions.recap,
            act=Act.SEE,
            summary="Tell what changed for somebody while they were gone.",
            response=sessions.Recap,
            query={
                "since": "The position they held; none: the last one they acknowledged.",
                "session": "From the beginning of this session instead, by its number.",
                "as": "Another viewer: dm, player, player:ID or spectator.",
            },
            codes=("invalid", "unknown_campaign", "unknown_version"),
        ),
    ]


def _undone() -> list[Route]:
    """Return the calls that bring an earlier version back, or go on from one."""
    return [
        Route(
            method="POST",
            path=f"{CAMPAIGN}/rewind",
            handler=rewinding.rewind,
            act=Act.COMMIT,
            summary="Bring the document of an earlier version back, or preview that.",
            request=RewindBody,
            response=Rewound,
            preview=RewindPreview,
            status=201,
            headers=BASE,
            codes=(*CHANGE, "unknown_version", "lease_lost"),
        ),
        Route(
            method="POST",
            path=f"{CAMPAIGN}/fork",
            handler=forking.fork,
            act=Act.FORK,
            summary="Copy the log up to a version into a new campaign.",
            request=ForkBody,
            response=Created,
            status=201,
            headers=KEY,
            codes=(*BODY, "unknown_campaign", "unknown_version", "campaign_exists", "id_reused"),
        ),
    ]
