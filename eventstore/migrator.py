"""Migrations: numbered SQL files, each run in one transaction that also records it."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from importlib import resources

from msgspec import Struct

from eventstore.errors import NewerSchemaError, NotAStoreError, OlderSchemaError

APPLICATION_ID = 0x514C4F47  # "QLOG"
ACCESS_ID = 0x514C4143  # "QLAC"


class Migration(Struct, frozen=True):
    """One step of the schema: its number, its name and its SQL."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of the SQL, recorded when it runs."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def sqlite_migrations(folder: str = "sqlite") -> list[Migration]:
    """Return the migrations of a log (`sqlite`) or of an access file (`access`), in order."""
    found = []
    for entry in resources.files("migrations").joinpath(folder).iterdir():
        named = re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name)
        if named:
            found.append(Migration(int(named[1]), named[2], entry.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def check_schema(
    connection: sqlite3.Connection,
    latest: int,
    *,
    writing: bool,
    application_id: int = APPLICATION_ID,
) -> int:
    """Return the schema number of the file behind `connection`; 0 for an empty file.

    Args:
        application_id: which of our files it must be: a log's or an access file's.

    Raises:
        NotAStoreError: the file is not SQLite's, or is another application's.
        NewerSchemaError: a newer release wrote it.
        OlderSchemaError: an older release wrote it, and it is opened for reading.
    """
    try:
        # One statement, so one state of the file: another process may be making it right now.
        application, number, tables = connection.execute(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
            " FROM pragma_application_id, pragma_user_version"
        ).fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise NotAStoreError from error
        raise
    if application != application_id:
        if writing and application == 0 and number == 0 and tables == 0:
            return 0
        raise NotAStoreError
    if number > latest:
        raise NewerSchemaError
    if number < latest and not writing:
        raise OlderSchemaError
    return int(number)


def migrate(
    connection: sqlite3.Connection,
    migrations: list[Migration],
    *,
    now: str,
    application_id: int = APPLICATION_ID,
) -> list[Migration]:
    """Take the file behind `connection` to the latest schema and return the migrations that ran.

    Each runs in one transaction with its record, so a failing one leaves the schema before it.
    `connection` must be in autocommit mode and hold the store's lock; `now` is RFC 3339.

    Raises:
        NotAStoreError, NewerSchemaError: as `check_schema`.
        sqlite3.Error: a migration failed; those before it stand.
    """
    latest = migrations[-1].number
    number = check_schema(connection, latest, writing=True, application_id=application_id)
    ran = []
    for migration in migrations:
        if migration.number <= number:
            continue
        try:
            connection.executescript(_script(migration, now, application_id))
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
        ran.append(migration)
    return ran


def applied(connection: sqlite3.Connection) -> list[tuple[int, str, str, str]]:
    """Return number, name, SHA-256 and time of each migration the store records."""
    return connection.execute(
        "SELECT number, name, sha256, at FROM migration ORDER BY number"
    ).fetchall()


def _script(migration: Migration, now: str, application_id: int) -> str:
    """Return the migration as one transaction; `executescript` takes no parameters."""
    return f"""
        BEGIN IMMEDIATE;
        CREATE TABLE IF NOT EXISTS migration (
            number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL
        ) STRICT;
        {migration.sql}
        INSERT INTO migration VALUES
            ({migration.number}, '{migration.name}', '{migration.sha256}', '{now}');
        PRAGMA application_id = {application_id};
        PRAGMA user_version = {migration.number};
        COMMIT;
    """
