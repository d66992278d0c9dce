"""Random documents, rules and viewers, and what they may see by a plain reading of the rules.

The plain reading is the canary's (`tools.canary.oracle`): one piece judges the projector here, and
what a whole server sends there.
"""

from __future__ import annotations

from typing import Any

from questlog.campaign.visibility import Viewer
from tools.canary.chance import PLAYERS, any_document, any_rules, changed
from tools.canary.oracle import view

__all__ = ["PLAYERS", "VIEWERS", "any_document", "any_rules", "changed", "texts", "view"]

VIEWERS = (
    Viewer("dm"),
    Viewer("spectator"),
    Viewer("player"),
    *(Viewer("player", name) for name in PLAYERS),
)


def texts(value: Any) -> set[str]:
    """Return every text in `value` that is not a key."""
    if isinstance(value, dict):
        return set().union(*map(texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts, value))
    return {value} if isinstance(value, str) else set()
