"""How much a socket may send: messages of a size, so many a second, and bytes whatever they are."""

from __future__ import annotations

from collections.abc import Callable

from questlog.campaign.errors import RateLimited, Rejection, TooLarge
from server.clock import Clock
from server.config import Config
from server.connection import Connection
from server.doorway import meter, size_of
from server.limits import bucket
from server.links import SocketLink


class Metering:
    """Holds sockets to the limits of their roles."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock

    def check(self, connection: Connection, data: str | bytes) -> None:
        """Refuse what is too large or too often for the role of whoever sends it.

        Raises:
            TooLarge, RateLimited: it is.
        """
        player = connection.session.viewer.role != "dm"
        most = self._config.max_player_message
        if player and len(data) > most // 4 and size_of(data) > most:
            refusal: Rejection = TooLarge(f"A message of a player has at most {most} bytes.")
            refusal.limit = "max_player_message"
            raise refusal
        bucket = connection.bucket
        if bucket is not None and bucket.take(self._clock.monotonic()):
            refusal = RateLimited("Too many messages: come back later.")
            refusal.limit = "player_rate" if player else "dm_rate"
            raise refusal

    def fit(self, connection: Connection, flooded: Callable[[], None]) -> None:
        """Give a connection the rates of its role, as full as those it had.

        Args:
            flooded: called once where more bytes come than its messages may have.
        """
        link = connection.link
        if not isinstance(link, SocketLink):
            # What comes as a request is counted where requests are let in.
            return
        dm = connection.session.viewer.role == "dm"
        rate = self._config.dm_rate if dm else self._config.player_rate
        now = self._clock.monotonic()
        if connection.bucket is None:
            connection.bucket = bucket(rate, now)
        elif connection.metered_as_dm != dm:
            connection.bucket = connection.bucket.at_rate(rate, now)
        else:
            return
        connection.metered_as_dm = dm
        most = None if dm else rate * self._config.max_player_message
        meter(link.transport, most, flooded)
