"""How long a client waits before it comes back."""

from __future__ import annotations

import random
from collections.abc import Callable

from msgspec import Struct


class Backoff(Struct, frozen=True):
    """Exponential backoff with full jitter.

    Spread over the whole span, a crowd that lost its server together does not return together.

    Attributes:
        base: the longest first wait, in seconds; it doubles with each attempt in vain.
        cap: the longest wait of all, in seconds.
        random: returns a number from 0 to 1.
    """

    base: float = 0.25
    cap: float = 10.0
    random: Callable[[], float] = random.random

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after `attempt` attempts in vain (0: the first loss)."""
        return self.random() * min(self.cap, self.base * 2.0 ** min(attempt, 30))
