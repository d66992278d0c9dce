"""Viewers as people and programs name them."""

from __future__ import annotations

from questlog.campaign.errors import Invalid
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer


def viewer_named(text: str) -> Viewer:
    """Return the viewer that `dm`, `player`, `player:mira` or `spectator` names.

    Raises:
        Invalid: it names none.
    """
    role, colon, player_id = text.partition(":")
    if role == "player":
        return Viewer("player", check_name(player_id, "player id") if colon else None)
    if role == "dm" and not colon:
        return Viewer("dm")
    if role == "spectator" and not colon:
        return Viewer("spectator")
    raise Invalid("A viewer is dm, player, player:ID or spectator.")
