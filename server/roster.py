"""The roster: who is at a campaign, one entry a member, however many devices they came with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

from questlog.campaign.visibility import Viewer
from questlog.sync.talk import Member
from server.connection import Connection
from server.crowd import is_known


class Present:
    """A member who is there, or has been until a moment ago.

    Attributes:
        connections: each with the newest version it was brought up to, or says it holds.
        leaving: what will say that they have left, while nothing of theirs is connected.
        since: when they came, RFC 3339.
        came_at: the version there was then, or an earlier one they have shown to hold.
        held: the newest version they said they hold; 0: none.
        sent: the newest version they were sent when that was last looked at.
    """

    __slots__ = (
        "came_at",
        "connections",
        "held",
        "leaving",
        "sent",
        "since",
        "status",
        "version",
        "viewer",
    )

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.connections: dict[Connection, int] = {}
        self.status: str | None = None
        self.version = self.held = self.sent = self.came_at = 0
        self.since = ""
        self.leaving: asyncio.TimerHandle | None = None

    def told(self) -> Member:
        """Return this member as they are told of."""
        player_id, role = self.viewer.player_id, self.viewer.role
        return Member(player_id, role, self.status, len(self.connections), self.version)


class Roster:
    """Who is there."""

    def __init__(self) -> None:
        self._members: dict[Viewer, Present] = {}

    def __len__(self) -> int:
        """Return how many members are there."""
        return len(self._members)

    def __iter__(self) -> Iterator[Present]:
        """Iterate over the members, in the order they came."""
        return iter(self._members.values())

    def member(self, viewer: Viewer) -> Present | None:
        """Return the member a viewer is, None where they are not there."""
        return self._members.get(viewer)

    def arrive(self, connection: Connection, version: int) -> Present | None:
        """Take in a connection that holds `version`; returns its member if that one was away."""
        viewer = connection.session.viewer
        member = self._members.get(viewer)
        fresh = member is None
        if member is None:
            member = self._members[viewer] = Present(viewer)
            member.came_at = version
        if member.leaving is not None:
            member.leaving.cancel()
            member.leaving = None
        member.connections[connection] = version
        member.version = max(member.version, version)
        connection.present = member
        return member if fresh else None

    def depart(self, connection: Connection) -> Present | None:
        """Let a connection go; returns its member if that was their last."""
        member: Present | None = connection.present
        connection.present = None
        if member is None:
            return None
        member.connections.pop(connection, None)
        return None if member.connections else member

    def heard(self, connection: Connection, version: int) -> bool:
        """Note that a connection holds `version`; returns whether that is news of its member."""
        member: Present | None = connection.present
        if member is not None:
            member.connections[connection] = version
        else:
            # Told by a call: of whoever listens to a stream, which has no way to say so.
            member = self._members.get(connection.session.viewer)
            streams = [] if member is None else member.connections
            heard = [each for each in streams if each.link.kind == "stream"]
            if member is None or not heard:
                return False
            member.connections.update(dict.fromkeys(heard, version))
        newest = max(member.connections.values())
        changed, member.version = newest != member.version, newest
        return changed

    def holds(self, connection: Connection, version: int) -> None:
        """Note that whoever is at a connection holds `version`, for sure.

        Of before they came they were sent nothing that this could speak of: who says so would be
        told more of that time than they have seen.
        """
        member: Present | None = connection.present
        member = member or self._members.get(connection.session.viewer)
        if member is not None and version >= member.came_at and version > member.held:
            member.held = version

    def forget(self, member: Present) -> bool:
        """Strike out a member who has not come back; returns whether they were on it."""
        if self._members.get(member.viewer) is not member or member.connections:
            return False
        del self._members[member.viewer]
        return True

    def told(self, knows: Callable[[Viewer], bool]) -> list[Member]:
        """Return the members that whoever `knows` is for may know of."""
        return [member.told() for member in self if knows(member.viewer)]

    def counts(self, knows: Callable[[Viewer], bool]) -> dict[str, int]:
        """Return how many there are of each role that whoever `knows` is for may know of.

        Those without a name share one entry; here each of their connections counts.
        """
        counts: Counter[str] = Counter()
        for member in self:
            if knows(member.viewer):
                named = is_known(member.viewer)
                counts[member.viewer.role] += 1 if named else len(member.connections)
        return {"dm": counts["dm"], "player": counts["player"], "spectator": counts["spectator"]}
