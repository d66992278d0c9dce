"""Discretion: which viewers may know of which members, by the campaign's own rules. Pure.

Members are no part of the document, but the rules speak of them as though they stood in it at
`/presence/ROLE/MEMBER`: `{"path": "/presence/spectator", "to": ["dm"]}` hides all spectators. Where
no rule speaks of them everybody is known to everybody, whatever the rules' `default` is.
"""

from __future__ import annotations

from typing import Any

from questlog.campaign.visibility import Projector, Rules, Viewer
from questlog.document import parse

PLACE = "presence"


class Discretion:
    """The rules in force, as far as they speak of members.

    Attributes:
        open: whether they do not.
    """

    def __init__(self, rules: Rules | None) -> None:
        spoken = () if rules is None else rules.rules
        found = tuple(rule for rule in spoken if parse(rule.path)[:1] == (PLACE,))
        self.open = not found
        self._projector = Projector(Rules(default="visible", rules=found))

    def knows(self, viewer: Viewer, member: Viewer) -> bool:
        """Return whether `viewer` may know that `member` is there; of themselves they always do."""
        if self.open or viewer.role == "dm" or viewer == member:
            return True
        there: dict[str, Any] = {PLACE: {member.role: {member.member: {}}}}
        seen = self._projector.project(there, viewer)
        return member.member in seen.get(PLACE, {}).get(member.role, {})
