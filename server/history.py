"""HTTP: a campaign's history: the calls that read the log or bring an earlier version back."""

from __future__ import annotations

from questlog.campaign.authority import Act
from server import campaigns
from server.bodies import EventAnswer
from server.openapi import CAMPAIGN, Route


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
    ]
