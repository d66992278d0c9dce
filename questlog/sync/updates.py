"""What happened to a replica, for a consumer that may be slow or not be there at all."""

from __future__ import annotations

from collections import deque

from questlog.sync.replica import Changed, Deactivated

Update = Changed | Deactivated
MAX_UPDATES = 256


class Updates:
    """A queue of updates, oldest first, that holds at most 256.

    Past that they are replaced by one: the newest, without a patch and with the reason `lagged`,
    as after a snapshot. The replica's document says what they came to.
    """

    def __init__(self) -> None:
        self._waiting: deque[Update] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, update: Update) -> None:
        """Add what has just happened."""
        if len(self._waiting) >= MAX_UPDATES:
            self._waiting.clear()
            if isinstance(update, Changed):
                update = Changed(update.campaign_id, update.version, None, [], "lagged")
        self._waiting.append(update)

    def take(self) -> Update | None:
        """Return the oldest and let go of it; None where none waits."""
        return self._waiting.popleft() if self._waiting else None
