"""What stands beside a log, as the log itself tells it: what the doctor promises, and writes."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.chain import GENESIS
from eventstore.port import StoredEvent
from eventstore.proof.order import digest_of
from eventstore.proof.walk import BROKEN, folded
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.state import CampaignState


class Derived:
    """A log followed from its beginning.

    Attributes:
        state: what it has come to; version 0: there is none.
        hash: the hash of its last event.
    """

    def __init__(self, campaign_id: str) -> None:
        self.state = CampaignState(campaign_id=campaign_id)
        self.hash = GENESIS

    def take(self, rows: Sequence[StoredEvent]) -> None:
        """Follow the next events.

        Raises:
            DamagedLogError: nothing can be derived from this log; the sentence says why.
        """
        for version, row in enumerate(rows, self.state.version + 1):
            if row.version != version:
                raise DamagedLogError(f"Version {version} is missing.")
            if digest_of(self.hash, row.fields) != row.hash:
                raise DamagedLogError(f"Version {version} is not what its hash says.")
            self.hash = row.hash
        try:
            self.state = folded(self.state, rows)
        except BROKEN as error:
            raise DamagedLogError(f"The log does not lead on: {error}.") from error
