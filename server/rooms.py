"""A room: the connections that follow one campaign, and the broadcast to them.

Connections whose peers see the same view in the same form are an audience: one computation, one
encoding, one frame, and then a loop that does nothing but write. A broadcast never waits for a
peer; one whose outbox is over the limit leaves its audience and is brought up to date when it has
drained.
"""

from __future__ import annotations

from collections.abc import Callable

from questlog.campaign.visibility import viewer_of
from questlog.sync.entries import Entry
from questlog.sync.feed import ANY_PLAYER
from questlog.sync.messages import Encoded, Mode
from questlog.sync.session import Phase
from server.company import Choice, Company
from server.connection import Connection
from server.frames import Form, frames_of
from server.live import LiveCampaign
from server.metrics import Metrics

Key = tuple[str, Mode, Form]
# How many publications are remembered, for clients to acknowledge.
REMEMBERED = 512


class Audience:
    """Connections that get the same bytes.

    Attributes:
        members: each with the write of its transport, all that a delivery needs.
        headroom: bytes that may still be written to each before any can be over the outbox.
    """

    __slots__ = ("form", "headroom", "key", "members", "mode", "viewer")

    def __init__(self, key: Key, headroom: int) -> None:
        self.key = key
        # Made of the key and not of a member: what a group is sent must not depend on who is in it.
        self.viewer = viewer_of(key[0])
        _, self.mode, self.form = key
        self.members: dict[Connection, Callable[[bytes], None]] = {}
        self.headroom = headroom


class Announcements:
    """When the latest versions were published, on the monotonic clock."""

    def __init__(self) -> None:
        self._times: dict[int, float] = {}

    def made(self, version: int, now: float) -> None:
        """Note that everyone who is live is told of `version` now."""
        self._times[version] = now
        if len(self._times) > REMEMBERED:
            del self._times[next(iter(self._times))]

    def since(self, version: int, now: float) -> float | None:
        """Return the seconds since a version was published; None: it was not, or long ago."""
        made = self._times.get(version)
        return None if made is None else now - made


