"""The replays that run on a server: how many there may be, and their common end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from server.limits import Throttled

BUSY_FOR = 10


class Replays:
    """Every replay that runs.

    Attributes:
        stopping: set once the server stops.
    """

    def __init__(self, most: int) -> None:
        self.stopping = asyncio.Event()
        self._most = most
        self._running = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one while the context lasts.

        Raises:
            RateLimited: there are as many as may be.
        """
        if self._running >= self._most:
            refusal = Throttled("Too many replays are running: come back later.", BUSY_FOR)
            refusal.limit = "max_replays"
            raise refusal
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
