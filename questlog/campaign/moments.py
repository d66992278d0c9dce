"""Moments: times as people and programs give them, and as the log writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from questlog.campaign.errors import Invalid


def parse_moment(text: str) -> datetime:
    """Return a moment as RFC 3339 writes it; one without an offset is meant in UTC.

    A date alone is its first moment, and seconds may be missing: `2026-11-23T21:14`.

    Raises:
        Invalid: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{text!r} is no time like 2026-01-31T19:30:00Z.") from error


def written(moment: datetime) -> str:
    """Return a moment as an event's `at` says it, so that texts compare as their times do.

    What is finer than a millisecond is cut off, as it is where the log's own times are made.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
