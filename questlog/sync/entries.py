"""Versions of a campaign with the views of them, each made once and from the one before it."""

from __future__ import annotations

from typing import Any

from questlog.campaign.events import EventHeader
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Projector, Seen, Viewer, view_key
from questlog.document import digest


class Sights:
    """The latest view of each name, so that the next costs what has changed since.

    A view is remembered from one turn to the next; one that is not asked for in a whole turn is
    forgotten, so that nothing is kept for those who have gone.
    """

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        self._now: dict[str, tuple[Projector, Seen]] = {}
        self._before: dict[str, tuple[Projector, Seen]] = {}

    def turn(self) -> None:
        """Begin a turn: forget what was not asked for in the one that ends."""
        self._before, self._now = self._now, {}

    def view(
        self, projector: Projector, document: dict[str, Any], viewer: Viewer, key: str
    ) -> dict[str, Any]:
        """Return what `projector.project` does for `viewer`, whose view is named `key`."""
        # What was seen under other rules says nothing about these.
        seen = projector.look(document, viewer, self.seen(projector, key))
        self._now[key] = (projector, seen)
        return seen.view

    def seen(self, projector: Projector, key: str) -> Seen | None:
        """Return what was last seen of the view named `key` under these rules, if anything."""
        known = self._now.get(key) or self._before.get(key)
        return known[1] if known is not None and known[0] is projector else None


class Entry:
    """One version of a campaign as the feed holds it: the state, its hash, and its views so far.

    Args:
        sights: the views of versions near by; None where there are none to share parts with.
    """

    __slots__ = (
        "_digests",
        "_distinct",
        "_sights",
        "hash",
        "header",
        "projector",
        "state",
        "views",
        "weight",
    )

    def __init__(
        self,
        state: CampaignState,
        chain_hash: str,
        projector: Projector,
        header: EventHeader | None = None,
        weight: int = 0,
        sights: Sights | None = None,
    ) -> None:
        self.state = state
        self.hash = chain_hash
        self.projector = projector
        self.header = header
        self.weight = weight
        self.views: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, str] = {}
        self._sights = sights
        self._distinct: frozenset[str] | None = None

    @property
    def version(self) -> int:
        """The version this entry is."""
        return self.state.version

    @property
    def distinct(self) -> frozenset[str]:
        """The ids of the players who may see something no other player sees; found when asked."""
        if self._distinct is None:
            self._distinct = self.projector.distinct_players(self.state.document)
        return self._distinct

    def key(self, viewer: Viewer) -> str:
        """Return the name of the view `viewer` has at this version."""
        return view_key(viewer, self.distinct)

    def view(self, viewer: Viewer) -> dict[str, Any]:
        """Return the document as `viewer` sees it at this version."""
        key = self.key(viewer)
        found = self.views.get(key)
        if found is None:
            document, projector = self.state.document, self.projector
            if self._sights is None:
                found = projector.project(document, viewer)
            else:
                found = self._sights.view(projector, document, viewer, key)
            self.views[key] = found
        return found

    def digest(self, viewer: Viewer) -> str:
        """Return the digest of what `viewer` sees at this version, made once for all who do."""
        key = self.key(viewer)
        found = self._digests.get(key)
        if found is None:
            found = self._digests[key] = digest(self.view(viewer))
        return found

    def would_show(self, viewer: Viewer, document: dict[str, Any]) -> dict[str, Any]:
        """Return what `viewer` would see, at this version, of a document that is nearly it."""
        known = None
        if self._sights is not None:
            self.view(viewer)
            known = self._sights.seen(self.projector, self.key(viewer))
        return self.projector.look(document, viewer, known).view
