"""A room: the connections that follow one campaign, and the broadcast to them.

Connections whose peers see the same view in the same form are an audience: one computation, one
encoding, one frame, and then a loop that does nothing but write. A broadcast never waits for a
peer; one whose outbox is over the limit leaves its audience and is brought up to date when it has
drained.
"""

from __future__ import annotations

from collections.abc import Callable

from questlog.campaign.visibility import viewer_of
from questlog.sync.feed import Entry
from questlog.sync.messages import Mode
from questlog.sync.session import Phase
from server.connection import Connection
from server.frames import frames_of
from server.live import LiveCampaign

Key = tuple[str, Mode, bool]


class Audience:
    """Connections that get the same bytes."""

    __slots__ = ("deflate", "key", "members", "mode", "viewer")

    def __init__(self, key: Key) -> None:
        self.key = key
        # Made of the key and not of a member: what a group is sent must not depend on who is in it.
        self.viewer = viewer_of(key[0])
        _, self.mode, self.deflate = key
        self.members: dict[Connection, None] = {}


class Room:
    """The followers of one campaign.

    Args:
        outbox: bytes a peer may have waiting before deltas to it stop.
        overflowed: called with a connection that has left its audience for being slow.
    """

    def __init__(
        self, live: LiveCampaign, outbox: int, overflowed: Callable[[Connection], None]
    ) -> None:
        self.connections: dict[Connection, None] = {}
        self.quiet_since = 0.0
        self.live = live
        self._feed = live.feed
        self._outbox = outbox
        self._overflowed = overflowed
        self._audiences: dict[Key, Audience] = {}

    def enter(self, connection: Connection) -> None:
        """Take in a connection that follows this campaign from now on."""
        self.connections[connection] = None
        connection.room = self

    def leave(self, connection: Connection) -> None:
        """Let a connection go."""
        self.connections.pop(connection, None)
        connection.room = None
        self._remove(connection)

    def settle(self, connection: Connection) -> None:
        """Put a connection where its session's phase says: in its audience while live."""
        self._remove(connection)
        if connection.session.phase is not Phase.LIVE or connection.room is not self:
            return
        session = connection.session
        key = (self._feed.head.key(session.viewer), session.mode, connection.deflate)
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences[key] = Audience(key)
        audience.members[connection] = None
        connection.audience = audience

    def publish(self, before: Entry) -> None:
        """Tell everyone live that the head has moved on from `before`."""
        if not self._audiences:
            return
        moved = before.distinct != self._feed.head.distinct
        slow: list[Connection] = []
        for audience in self._audiences.values():
            if moved:
                self._publish_each(audience, before, slow)
            else:
                self._publish_once(audience, before, slow)
        if moved:
            self._audiences.clear()
            for connection in self.connections:
                connection.audience = None
            for connection in self.connections:
                self.settle(connection)
        for connection in slow:
            connection.session.overflowed()
            self._remove(connection)
            self._overflowed(connection)

    def _publish_once(self, audience: Audience, before: Entry, slow: list[Connection]) -> None:
        message = self._feed.update(audience.viewer, before, audience.mode)
        frame = frames_of(message).for_peer(audience.deflate)
        outbox = self._outbox
        for connection in audience.members:
            if connection.gone():
                # Its handler has yet to hear of it; uvloop raises on a write to what is closed.
                continue
            connection.write(frame)
            if connection.buffered() > outbox:
                slow.append(connection)

    def _publish_each(self, audience: Audience, before: Entry, slow: list[Connection]) -> None:
        """Views part or join with this version: each viewer's own way from old to new is sent."""
        for connection in audience.members:
            message = self._feed.update(connection.session.viewer, before, audience.mode)
            connection.send(message)
            if connection.buffered() > self._outbox:
                slow.append(connection)

    def _remove(self, connection: Connection) -> None:
        audience = connection.audience
        if audience is None:
            return
        connection.audience = None
        audience.members.pop(connection, None)
        if not audience.members:
            self._audiences.pop(audience.key, None)
