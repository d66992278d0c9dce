"""Relays: words that are passed on and not logged, within limits. Signals, and what members say of
themselves.
"""

from __future__ import annotations

from questlog.campaign.errors import Invalid, RateLimited, TooLarge
from questlog.document import depth, encode
from questlog.sync.session import Word
from questlog.sync.talk import SignalMessage, StatusMessage
from server.addresses import counted_as
from server.clock import Clock
from server.config import Config
from server.connection import Connection
from server.limits import BURST_SECONDS, Buckets

MAX_STATUS = 100
MAX_NAME = 64
MAX_DATA = 4_096
MAX_DATA_DEPTH = 16
MAX_TO = 100


class Relays:
    """Passes words on."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._buckets = Buckets(config.signal_rate, config.signal_rate * BURST_SECONDS)

    def relay(self, connection: Connection, word: Word) -> None:
        """Pass a word on to those at the campaign that its sender follows.

        Raises:
            Rejection: it is too much, too often, or there is nobody to pass it on to.
        """
        room, viewer = connection.room, connection.session.viewer
        if room is None:
            raise Invalid("This socket follows no campaign: there is nobody to hear it.")
        if viewer.role != "dm":
            self._throttle(connection)
        match word:
            case StatusMessage(status=status):
                check_status(status)
                if not room.company.say(connection, status):
                    raise Invalid("You are not at the campaign: there is nobody to have a status.")
            case SignalMessage():
                check_signal(word)
                room.company.signal(viewer, word)

    def _throttle(self, connection: Connection) -> None:
        key = connection.known.key
        if connection.session.viewer.player_id is None:
            # Many may share a link that names nobody.
            key = f"{key} {counted_as(connection.address)}"
        if self._buckets.take(key, self._clock.monotonic()):
            refusal = RateLimited("Too many signals: this one was passed on to nobody.")
            refusal.limit = "signal_rate"
            raise refusal


def check_status(status: str | None) -> None:
    """Refuse a status that is no word or two.

    Raises:
        Invalid: it is none.
    """
    if status is not None and not (1 <= len(status) <= MAX_STATUS and status.isprintable()):
        raise Invalid(f"A status has 1 to {MAX_STATUS} printable characters.")


def check_signal(signal: SignalMessage) -> None:
    """Refuse a signal that is too much.

    Raises:
        Invalid, TooLarge: it is.
    """
    if not (1 <= len(signal.name) <= MAX_NAME and signal.name.isprintable()):
        raise Invalid(f"A signal's name has 1 to {MAX_NAME} printable characters.")
    if isinstance(signal.to, list) and len(signal.to) > MAX_TO:
        raise Invalid(f"A signal is for at most {MAX_TO} names.")
    if depth(signal.data) > MAX_DATA_DEPTH:
        raise Invalid(f"A signal's data is nested deeper than {MAX_DATA_DEPTH}.")
    if len(encode(signal.data)) > MAX_DATA:
        raise TooLarge(f"A signal's data is over {MAX_DATA} bytes.")
