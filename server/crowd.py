"""How many connections there are: of an address, of a member, of a campaign; and who must go."""

from __future__ import annotations

from questlog.campaign.errors import RateLimited
from questlog.campaign.visibility import Viewer
from server.addresses import counted_as
from server.config import Config
from server.connection import Connection
from server.limits import Census

Place = tuple[str, str]


class Crowd:
    """Counts connections, and refuses what would be one too many."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._addresses = Census(config.max_address_connections)
        self._strangers = Census(config.max_address_strangers)
        self._places: dict[Place, dict[Connection, None]] = {}

    def arrive(self, connection: Connection) -> None:
        """Count a connection that has just been accepted.

        Who has shown no token is counted apart, so that strangers keep nobody out.

        Raises:
            RateLimited: there are too many from its address.
        """
        if connection.identity is not None:
            self.let_in(connection)
        elif not self._strangers.enter(counted_as(connection.address)):
            raise _too_many("address", "max_address_strangers")
        else:
            connection.counted = self._strangers

    def let_in(self, connection: Connection) -> None:
        """Count a connection whose peer has shown a token.

        Raises:
            RateLimited: there are too many from its address.
        """
        key = counted_as(connection.address)
        if connection.counted is not None:
            connection.counted.leave(key)
            connection.counted = None
        if not self._addresses.enter(key):
            raise _too_many("address", "max_address_connections")
        connection.counted = self._addresses

    def depart(self, connection: Connection) -> None:
        """Count a connection no more."""
        if connection.counted is not None:
            connection.counted.leave(counted_as(connection.address))
            connection.counted = None
        self._leave(connection)

    def is_full(self, followers: int) -> bool:
        """Return whether a campaign has as many followers as may be."""
        return followers >= self._config.max_campaign_connections

    def full(self) -> RateLimited:
        """Return why nobody else may follow a campaign."""
        return _too_many("campaign", "max_campaign_connections")

    def is_nobody(self, connection: Connection) -> bool:
        """Return whether a connection is one of those who share a link with many."""
        return not is_known(connection.session.viewer)

    def place(self, connection: Connection) -> list[Connection]:
        """Count a connection under its member; return the oldest that are too many.

        Who is nobody in particular is counted under nobody.
        """
        viewer, feed = connection.session.viewer, connection.session.feed
        place = None
        if feed is not None and is_known(viewer) and not self._config.open:
            place = (feed.campaign_id, viewer.member)
        if place == connection.place:
            return []
        self._leave(connection)
        if place is None:
            return []
        connection.place = place
        there = self._places.setdefault(place, {})
        there[connection] = None
        oldest = list(there)[: -self._config.max_member_connections]
        for each in oldest:
            # At once: closing takes a while, and the next to come must not find them here.
            self._leave(each)
        return oldest

    def _leave(self, connection: Connection) -> None:
        place, connection.place = connection.place, None
        if place is not None:
            there = self._places[place]
            there.pop(connection, None)
            if not there:
                del self._places[place]


def is_known(viewer: Viewer) -> bool:
    """Return whether a viewer is somebody in particular: not one of many who share a link."""
    return viewer.player_id is not None or viewer.role == "dm"


def _too_many(of: str, setting: str) -> RateLimited:
    refusal = RateLimited(f"There are too many connections of this {of}: come back later.")
    refusal.limit = setting
    return refusal
