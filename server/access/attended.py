"""Who was there, as the access file keeps it: rows that are only ever widened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from eventstore import migrator
from eventstore.errors import OlderSchemaError, UnreadableError
from eventstore.sqlite.connection import open_reader
from questlog.campaign.events import Role
from questlog.campaign.visibility import Viewer
from server.access.file import access_path
from server.access.records import viewer_at

_COLUMNS = "campaign_id, session, day, role, member, people, first_at, last_at, held, sent"
_FORGOTTEN = "SELECT 1 FROM member WHERE campaign_id = ? AND member = ? AND forgotten_at >= ?"
_WIDEN = (
    f"INSERT INTO attendance ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (campaign_id, session, day, role, member) DO UPDATE SET"
    " people = max(people, excluded.people), first_at = min(first_at, excluded.first_at),"
    " last_at = max(last_at, excluded.last_at), held = max(held, excluded.held),"
    " sent = max(sent, excluded.sent)"
)


class Attended(Struct, frozen=True, kw_only=True):
    """When a member was at a campaign, in one session or on one day without one.

    Attributes:
        session: the version of its `campaign.activated`; 0: there was none.
        day: the date (UTC) where there was no session, else "".
        people: the most that were there at once of those who share a seat; else 1.
        first_at, last_at: RFC 3339.
        held: the newest version they said they hold; 0: none.
        sent: the newest version they were sent; 0: none.
    """

    campaign_id: str
    session: int
    day: str
    role: Role
    member: str
    people: int
    first_at: str
    last_at: str
    held: int
    sent: int

    @property
    def viewer(self) -> Viewer:
        """Who it was."""
        return viewer_at(self.role, self.member)

    @property
    def key(self) -> tuple[str, int, str, Role, str]:
        """What names the row."""
        return (self.campaign_id, self.session, self.day, self.role, self.member)


def widened(one: Attended, other: Attended) -> Attended:
    """Return what two rows of the same key say together."""
    return Attended(
        campaign_id=one.campaign_id,
        session=one.session,
        day=one.day,
        role=one.role,
        member=one.member,
        people=max(one.people, other.people),
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        held=max(one.held, other.held),
        sent=max(one.sent, other.sent),
    )


def record(connection: sqlite3.Connection, rows: Iterable[tuple[Attended, str]]) -> None:
    """Widen what is kept by `rows`, each with when its member came (RFC 3339).

    Who has been forgotten since they came is passed over: they are to stay forgotten.
    """
    for row, since in rows:
        seat = (row.campaign_id, row.member, since)
        if connection.execute(_FORGOTTEN, seat).fetchone() is None:
            rest = (row.people, row.first_at, row.last_at, row.held, row.sent)
            connection.execute(_WIDEN, (*row.key, *rest))


def attended(connection: sqlite3.Connection, campaign_id: str) -> list[Attended]:
    """Return who was at a campaign: by session, days without one first, then as they came."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM attendance WHERE campaign_id = ?"
        " ORDER BY session, day, first_at, role, member",
        (campaign_id,),
    )
    return [attended_from(row) for row in found]


def attended_from(row: tuple[str | int, ...]) -> Attended:
    """Return what a row of `attendance` says, its columns in the order of the schema."""
    members = dict(zip(Attended.__struct_fields__, row, strict=True))
    return Attended(**members)  # type: ignore[arg-type]


async def attended_beside(store_url: str, campaign_id: str) -> list[Attended]:
    """Return who was at a campaign, by the access file beside a store, which is only read.

    Where there is none, or one of before attendance was kept, nobody is known to have been there.

    Raises:
        StoreError: it is there, and cannot be read.
    """
    path = access_path(store_url)
    if not path.is_file():
        return []
    connection = await open_reader(path)
    try:
        return await connection.run(lambda c: _kept(c, campaign_id))
    except OlderSchemaError:
        return []
    except sqlite3.Error as error:
        raise UnreadableError(f"The access file cannot be read: {error}.") from error
    finally:
        await connection.close()


def _kept(connection: sqlite3.Connection, campaign_id: str) -> list[Attended]:
    latest = migrator.sqlite_migrations("access")[-1].number
    migrator.check_schema(connection, latest, writing=False, application_id=migrator.ACCESS_ID)
    return attended(connection, campaign_id)
