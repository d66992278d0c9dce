"""Which way to connect: down where one does not get through, and up again when it may. Pure.

A server that is not there says nothing about the ways to it; a way that twice brought nothing,
while something answered, is left for the next one down. From the last the first is tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Way = Literal["socket", "stream", "poll"]

WAYS: tuple[Way, ...] = ("socket", "stream", "poll")
MISSES = 2
FIRST_CLIMB, LAST_CLIMB = 30.0, 480.0


class Ladder:
    """The ways there are, best first, and the one in use."""

    def __init__(self, ways: Sequence[Way] = WAYS) -> None:
        """Begin at the best way.

        Raises:
            ValueError: there are no ways, or one is unknown.
        """
        if not ways or any(way not in WAYS for way in ways):
            raise ValueError(f"A client has one or more of these ways: {', '.join(WAYS)}.")
        self._ways = tuple(ways)
        self._at = 0
        self._misses = 0
        self._climb_after = FIRST_CLIMB

    @property
    def way(self) -> Way:
        """The way to connect now."""
        return self._ways[self._at]

    @property
    def best(self) -> bool:
        """Whether there is no better way than this one."""
        return self._at == 0

    @property
    def climb_after(self) -> float:
        """Seconds after which the best way is to be tried again: longer each time it failed."""
        return self._climb_after

    def brought(self) -> None:
        """Note that this way brought something."""
        self._misses = 0
        if self.best:
            self._climb_after = FIRST_CLIMB

    def missed(self, *, sure: bool) -> bool:
        """Note that this way brought nothing though something answered.

        Args:
            sure: whether what answered said no; else it may have been a bad moment.

        Returns: whether that leaves no way untried.
        """
        self._misses += 1
        if not sure and self._misses < MISSES:
            return False
        self._misses = 0
        self._at = (self._at + 1) % len(self._ways)
        return self.best

    def unanswered(self) -> None:
        """Note that nothing answered: that says nothing about this way, and it is kept."""
        self._misses = 0

    def climbed(self, *, through: bool) -> None:
        """Note what came of trying the best way from a worse one."""
        if through:
            self._at = self._misses = 0
        else:
            self._climb_after = min(LAST_CLIMB, self._climb_after * 2)
