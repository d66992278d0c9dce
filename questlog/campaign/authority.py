"""Who may do what: the one table that HTTP calls and socket messages both ask.

Deny by default: what is not listed here is allowed to nobody. A role comes from a token or from the
membership table, never from what a client says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from questlog.campaign.errors import Forbidden
from questlog.campaign.events import Role


class Act(Enum):
    """Something a caller may want to do with a campaign; the value says it in words."""

    SEE = "see the campaign as one's own view shows it"
    HISTORY = "read the log, an earlier version, or another's view"
    CREATE = "create the campaign"
    COMMIT = "change the document or the rules"
    FORK = "copy the log into a campaign of its own"
    INVITE = "invite somebody to a seat"
    SEAT = "seat the campaign at a table, or take it away"
    SUGGEST = "propose something to the DM"
    SPEAK = "send signals, and say something of oneself"
    DECIDE = "dispose of suggestions"
    STEER = "take the wheel, or let go of it"
    NARRATE = "stream narration"
    METRICS = "read the server's metrics"


MAY: Mapping[Act, frozenset[Role]] = MappingProxyType(
    {
        Act.SEE: frozenset({"dm", "player", "spectator"}),
        Act.HISTORY: frozenset({"dm"}),
        Act.CREATE: frozenset({"dm"}),
        Act.COMMIT: frozenset({"dm"}),
        Act.FORK: frozenset({"dm"}),
        Act.INVITE: frozenset({"dm"}),
        Act.SEAT: frozenset({"dm"}),
        Act.SUGGEST: frozenset({"dm", "player"}),
        Act.SPEAK: frozenset({"dm", "player"}),
        Act.DECIDE: frozenset({"dm"}),
        Act.STEER: frozenset({"dm"}),
        Act.NARRATE: frozenset({"dm"}),
        # Of no campaign: for this machine, or a token made for it.
        Act.METRICS: frozenset(),
    }
)


def may(role: Role, act: Act) -> bool:
    """Return whether `role` may do `act`."""
    return role in MAY.get(act, frozenset())


def require(role: Role, act: Act) -> None:
    """Refuse `act` to a role that may not do it.

    Raises:
        Forbidden: it may not.
    """
    if not may(role, act):
        raise Forbidden(f"A {role} may not {act.value}.")
