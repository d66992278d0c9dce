"""Where a campaign and its sessions begin and end in SQLite's tables, and what happened in them."""

from __future__ import annotations

import sqlite3

from eventstore.sqlite.rows import steps_of
from questlog.campaign.events import CampaignActivated, CampaignDeactivated, CampaignForked
from questlog.campaign.sessions import TURNS, Tally, Turn

NEVER = 1 << 62
# Written out as the index of these kinds alone has it, or that is not used.
_TURNS = " OR ".join(f"kind = '{kind}'" for kind in TURNS)


def turns(connection: sqlite3.Connection, campaign_id: str, until: int | None) -> list[Turn]:
    """Return where sessions begin and end; see `EventReader.turns`."""
    rows = connection.execute(
        "SELECT version, at, kind, data, '[]', schema FROM event"
        f" WHERE campaign_id = ? AND version <= ? AND ({_TURNS}) ORDER BY version",
        (campaign_id, NEVER if until is None else until),
    ).fetchall()
    found = []
    for step in steps_of(campaign_id, rows):
        fact = step.fact
        assert isinstance(fact, CampaignActivated | CampaignDeactivated | CampaignForked)
        found.append(Turn(step.version, step.at, fact))
    return found


def begins(connection: sqlite3.Connection, campaign_id: str) -> int:
    """Return the version a campaign began with; see `EventReader.begins`."""
    # The last: a fork of a fork has the event of the other in its history.
    row = connection.execute(
        "SELECT max(version) FROM event WHERE campaign_id = ? AND kind = 'campaign.forked'",
        (campaign_id,),
    ).fetchone()
    return row[0] or 1


def tallies(
    connection: sqlite3.Connection, campaign_id: str, after: int, until: int
) -> list[Tally]:
    """Return how many events there are by kind and actor; see `EventReader.tallies`."""
    rows = connection.execute(
        "SELECT kind, member, role, count(*) FROM event"
        " WHERE campaign_id = ? AND version > ? AND version <= ? GROUP BY kind, member, role",
        (campaign_id, after, until),
    )
    return [Tally(*row) for row in rows]


def acting(connection: sqlite3.Connection, member: str) -> list[str]:
    """Return the campaigns whose logs have events by a member."""
    rows = connection.execute(
        "SELECT campaign_id FROM campaign WHERE EXISTS (SELECT 1 FROM event"
        " WHERE event.campaign_id = campaign.campaign_id AND event.member = ?)"
        " ORDER BY campaign_id",
        (member,),
    )
    return [campaign_id for (campaign_id,) in rows]