class Room:
    """The followers of one campaign.

    Args:
        outbox: bytes a peer may have waiting before deltas to it stop.
        overflowed: called with a connection that has left its audience for being slow.
    """

    company: Company

    def __init__(
        self,
        live: LiveCampaign,
        outbox: int,
        overflowed: Callable[[Connection], None],
        metrics: Metrics,
    ) -> None:
        self.connections: dict[Connection, None] = {}
        self.quiet_since = 0.0
        self.live = live
        self.announcements = Announcements()
        self._metrics = metrics
        self._feed = live.feed
        self._outbox = outbox
        self._overflowed = overflowed
        self._audiences: dict[Key, Audience] = {}

    def enter(self, connection: Connection) -> None:
        """Take in a connection whose viewer follows this campaign from now on."""
        self.connections[connection] = None
        connection.room = self
        # What it is brought up to on coming was published before, for others.
        connection.acknowledged = self.live.state.version
        connection.introduced = connection.acquainted
        # What was somebody's at another campaign is not theirs at this one.
        connection.introduced_at, connection.own = 0, ()
        self.company.seat(connection)

    def leave(self, connection: Connection) -> None:
        """Let a connection go."""
        self._remove(connection)
        connection.room = None
        if connection in self.connections:
            del self.connections[connection]
            self.company.depart(connection)

    def heard(self, connection: Connection, version: int, now: float) -> None:
        """Note that a peer says at `now`, on the monotonic clock, that it holds `version`."""
        if connection in self.connections and version > connection.acknowledged:
            connection.acknowledged = version
            since = self.announcements.since(version, now)
            if since is not None:
                self._metrics.acknowledged(since)
        self.company.heard(connection, version)

    def settle(self, connection: Connection) -> None:
        """Put a connection where its session's phase says: in its audience while live."""
        session = connection.session
        if session.phase is not Phase.LIVE or connection not in self.connections:
            if connection.audience is not None:
                # What it misses from here on is told anew.
                connection.introduced = False
            self._remove(connection)
            return
        if not connection.introduced:
            connection.introduced = True
            self.company.introduce(connection)
        elif connection.acquainted:
            self.company.remind(connection)
        connection.acquainted = False
        key = (self._feed.head.key(session.viewer), session.mode, connection.form)
        audience = connection.audience
        if audience is None or audience.key != key:
            self._remove(connection)
            audience = self._audiences.get(key)
            if audience is None:
                audience = self._audiences[key] = Audience(key, self._outbox)
            audience.members[connection] = connection.write
            connection.audience = audience
        audience.headroom = min(audience.headroom, self._outbox - connection.buffered())

    def publish(self, before: Entry) -> None:
        """Tell everyone live that the head has moved on from `before`."""
        if not self._audiences:
            return
        moved = self._feed.parted(before)
        # Those who share a view share a frame, but each author is told of what is their own.
        authors = self._feed.authors(before)
        slow: list[Connection] = []
        for audience in self._audiences.values():
            if moved or (authors and audience.viewer == ANY_PLAYER):
                self._publish_each(audience, before, slow)
            else:
                self._publish_once(audience, before, slow)
        if moved:
            self._audiences.clear()
            for connection in self.connections:
                connection.audience = None
            for connection in self.connections:
                self.settle(connection)
        self._stop(slow)

    def tell(self, message: Encoded) -> None:
        """Send a message to everyone who is live."""
        slow: list[Connection] = []
        for audience in self._audiences.values():
            self._write(audience, message, slow)
        self._stop(slow)

    def tell_each(self, choice: Choice) -> None:
        """Send everyone who is live what `choice` gives for them; None: nothing."""
        slow: list[Connection] = []
        for audience in self._audiences.values():
            told: dict[Encoded, int] = {}
            for connection in audience.members:
                message = choice(connection)
                if message is not None:
                    connection.put(message)
                    told[message] = told.get(message, 0) + 1
            audience.headroom -= self._count(audience, told)
            if audience.headroom < 0:
                self._measure(audience, slow)
        self._stop(slow)

    def _stop(self, slow: list[Connection]) -> None:
        """Send no more to those who are slow, until they have drained."""
        for connection in slow:
            connection.session.overflowed()
            # What it misses from here on is told anew.
            connection.introduced = False
            self._remove(connection)
            self._overflowed(connection)

    def _publish_once(self, audience: Audience, before: Entry, slow: list[Connection]) -> None:
        message = self._feed.update(audience.viewer, before, audience.mode)
        self._write(audience, message, slow)

    def _write(self, audience: Audience, message: Encoded, slow: list[Connection]) -> None:
        frame = frames_of(message).for_peer(audience.form)
        for write in audience.members.values():
            try:
                write(frame)
            except RuntimeError:
                # uvloop, of a transport that has closed; its handler has yet to hear of it.
                continue
        self._metrics.sent(message, len(frame), len(audience.members))
        audience.headroom -= len(frame)
        if audience.headroom < 0:
            self._measure(audience, slow)

    def _measure(self, audience: Audience, slow: list[Connection]) -> None:
        """Find who is over the outbox, and how far the others are from it.

        A backlog grows by what is written and no more, so it need not be asked for at every write.
        """
        fullest = 0
        for connection in audience.members:
            waiting = connection.buffered()
            if waiting > self._outbox:
                slow.append(connection)
            else:
                fullest = max(fullest, waiting)
        audience.headroom = self._outbox - fullest

    def _publish_each(self, audience: Audience, before: Entry, slow: list[Connection]) -> None:
        """Send each viewer's own way from old to new: views part or join, or somebody made one."""
        told: dict[Encoded, int] = {}
        for connection in audience.members:
            message = self._feed.update(connection.session.viewer, before, audience.mode)
            connection.put(message)
            told[message] = told.get(message, 0) + 1
            if connection.buffered() > self._outbox:
                slow.append(connection)
        self._count(audience, told)

    def _count(self, audience: Audience, told: dict[Encoded, int]) -> int:
        """Count messages, each with how many got it; return the bytes of the largest."""
        largest = 0
        for message, times in told.items():
            size = len(frames_of(message).for_peer(audience.form))
            self._metrics.sent(message, size, times)
            largest = max(largest, size)
        return largest

    def _remove(self, connection: Connection) -> None:
        audience = connection.audience
        if audience is None:
            return
        connection.audience = None
        audience.members.pop(connection, None)
        if not audience.members:
            self._audiences.pop(audience.key, None)
