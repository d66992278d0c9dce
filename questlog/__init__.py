"""Questlog: the state of a tabletop campaign as an event log, with live replicas.

The names below are loaded when they are first used, so that the library without its client needs
no network code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from questlog.broadcast.branch import Sent
    from questlog.broadcast.broadcaster import CampaignBroadcaster, Delivery
    from questlog.broadcast.hooks import loads_campaign, takes_turn
    from questlog.broadcast.turns import Turn
    from questlog.campaign.errors import Rejection
    from questlog.client import CampaignClient
    from questlog.document import apply, diff, rebase
    from questlog.sync.backoff import Backoff
    from questlog.sync.closing import ClosedError
    from questlog.sync.messages import Committed
    from questlog.sync.replica import Changed, Deactivated, Replica

__all__ = [
    "Backoff",
    "CampaignBroadcaster",
    "CampaignClient",
    "Changed",
    "ClosedError",
    "Committed",
    "Deactivated",
    "Delivery",
    "Rejection",
    "Replica",
    "Sent",
    "Turn",
    "apply",
    "diff",
    "loads_campaign",
    "rebase",
    "takes_turn",
]


def __getattr__(name: str) -> Any:
    """Import the module of an exported name when it is first asked for."""
    from importlib import import_module

    homes = {
        "questlog.broadcast.branch": ("Sent",),
        "questlog.broadcast.broadcaster": ("CampaignBroadcaster", "Delivery"),
        "questlog.broadcast.hooks": ("loads_campaign", "takes_turn"),
        "questlog.broadcast.turns": ("Turn",),
        "questlog.campaign.errors": ("Rejection",),
        "questlog.client": ("CampaignClient",),
        "questlog.document": ("apply", "diff", "rebase"),
        "questlog.sync.backoff": ("Backoff",),
        "questlog.sync.closing": ("ClosedError",),
        "questlog.sync.messages": ("Committed",),
        "questlog.sync.replica": ("Changed", "Deactivated", "Replica"),
    }
    for module, names in homes.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
