"""Which version a campaign was at, at a moment."""

from __future__ import annotations

from datetime import datetime

from eventstore.port import EventReader
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.moments import written


async def version_at(reader: EventReader, campaign_id: str, moment: datetime) -> int:
    """Return the version a campaign was at; 0 where it had not begun.

    A fork began with its `campaign.forked`: what it was copied from is dated before it was there.

    Raises:
        DamagedLogError: an event it has to look at is missing.
    """
    version = await last_dated(reader, campaign_id, moment)
    return version if version >= await reader.begins(campaign_id) else 0


async def last_dated(reader: EventReader, campaign_id: str, moment: datetime) -> int:
    """Return the last version dated at or before `moment`; 0 where there is none.

    No event is dated before the one before it, so this is a binary search: it reads about as many
    events as the length of the log has binary digits, and needs no index beyond the versions.

    Raises:
        DamagedLogError: an event it has to look at is missing.
    """
    head = await reader.head(campaign_id)
    latest = written(moment)
    before, after = 0, 1 if head is None else head.version + 1
    while after - before > 1:
        middle = (before + after) // 2
        found = await reader.read(campaign_id, after=middle - 1, until=middle)
        if not found:
            raise DamagedLogError(f"version {middle} of {campaign_id!r} is missing from the log")
        if found[0].at <= latest:
            before = middle
        else:
            after = middle
    return before
