"""The access file: keys and members, in an SQLite file of its own beside the log.

The command writes it while the server runs; the server learns of that from `PRAGMA data_version`
and reads it anew. It holds secrets, so nobody but its owner may read it.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from eventstore import migrator
from eventstore.errors import (
    BadStoreUrlError,
    NoStoreError,
    StoreReadOnlyError,
    UnreadableError,
)
from eventstore.sqlite.connection import (
    OWNER_ONLY,
    Connection,
    check_place,
    make_private,
    open_writer,
)
from eventstore.sqlite.location import path_of
from questlog.campaign.errors import Invalid, StoreUnavailable
from questlog.campaign.events import Role
from questlog.campaign.moments import written
from server.access.records import Member, SigningKey, member_from

T = TypeVar("T")

SUFFIX = ".access"
KEYS = 2
# How long a write waits for another's, in milliseconds.
PATIENCE = 2_000
_COLUMNS = "campaign_id, member, role, name, issuer, subject, valid_from, changed_at"


def access_path(store_url: str) -> Path:
    """Return the access file of the store at `store_url`: beside it, named after it.

    Raises:
        BadStoreUrlError: the URL names no store.
    """
    path = path_of(store_url)
    if path.is_dir():
        raise BadStoreUrlError(f"{path} is a folder, and a store is a file.")
    return path.with_name(path.name + SUFFIX)


class AccessFile:
    """The access file, open. Made by `open`.

    Attributes:
        audience: what the server's own tokens are made for.
    """

    def __init__(self, path: Path, connection: Connection, audience: str) -> None:
        self.path = path
        self.audience = audience
        self._connection = connection
        self._inode = path.stat().st_ino

    @classmethod
    async def open(cls, store_url: str) -> AccessFile:
        """Open the access file of a store; make it, with a first key, where it is not there.

        Raises:
            StoreError: with the code that says why it cannot be used.
        """
        path = access_path(store_url)
        return cls(path, *await _open(path))

    async def run(self, work: Callable[[sqlite3.Connection], T], *, patient: bool = True) -> T:
        """Return `work(connection)`, done as one transaction.

        Args:
            patient: wait a moment for whoever else has the file; else nobody who comes in has to
                wait behind this.

        Raises:
            StoreUnavailable: the file cannot be read or written now.
        """

        def transact(connection: sqlite3.Connection) -> T:
            connection.execute(f"PRAGMA busy_timeout = {PATIENCE if patient else 0}")
            try:
                connection.execute("BEGIN IMMEDIATE")
                found = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                # A commit that has to wait for a reader fails, too, and leaves its transaction.
                connection.rollback()
                raise
            finally:
                connection.execute(f"PRAGMA busy_timeout = {PATIENCE}")
            return found

        return await self._guard(transact)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return `work(connection)`, which only reads.

        Raises:
            StoreUnavailable: the file cannot be read now.
        """
        return await self._guard(work)

    async def version(self) -> tuple[int, int]:
        """Return what changes when another process has written the file, or put another there.

        Raises:
            StoreUnavailable, StoreError: the file cannot be read now, or is gone.
        """
        if self._inode != _inode_of(self.path):
            # A backup was put in its place: what is held open is a file nobody else sees.
            connection, self.audience = await _open(self.path)
            old, self._connection = self._connection, connection
            self._inode = _inode_of(self.path)
            await old.close()
        counted = await self.read(lambda c: int(c.execute("PRAGMA data_version").fetchone()[0]))
        return self._inode, counted

    async def keys(self) -> tuple[SigningKey, ...]:
        """Return the keys whose tokens count, the one that signs first."""
        return await self.read(_keys)

    async def rotate(self) -> tuple[SigningKey, ...]:
        """Make a new key; the one before it still counts, older ones are gone."""

        def rotated(connection: sqlite3.Connection) -> tuple[SigningKey, ...]:
            _add_key(connection)
            connection.execute(
                "DELETE FROM signing_key WHERE number NOT IN"
                " (SELECT number FROM signing_key ORDER BY number DESC LIMIT ?)",
                (KEYS,),
            )
            return _keys(connection)

        return await self.run(rotated)

    async def members(self, campaign_id: str) -> list[Member]:
        """Return everybody who has or had a seat at a campaign."""
        return await self._members("campaign_id = ? ORDER BY member", campaign_id)

    async def seats_of(self, issuer: str, subject: str) -> list[Member]:
        """Return every seat of a provider's user."""
        where = "issuer = ? AND subject = ? ORDER BY campaign_id"
        return await self._members(where, issuer, subject)

    async def find(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Member]:
        """Return the seats named by (campaign, member), where there are such."""

        def fetch(connection: sqlite3.Connection) -> dict[tuple[str, str], Member]:
            found = {}
            for pair in wanted:
                row = connection.execute(
                    f"SELECT {_COLUMNS} FROM member WHERE campaign_id = ? AND member = ?", pair
                ).fetchone()
                if row is not None:
                    found[pair] = member_from(row)
            return found

        wanted = list(pairs)
        return await self.read(fetch)

    async def add_member(self, member: Member) -> None:
        """Give somebody a seat, or one who was removed theirs again.

        Raises:
            Invalid: the seat is taken, or the provider's user has another one there.
        """

        def add(connection: sqlite3.Connection) -> None:
            taken = connection.execute(
                "SELECT 1 FROM member WHERE campaign_id = ? AND member = ? AND role IS NOT NULL",
                (member.campaign_id, member.member),
            ).fetchone()
            if taken:
                raise Invalid(f"{member.member} is a member already; `members role` changes it.")
            try:
                connection.execute(
                    f"INSERT INTO member ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 0, ?)"
                    " ON CONFLICT (campaign_id, member) DO UPDATE SET role = excluded.role,"
                    " name = excluded.name, issuer = excluded.issuer, subject = excluded.subject,"
                    " changed_at = excluded.changed_at",
                    (
                        member.campaign_id,
                        member.member,
                        member.role,
                        member.name,
                        member.issuer,
                        member.subject,
                        _now(),
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise Invalid("This user of the provider has another seat there.") from error

        await self.run(add)

    async def set_role(self, campaign_id: str, member: str, role: Role) -> None:
        """Give a seat another role, whatever the tokens of who sits there say.

        Raises:
            Invalid: the seat was taken away: `add` gives it back.
        """

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT role FROM member WHERE campaign_id = ? AND member = ?",
                (campaign_id, member),
            ).fetchone()
            if row is not None and row[0] is None:
                raise Invalid(f"{member} was removed; `members add` gives the seat back.")
            connection.execute(
                "INSERT INTO member (campaign_id, member, role, changed_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (campaign_id, member) DO UPDATE SET role = excluded.role,"
                " changed_at = excluded.changed_at",
                (campaign_id, member, role, _now()),
            )

        await self.run(change)

    async def remove_member(self, campaign_id: str, member: str, now_ms: int) -> None:
        """Take a seat away: the tokens issued for it until now and its invites count no more.

        The name is forgotten. A provider's subject stays, to keep them out whatever a claim says.
        """

        def remove(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO member (campaign_id, member, valid_from, changed_at)"
                " VALUES (?, ?, ?, ?) ON CONFLICT (campaign_id, member) DO UPDATE SET role = NULL,"
                " name = NULL, valid_from = excluded.valid_from, changed_at = excluded.changed_at",
                (campaign_id, member, now_ms, _now()),
            )
            connection.execute(
                "UPDATE invite SET revoked = 1 WHERE campaign_id = ? AND member = ?",
                (campaign_id, member),
            )

        await self.run(remove)

    async def close(self) -> None:
        """Close the file."""
        await self._connection.close()

    async def _members(self, where: str, *parameters: str) -> list[Member]:
        rows = await self.read(
            lambda c: c.execute(
                f"SELECT {_COLUMNS} FROM member WHERE {where}", parameters
            ).fetchall()
        )
        return [member_from(row) for row in rows]

    async def _guard(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._connection.run(work)
        except sqlite3.DatabaseError as error:
            sentence = "Who may come in cannot be read now: the access file is busy or damaged."
            raise StoreUnavailable(sentence) from error


async def _open(path: Path) -> tuple[Connection, str]:
    """Return a connection to the access file, made where it is not there, and its audience."""
    check_place(path)
    _keep_private(path)
    connection = await open_writer(path)
    try:
        return connection, await connection.run(_prepare)
    except sqlite3.Error as error:
        await connection.close()
        raise UnreadableError(f"The access file cannot be used: {error}.") from error
    except BaseException:
        await connection.close()
        raise


def _inode_of(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError as error:
        raise NoStoreError("The access file is gone: nobody new is let in.") from error


def _keep_private(path: Path) -> None:
    """Make the file for its owner alone, and take others' rights to one that is there away.

    Raises:
        StoreReadOnlyError: others may read it, and it is not ours to change.
    """
    try:
        make_private(path)
        if not path.is_file():
            raise StoreReadOnlyError(f"{path.name} is there, and is no file.")
        if path.stat().st_mode & 0o077:
            path.chmod(OWNER_ONLY)
    except OSError as error:
        sentence = f"{path.name} holds keys, and must be its owner's alone: {error.strerror}."
        raise StoreReadOnlyError(sentence) from error


def _prepare(connection: sqlite3.Connection) -> str:
    """Take the schema up to date, make what a new file needs, and return the audience."""
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE}")
    # What is removed here is to be gone, and not to stand on in a page that nothing uses.
    connection.execute("PRAGMA secure_delete = ON")
    migrations = migrator.sqlite_migrations("access")
    latest, identity = migrations[-1].number, migrator.ACCESS_ID
    if migrator.check_schema(connection, latest, writing=True, application_id=identity) < latest:
        # The server and the command may both be the first to come: the second finds it done.
        with suppress(sqlite3.OperationalError):
            migrator.migrate(connection, migrations, now=_now(), application_id=identity)
        now_at = migrator.check_schema(connection, latest, writing=True, application_id=identity)
        if now_at < latest:
            raise UnreadableError("The access file is busy, and too old to be used as it is.")
    row = connection.execute("SELECT audience FROM access").fetchone()
    if row is None or not _keys(connection):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT OR IGNORE INTO access VALUES (1, ?, ?)",
            (f"questlog:{secrets.token_hex(8)}", _now()),
        )
        if not _keys(connection):
            _add_key(connection)
        connection.execute("COMMIT")
        row = connection.execute("SELECT audience FROM access").fetchone()
    return str(row[0])


def _keys(connection: sqlite3.Connection) -> tuple[SigningKey, ...]:
    rows = connection.execute(
        "SELECT key_id, secret, created_at FROM signing_key ORDER BY number DESC LIMIT ?", (KEYS,)
    ).fetchall()
    return tuple(SigningKey(*row) for row in rows)


def _add_key(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO signing_key (key_id, secret, created_at) VALUES (?, ?, ?)",
        (secrets.token_hex(4), secrets.token_bytes(32), _now()),
    )


def _now() -> str:
    return written(datetime.now(UTC))
