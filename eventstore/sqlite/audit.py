"""What the verifier reads: rows as they are stored, and whether the schema still guards them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from eventstore import migrator
from eventstore.chain import FIELDS
from eventstore.port import Finding, Kept, StoredEvent
from eventstore.sqlite.rows import COLUMNS, summaries

CHUNK_EVENTS = 512
CHUNK_CHARACTERS = 1024 * 1024
MAX_PAGE_FINDINGS = 10
# Of these the migrations tell all; a table has rows.
MADE_ANEW = ("trigger", "index")


def logs(connection: sqlite3.Connection) -> list[str]:
    """Return every campaign id that a row of any table names."""
    rows = (
        "SELECT campaign_id FROM campaign UNION SELECT campaign_id FROM event"
        " UNION SELECT campaign_id FROM snapshot ORDER BY campaign_id"
    )
    # An id that is no text belongs to an event that its own campaign is found to miss.
    return [row[0] for row in _lenient(connection, rows) if row[0].isprintable()]


def _lenient(
    connection: sqlite3.Connection, sql: str, parameters: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    """Yield rows of which some text may be none: each byte that is not UTF-8 is kept as it is."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield from connection.execute(sql, parameters)
    finally:
        connection.text_factory = str


def kept(connection: sqlite3.Connection, campaign_id: str) -> Kept:
    """Return what stands beside a log and how far the log goes, in one read transaction."""
    connection.execute("BEGIN")
    try:
        found = summaries(connection, campaign_id)
        first, last = connection.execute(
            "SELECT min(version), max(version) FROM event WHERE campaign_id = ?", (campaign_id,)
        ).fetchone()
        snapshots = connection.execute(
            "SELECT version, hash FROM snapshot WHERE campaign_id = ? ORDER BY version",
            (campaign_id,),
        ).fetchall()
    finally:
        connection.execute("COMMIT")
    return Kept(found[0] if found else None, first, last, snapshots)


def stored(
    connection: sqlite3.Connection, campaign_id: str, after: int, until: int
) -> list[StoredEvent]:
    """Return the next events, at most a chunk's worth by number and by size."""
    sql = (
        f"SELECT {COLUMNS} FROM event WHERE campaign_id = ? AND version > ? AND version <= ?"
        " ORDER BY version LIMIT ?"
    )
    parameters = (campaign_id, after, until, CHUNK_EVENTS)
    try:
        return _chunk(connection.execute(sql, parameters))
    except sqlite3.OperationalError as error:
        if "UTF-8" not in str(error):
            raise
        # It costs a call for each text, so it is done only where one is none.
        return _chunk(_lenient(connection, sql, parameters))


def _chunk(rows: Iterable[tuple[Any, ...]]) -> list[StoredEvent]:
    patch = FIELDS.index("patch")
    found: list[StoredEvent] = []
    characters = 0
    for row in rows:
        found.append(StoredEvent(row[:-1], row[-1]))
        characters += len(row[patch])
        if characters > CHUNK_CHARACTERS:
            break
    return found


def stored_snapshots(
    connection: sqlite3.Connection, campaign_id: str, after: int, until: int
) -> dict[int, str]:
    """Return the texts of the next snapshots, at most a chunk's worth, but one at the least."""
    rows = connection.execute(
        "SELECT version, state FROM snapshot"
        " WHERE campaign_id = ? AND version > ? AND version <= ? ORDER BY version",
        (campaign_id, after, until),
    )
    found: dict[int, str] = {}
    characters = 0
    with closing(rows):
        for version, text in rows:
            found[version] = text
            characters += len(text)
            if characters > CHUNK_CHARACTERS:
                break
    return found


def inspect(connection: sqlite3.Connection) -> list[Finding]:
    """Return what is wrong with the schema and with the pages of the file."""
    found = _changed_schema(connection)
    try:
        rows = connection.execute(f"PRAGMA integrity_check({MAX_PAGE_FINDINGS})").fetchall()
    except sqlite3.DatabaseError as error:
        rows = [(str(error),)]
    details = [text for (text,) in rows if text != "ok"]
    return found + [Finding("", "unreadable", None, f"SQLite says: {text}") for text in details]


def _changed_schema(connection: sqlite3.Connection) -> list[Finding]:
    here = _objects(connection)
    made = _as_migrated()
    found = []
    for name in sorted(made.keys() | here.keys()):
        if name not in here:
            what = "is gone"
        elif name not in made:
            what = "was added"
        elif here[name] != made[name]:
            what = "is not as the migrations made it"
        else:
            continue
        kind = (here.get(name) or made[name])[0]
        found.append(Finding("", "schema_changed", None, f"The {kind} {name} {what}."))
    return found


def restorable(finding: Finding) -> bool:
    """Return whether `restore_schema` can undo a change of the schema that was found."""
    return finding.detail.startswith(tuple(f"The {kind} " for kind in MADE_ANEW))


def restore_schema(connection: sqlite3.Connection) -> None:
    """Make triggers and indexes what the migrations made them; tables are left as they are."""
    here, made = _objects(connection), _as_migrated()
    for name in sorted(here.keys() | made.keys()):
        if here.get(name) == made.get(name):
            continue
        kind, sql = made.get(name) or here[name]
        if kind not in MADE_ANEW:
            continue
        if name in here:
            connection.execute(f'DROP {here[name][0].upper()} "{name}"')
        if name in made:
            connection.execute(sql)


def _as_migrated() -> dict[str, tuple[str, str]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrator.migrate(connection, migrator.sqlite_migrations(), now="")
        return _objects(connection)
    finally:
        connection.close()


def _objects(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Return kind and SQL of everything in the schema that is not SQLite's own, by name."""
    rows = connection.execute(
        "SELECT name, type, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    )
    return {name: (kind, sql) for name, kind, sql in rows}
