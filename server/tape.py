"""A tape: a log run forward for one viewer, message by message, as live play tells it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime

import msgspec

from eventstore.port import EventReader
from questlog.campaign.errors import UnknownVersion
from questlog.campaign.events import Event, EventHeader
from questlog.campaign.evolve import DamagedLogError, Step, fold
from questlog.campaign.position import Position
from questlog.campaign.state import Lease
from questlog.campaign.suggestions import Suggestion
from questlog.campaign.visibility import Viewer
from questlog.sync.entries import Entry
from questlog.sync.feed import Feed
from questlog.sync.messages import Encoded, Reason
from questlog.sync.talk import lease_told, suggestion_told

CHUNK = 32


class Tape:
    """Where one viewer is in a log. `wind` goes anywhere, `advance` one version on.

    It reads the log a chunk at a time, and makes its messages by a feed of its own: what is told is
    what was told then, under the rules of then, with the recorded times.

    Attributes:
        viewer: who looks.
        until: the last version there is.
        beside: what is told with the version shown, beside the document.
    """

    def __init__(self, store: EventReader, campaign_id: str, viewer: Viewer, until: int) -> None:
        self.viewer = viewer
        self.until = until
        self._store = store
        self._campaign_id = campaign_id
        self._feed: Feed | None = None
        self._coming: deque[Event] = deque()
        self._lease: Lease | None = None
        self.beside: list[Encoded] = []

    @property
    def entry(self) -> Entry:
        """The version shown."""
        assert self._feed is not None, "wind comes first"
        return self._feed.head

    @property
    def at(self) -> str:
        """When the version shown was appended."""
        return self.entry.state.last_at

    def proves(self, position: Position) -> bool:
        """Return whether a client at `position` holds what is shown."""
        return self._feed is not None and str(position) == self._feed.position(self.viewer)

    async def wind(self, version: int, reason: Reason) -> Encoded:
        """Go to a version, and return the snapshot of it.

        Raises:
            UnknownVersion: there is no such one.
            StoreError, DamagedLogError: the log cannot be read.
        """
        loaded = None
        if 1 <= version <= self.until:
            loaded = await self._store.load(self._campaign_id, at=version)
        if loaded is None:
            raise UnknownVersion(version=self.until)
        self._feed = Feed(loaded.state, loaded.hash, self._store.secret, lambda: self.at)
        self._coming.clear()
        # Whoever comes is told what waits; whoever comes back, what they may have been about to be.
        self.beside = self._said(lambda each: each.state == "pending" or each.version == version)
        return self._feed.snapshot(self.viewer, reason)

    async def between(self) -> float:
        """Return the recorded seconds from the version shown to the next; 0.0 at the end."""
        event = await self._next()
        return 0.0 if event is None else _seconds(self.at, event.at)

    async def advance(self) -> Encoded:
        """Go one version on, and return what takes the view there.

        Raises:
            StoreError, DamagedLogError: the log cannot be read, or does not go on so.
        """
        event = await self._next()
        if event is None or self._feed is None:
            raise DamagedLogError(f"version {self.entry.version + 1} is missing from the log")
        self._coming.popleft()
        try:
            step = Step(event.version, event.at, event.operations(), event.fact())
        except msgspec.MsgspecError as error:
            raise DamagedLogError(f"version {event.version} is no event: {error}") from error
        state = fold(self.entry.state, [step])
        header = EventHeader(event.version, event.id, event.kind, event.actor, event.at)
        before = self._feed.advance([(state, event.hash, header, len(bytes(event.patch)))])
        self.beside = self._said(lambda each: each.version == event.version)
        return self._feed.update(self.viewer, before)

    def _said(self, is_news: Callable[[Suggestion], bool]) -> list[Encoded]:
        """Return what is told of suggestions that are news, and of the wheel, to DMs.

        A suggestion without a name belonged to a connection, which is none of those that replay.
        """
        state, dm = self.entry.state, self.viewer.role == "dm"
        own = self.viewer.player_id if self.viewer.role == "player" else None
        said = [
            Encoded(suggestion_told(each, self.at))
            for each in state.suggestions
            if is_news(each) and (dm or (own is not None and each.player_id == own))
        ]
        if dm and state.lease != self._lease:
            said.append(Encoded(lease_told(state.lease, self.at)))
        self._lease = state.lease
        return said

    async def _next(self) -> Event | None:
        version = self.entry.version
        if not self._coming and version < self.until:
            self._coming.extend(
                await self._store.read(
                    self._campaign_id, after=version, until=self.until, limit=CHUNK
                )
            )
        return self._coming[0] if self._coming else None


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
