"""How many connections there are: of an address, of a member, of a campaign; and who must go."""

from __future__ import annotations

from questlog.campaign.errors import RateLimited
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
        self._places: dict[Place, dict[Connection, None]] = {}

    def arrive(self, connection: Connection) -> None:
        """Count a connection that has just been accepted.

        Raises:
            RateLimited: there are too many from its address.
        """
        if not self._addresses.enter(counted_as(connection.address)):
            raise _too_many("address", "max_address_connections")

    def depart(self, connection: Connection) -> None:
        """Count a connection that arrived no more."""
        self._addresses.leave(counted_as(connection.address))
        self._leave(connection)

    def check_room(self, followers: int) -> None:
        """Refuse one more follower of a campaign that has as many as may be.

        Raises:
            RateLimited: it has.
        """
        if followers >= self._config.max_campaign_connections:
            raise _too_many("campaign", "max_campaign_connections")

    def place(self, connection: Connection) -> Connection | None:
        """Count a connection under its member; return the oldest where that is one too many.

        Who is nobody in particular, with a link that many share, is counted under nobody.
        """
        viewer, feed = connection.session.viewer, connection.session.feed
        known = viewer.player_id is not None or viewer.role == "dm"
        place = None
        if feed is not None and known and not self._config.open:
            place = (feed.campaign_id, viewer.member)
        if place == connection.place:
            return None
        self._leave(connection)
        if place is None:
            return None
        connection.place = place
        there = self._places.setdefault(place, {})
        there[connection] = None
        if len(there) <= self._config.max_member_connections:
            return None
        return next(iter(there))

    def _leave(self, connection: Connection) -> None:
        place, connection.place = connection.place, None
        if place is not None:
            there = self._places[place]
            there.pop(connection, None)
            if not there:
                del self._places[place]


def _too_many(of: str, setting: str) -> RateLimited:
    refusal = RateLimited(f"There are too many connections of this {of}: come back later.")
    refusal.limit = setting
    return refusal
