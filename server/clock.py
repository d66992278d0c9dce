"""Time, from outside: what the log writes down and what timeouts are measured by."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Where the server gets the time from."""

    def now_ms(self) -> int:
        """Return the Unix time in milliseconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for timeouts."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Return the Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for timeouts."""
        return time.monotonic()


def rfc3339(ms: int) -> str:
    """Return a Unix time in milliseconds as RFC 3339 UTC: `2026-11-23T21:14:05.123Z`."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
