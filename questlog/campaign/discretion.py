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
# Who may know of whom is asked again and again: of a hundred by a hundred, of thousands by a few.
REMEMBERED = 20_000


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
        self._known: dict[tuple[Viewer, Viewer], bool] = {}

    def knows(self, viewer: Viewer, member: Viewer) -> bool:
        """Return whether `viewer` may know that `member` is there; of themselves they always do."""
        if self.open or viewer.role == "dm" or viewer == member:
            return True
        known = self._known.get((viewer, member))
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[viewer, member] = self._sees(viewer, member)
        return known

    def _sees(self, viewer: Viewer, member: Viewer) -> bool:
        there: dict[str, Any] = {PLACE: {member.role: {member.member: {}}}}
        seen = self._projector.project(there, viewer)
        return member.member in seen.get(PLACE, {}).get(member.role, {})
