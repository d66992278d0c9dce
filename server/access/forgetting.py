"""Forgetting a person: whatever the access file knows of a member, but that they are to be unknown.

The log names people by opaque ids, so that it speaks of nobody once nothing here says who an id
is, and no hash of it changes. What stays is a row without a name: which id, at which campaign, and
since when; tokens issued before that count no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from server.access.file import AccessFile
from server.clock import rfc3339


class Known(Struct, frozen=True, kw_only=True):
    """What there is of a member at one campaign.

    Attributes:
        name, subject: whether there is one, of theirs or of a provider's.
        seat: whether they have a seat in the table of members.
        invites, attendance: how many rows.
        acted: whether the campaign's log names them, which it goes on doing.
        forgotten: whether they have been forgotten there before.
    """

    campaign_id: str
    name: bool = False
    subject: bool = False
    seat: bool = False
    invites: int = 0
    attendance: int = 0
    acted: bool = False
    forgotten: bool = False


async def known_of(
    access: AccessFile, member: str, campaign_id: str | None, acted: Iterable[str]
) -> list[Known]:
    """Return what there is of a member, by campaign; nothing: nobody knows them.

    Args:
        campaign_id: look at this one only; None: at all.
        acted: the campaigns whose logs name them.
    """
    spoken = {each for each in acted if campaign_id in (None, each)}
    return await access.read(lambda c: _known(c, member, campaign_id, spoken))


async def forget(access: AccessFile, member: str, campaigns: Iterable[str], now_ms: int) -> None:
    """Forget a member at these campaigns, and leave no byte of it in the file.

    Who is connected as them is let go by a running server within a second, as their tokens count
    no more.

    Raises:
        StoreUnavailable: the file is busy or damaged. Asked again, this goes on where it ended.
    """
    places = list(campaigns)

    def strike(connection: sqlite3.Connection) -> None:
        for campaign_id in places:
            _forget(connection, campaign_id, member, now_ms)

    await access.run(strike)
    # What was overwritten or deleted before may still stand in pages that nothing uses.
    await access.read(_compact)


def _compact(connection: sqlite3.Connection) -> None:
    connection.execute("VACUUM")
    # Where somebody has put the file into WAL mode; else it does nothing.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _known(
    connection: sqlite3.Connection, member: str, campaign_id: str | None, acted: set[str]
) -> list[Known]:
    where = "member = ? AND (? IS NULL OR campaign_id = ?)"
    who = (member, campaign_id, campaign_id)
    seats = {
        row[0]: row
        for row in connection.execute(
            "SELECT campaign_id, name IS NOT NULL, subject IS NOT NULL, role IS NOT NULL,"
            f" forgotten_at IS NOT NULL FROM member WHERE {where}",
            who,
        )
    }
    invites, attendance = (
        dict(
            connection.execute(
                f"SELECT campaign_id, count(*) FROM {table} WHERE {where} GROUP BY campaign_id", who
            ).fetchall()
        )
        for table in ("invite", "attendance")
    )
    found = []
    for each in sorted(seats.keys() | invites.keys() | attendance.keys() | acted):
        _, name, subject, seat, forgotten = seats.get(each, (each, 0, 0, 0, 0))
        known = Known(
            campaign_id=each,
            name=bool(name),
            subject=bool(subject),
            seat=bool(seat),
            invites=invites.get(each, 0),
            attendance=attendance.get(each, 0),
            acted=each in acted,
            forgotten=bool(forgotten),
        )
        found.append(known)
    return found


def _forget(connection: sqlite3.Connection, campaign_id: str, member: str, now_ms: int) -> None:
    seat, now = (campaign_id, member), rfc3339(now_ms)
    connection.execute(
        "INSERT INTO member (campaign_id, member, valid_from, changed_at, forgotten_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (campaign_id, member) DO UPDATE SET role = NULL,"
        " name = NULL, issuer = NULL, subject = NULL, valid_from = excluded.valid_from,"
        " changed_at = excluded.changed_at, forgotten_at = excluded.forgotten_at",
        (*seat, now_ms, now, now),
    )
    connection.execute(
        "DELETE FROM joining WHERE invite_id IN"
        " (SELECT invite_id FROM invite WHERE campaign_id = ? AND member = ?)",
        seat,
    )
    connection.execute("DELETE FROM invite WHERE campaign_id = ? AND member = ?", seat)
    connection.execute("DELETE FROM attendance WHERE campaign_id = ? AND member = ?", seat)
