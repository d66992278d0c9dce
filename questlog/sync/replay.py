"""A replay: a log told again at the pace it was written, to one who may stop it and go elsewhere.

Sans-I/O: `Replay` says when the next version is due and what a control comes to; whoever runs it
reads the log and sends the messages, which are those of live play.

Time goes as it was recorded, times a factor. What lies between two events counts for `gap` seconds
at the most: nobody waits out the week between two evenings.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from questlog.campaign.errors import Invalid, from_document
from questlog.document import DocumentError, Limits
from questlog.document import decode as decode_json

Speed = float | Literal["max"]

DEFAULT_GAP = 10.0
SLOWEST, FASTEST = 0.01, 10_000.0
LIMITS = Limits(max_bytes=4096, max_depth=4, max_operations=1)


class ReplayTold(Struct, frozen=True, tag="replay", tag_field="type"):
    """Where a replay stands: said at its beginning, after every control, and at its end.

    Attributes:
        version, at: what was shown last, and when it was appended.
        first, last: the versions it goes between.
        ended: whether the last has been shown.
    """

    campaign_id: str
    version: int
    at: str
    first: int
    last: int
    speed: Speed
    paused: bool
    ended: bool


class _Control(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """What a viewer of a replay may say."""


class Pause(_Control, frozen=True, tag="pause"):
    """Stop here."""


class Resume(_Control, frozen=True, tag="resume"):
    """Go on."""


class SetSpeed(_Control, frozen=True, tag="speed"):
    """Go on at another speed: a factor, or `max`."""

    speed: Speed


class Step(_Control, frozen=True, tag="step"):
    """Stop, so many versions further on, or back where it is negative."""

    by: int = 1


class Seek(_Control, frozen=True, tag="seek"):
    """Go to a version, or to what was there at a moment (RFC 3339)."""

    to: int | str


Control = Pause | Resume | SetSpeed | Step | Seek


def read_control(frame: bytes | str) -> Control:
    """Return the control in a text frame.

    Raises:
        Rejection: it is none: `bad_json`, `too_large` or `invalid`.
    """
    try:
        value = decode_json(frame, LIMITS)
    except DocumentError as error:
        raise from_document(error) from error
    try:
        control: Control = msgspec.convert(value, Control)
    except msgspec.ValidationError as error:
        raise Invalid(f"Not a control of a replay: {error}.") from error
    if isinstance(control, SetSpeed):
        check_speed(control.speed)
    return control


def check_speed(speed: Speed) -> Speed:
    """Return a speed if a replay can go at it.

    Raises:
        Invalid: it cannot.
    """
    if speed != "max" and not SLOWEST <= speed <= FASTEST:
        raise Invalid(f"A speed is max, or a factor from {SLOWEST:g} to {FASTEST:g}.")
    return speed


class Replay:
    """Where a replay stands between two versions, and how fast it goes.

    Attributes:
        first, last: the versions it goes between.
        version: what is shown.
    """

    def __init__(
        self, first: int, last: int, *, speed: Speed = 1.0, gap: float = DEFAULT_GAP
    ) -> None:
        """Prepare; `shown` begins.

        Args:
            gap: recorded seconds between two events that are waited for at the most.
        """
        self.first, self.last = first, last
        self.version = first
        self.speed = check_speed(speed)
        self.paused = False
        self._gap = gap
        # Recorded seconds that have gone by since the version was shown, as of `_mark`.
        self._gone = 0.0
        self._mark = 0.0

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to show."""
        return self.version >= self.last

    def shown(self, version: int, now: float) -> None:
        """Note that a version is shown as of `now` (seconds of a clock that never runs back)."""
        self.version = version
        self._gone, self._mark = 0.0, now

    def wait(self, between: float, now: float) -> float | None:
        """Return the seconds until the next version is due; None: it is not, until told so.

        Args:
            between: recorded seconds from the version shown to the next.
        """
        if self.paused or self.ended:
            return None
        if self.speed == "max":
            return 0.0
        left = min(max(between, 0.0), self._gap) - self._elapsed(now)
        return max(0.0, left / self.speed)

    def control(self, control: Control, now: float) -> int | None:
        """Take a control; returns the version to go to, None where it goes on from here.

        A seek to a moment is for whoever knows the log to turn into one to a version.
        """
        self._gone, self._mark = self._elapsed(now), now
        match control:
            case Pause():
                self.paused = True
            case Resume():
                self.paused = False
            case SetSpeed(speed=speed):
                self.speed = speed
            case Step(by=by):
                self.paused = True
                return self._within(self.version + by)
            case Seek(to=int(to)):
                return self._within(to)
            case Seek():
                raise Invalid("A moment is not a version yet.")
        return None

    def told(self, campaign_id: str, at: str) -> ReplayTold:
        """Return where it stands, as a message.

        Args:
            at: when the version shown was appended.
        """
        return ReplayTold(
            campaign_id=campaign_id,
            version=self.version,
            at=at,
            first=self.first,
            last=self.last,
            speed=self.speed,
            paused=self.paused,
            ended=self.ended,
        )

    def _elapsed(self, now: float) -> float:
        if self.paused or self.speed == "max":
            return self._gone
        return self._gone + (now - self._mark) * self.speed

    def _within(self, version: int) -> int:
        return min(max(version, self.first), self.last)
