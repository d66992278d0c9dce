"""How often and how many: token buckets, and counts of connections.

A bucket holds five seconds of its rate, so that a burst passes and a stream does not. What is
remembered of strangers is bounded: past a number of them the one not heard of for longest is
forgotten, whose bucket had filled up again anyway.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict

from questlog.campaign.errors import RateLimited

BURST_SECONDS = 5
REMEMBERED = 50_000


class Throttled(RateLimited):
    """Too many requests: come back later."""

    def __init__(self, message: str, retry_after: float) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(message)


class Bucket:
    """A token bucket: `rate` a second, `burst` at once.

    Args:
        now: monotonic seconds.
    """

    __slots__ = ("_burst", "_filled", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._filled = now

    def take(self, now: float, much: float = 1.0) -> float:
        """Take `much`; returns 0.0, or the seconds until there is that, having taken none."""
        self._level = min(self._burst, self._level + (now - self._filled) * self._rate)
        self._filled = now
        if self._level < much:
            return (much - self._level) / self._rate
        self._level -= much
        return 0.0

    def at_rate(self, rate: float, now: float) -> Bucket:
        """Return a bucket of another rate that is as full as this one, share for share."""
        self._level = min(self._burst, self._level + (now - self._filled) * self._rate)
        other = Bucket(rate, rate * BURST_SECONDS, now)
        other._level = other._burst * self._level / self._burst
        return other


def bucket(rate: int, now: float) -> Bucket:
    """Return a full bucket of a setting's messages a second."""
    return Bucket(rate, rate * BURST_SECONDS, now)


class Buckets:
    """A bucket for each key: an address, or a member of a campaign."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one from the bucket of `key`; returns as `Bucket.take`."""
        found = self._buckets.get(key)
        if found is None:
            found = self._buckets[key] = Bucket(self._rate, self._burst, now)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return found.take(now)


class Census:
    """How many there are of each key, and never more than the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count: Counter[str] = Counter()

    def enter(self, key: str) -> bool:
        """Count one more; False, and not counted, where there are as many as may be."""
        if self._count[key] >= self._limit:
            return False
        self._count[key] += 1
        return True

    def leave(self, key: str) -> None:
        """Count one less."""
        self._count[key] -= 1
        if self._count[key] <= 0:
            del self._count[key]
