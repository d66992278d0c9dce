"""Importing: a log that was exported comes into a store, proved event by event, or not at all.

The store's lock is held all the while. The log is staged piece by piece in a file beside the store;
once all of it is there and right, one transaction takes it over.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from eventstore.chain import GENESIS, PATCH, link
from eventstore.errors import (
    BadTransferError,
    CampaignDiffersError,
    DamagedSourceError,
    StoreError,
    StoreFullError,
    TableTakenError,
    UnreadableError,
)
from eventstore.lock import WriterLock
from eventstore.policy import snapshot_due, weight
from eventstore.port import Head
from eventstore.sqlite.connection import check_place, connect_writer, make_private
from eventstore.sqlite.rows import INSERT, head_of, load_state, row_of, step_of
from eventstore.sqlite.staging import Reached, Staging, remove
from eventstore.sqlite.store import prepare_schema
from eventstore.sqlite.writer import failure_of
from eventstore.transfer import Header, header_from, line_from, refused
from questlog.campaign.commands import Deactivate, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor
from questlog.campaign.evolve import DamagedLogError, Step, evolve_with, fold
from questlog.campaign.ids import derived_id
from questlog.campaign.state import CampaignState
from questlog.campaign.upcast import UnknownSchemaError
from questlog.document import DocumentError, Limits, apply_within

PIECE_EVENTS = 512
PIECE_CHARACTERS = 4 * 1024 * 1024
# Far above what a server takes by default: an import is to keep out what no server could hold.
LIMITS = Limits(max_bytes=256 * 1024 * 1024, max_depth=500, max_operations=1_000_000)
_US = Actor("questlog", "dm")
Row = tuple[str | int, ...]


class Imported(Struct, frozen=True):
    """What came of an import.

    Attributes:
        version, hash: the campaign's head now.
        added: how many events came in; 0: all of them were there.
        left: the table it would have been active at, had its seat been free.
    """

    campaign_id: str
    version: int
    hash: str
    added: int
    left: str | None = None


class InterruptedImportError(BadTransferError):
    """The file ends too early: what came is kept beside the store, and the import can go on."""


def import_log(path: Path, lines: Iterator[bytes], into: str | None, rehash: bool) -> Imported:
    """Bring the log that `lines` are an export of into the store in this file.

    Args:
        into: the id it is to have there; None: its own.
        rehash: take it whatever its hashes say, and chain it anew.

    Raises:
        BadTransferError: the file is damaged, or is no export; the sentence names the version.
        CampaignDiffersError: the store has a campaign of that id with another history.
        TableTakenError: the log ends active at a table where another campaign is.
        StoreError: the store cannot be written, or a server has it open.
        DamagedLogError: the campaign that is there already is damaged.
    """
    first = next(lines, b"")
    header = header_from(first)
    campaign_id = into or header.campaign_id
    with held(path) as store:
        head = head_of(store, campaign_id) or Head(0, GENESIS)
        asked = repr((first, campaign_id, rehash, head.version, head.hash)).encode()
        key = hashlib.sha256(asked).hexdigest()[:16]
        place = path.with_name(f"{path.name}.import-{key}")
        try:
            with closing(Staging(place)) as staging:
                intake = _Intake(store, staging, header, campaign_id, head, rehash)
                intake.read(lines)
                done = _taken_over(store, staging, intake)
        except (InterruptedImportError, StoreFullError):
            raise
        except sqlite3.Error as error:
            failure = failure_of(error)
            if not isinstance(failure, StoreFullError):
                remove(place)
            raise failure from error
        except Exception:
            remove(place)
            raise
        remove(place)
    return done


@contextmanager
def held(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the lock of a store, made where it is missing, and yield a connection that writes it.

    Raises:
        StoreError: it cannot be written, or another process has it.
    """
    check_place(path)
    lock = WriterLock(path)
    lock.acquire()
    try:
        make_private(path)
        with closing(connect_writer(path)) as connection:
            prepare_schema(connection)
            yield connection
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        raise failure_of(error) from error
    finally:
        lock.release()


class _Intake:
    """Reads a file against the campaign that is there, and stages what is new."""

    def __init__(
        self,
        store: sqlite3.Connection,
        staging: Staging,
        header: Header,
        campaign_id: str,
        head: Head,
        rehash: bool,
    ) -> None:
        self.campaign_id = campaign_id
        self.head = head
        self.renamed = campaign_id != header.campaign_id
        loaded = load_state(store, campaign_id, None)
        self.state = CampaignState(campaign_id=campaign_id) if loaded is None else loaded.state
        self._weight = 0 if loaded is None else loaded.weight
        self._staging, self._header, self._rehash = staging, header, rehash
        self._there = store.execute(
            "SELECT hash FROM event WHERE campaign_id = ? AND version > ? ORDER BY version",
            (campaign_id, header.after),
        )
        self._version, self._at = header.after, ""
        self._old = self._new = header.previous
        self._begin(store)
        self._digest = hashlib.sha256()
        self._pending: list[Row] = []
        self._characters = 0

    def _begin(self, store: sqlite3.Connection) -> None:
        """Find the place in the store's log where the file begins."""
        after = self._header.after
        if after > self.head.version:
            raise BadTransferError(
                f"The file begins after version {after}, and {self.campaign_id!r} is at"
                f" {self.head.version} here. Nothing was imported."
            )
        if not after:
            return
        row = store.execute(
            "SELECT hash, at FROM event WHERE campaign_id = ? AND version = ?",
            (self.campaign_id, after),
        ).fetchone()
        if row is None:
            raise DamagedLogError(f"version {after} of {self.campaign_id!r} is missing")
        self._new, self._at = row
        if self._new != self._old and not self._rehash and not self.renamed:
            raise self._differs(after)

    def read(self, lines: Iterator[bytes]) -> None:
        """Read the file to its end, and stage what the store does not have."""
        header = self._header
        with closing(self._there):
            self._go_on(lines)
            while self._version < header.version:
                self._take(self._next(lines))
        self._flush()
        # Editors and shells leave empty lines at the end of a file.
        if any(text.strip() for text in lines):
            raise BadTransferError(
                f"The file goes on after version {header.version}, which its first line says is the"
                " last. Nothing was imported."
            )
        if not self._rehash and self._old != header.hash:
            raise refused(header.version, "is not the one the file's header speaks of")

    def _next(self, lines: Iterator[bytes]) -> bytes:
        text = next(lines, b"")
        # A line that was cut in the middle is no wrong one; only the last may lack its end.
        if not text or not (text.endswith(b"\n") or self._version + 1 == self._header.version):
            self._flush()
            raise InterruptedImportError(
                f"The file ends at version {self._version}, before version"
                f" {self._header.version}. Nothing was imported yet."
            )
        self._digest.update(text)
        return text

    def _go_on(self, lines: Iterator[bytes]) -> None:
        """Skip what an import that was broken off has staged, if this file still begins so."""
        reached = self._staging.reached()
        if reached is None:
            return
        for _ in range(reached.version - self._header.after):
            self._next(lines)
        if self._digest.hexdigest() != reached.digest:
            raise BadTransferError(
                "This is not the file whose import was begun; that one's part was dropped now."
            )
        self._version, self._old, self._new = reached.version, reached.old, reached.new
        self.state = self._staging.state(self.state)
        self._at = self.state.last_at

    def _take(self, text: bytes) -> None:
        version = self._version + 1
        line = line_from(text, self._header.campaign_id, version, self._at)
        row = line.fields(self.campaign_id)
        if not self._rehash:
            fields = line.fields(line.campaign_id) if self.renamed else row
            self._old = link(self._old, fields)
            if self._old != line.hash:
                raise refused(
                    version,
                    "is not what its hash and the one before it were made of: the file was"
                    " changed. --rehash takes it as it is",
                )
        new = link(self._new, row) if self._rehash or self.renamed else self._old
        if version <= self.head.version:
            there = self._there.fetchone()
            if there is None or there[0] != new:
                raise self._differs(version)
        else:
            self._pending.append((*row, new))
            self._characters += len(str(row[PATCH]))
        self._version, self._at, self._new = version, line.at, new
        if len(self._pending) >= PIECE_EVENTS or self._characters > PIECE_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        """Prove the pending events by what they make of the campaign, and stage them."""
        rows, self._pending, self._characters = self._pending, [], 0
        if not rows:
            return
        self.state = _evolved(self.state, rows)
        self._weight += sum(weight(int(row[1]), len(str(row[PATCH]))) for row in rows)
        due = snapshot_due(self._weight, self.state.size)
        reached = Reached(self._version, self._digest.hexdigest(), self._old, self._new)
        self._staging.take(rows, reached, self.state if due else None)
        self._weight = 0 if due else self._weight

    def _differs(self, version: int) -> CampaignDiffersError:
        return CampaignDiffersError(
            f"The store's {self.campaign_id!r} is another from version {version} on. Nothing was"
            " imported; --as gives the log another id."
        )


def _evolved(state: CampaignState, rows: list[Row]) -> CampaignState:
    """Return what rows make of a campaign.

    Raises:
        BadTransferError: one of them cannot follow; named.
    """
    try:
        return _folded(state, rows)
    except _WRONG:
        for row in rows:
            try:
                state = _folded(state, [row])
            except _WRONG as error:
                raise refused(int(row[1]), f"cannot follow the one before it: {error}") from error
        return state


def _folded(state: CampaignState, rows: list[Row]) -> CampaignState:
    version, at, kind, patch, data, schema = 1, 6, 3, 7, 8, 11
    order = (version, at, kind, data, patch, schema)
    steps: list[Step] = [step_of(*(row[place] for place in order)) for row in rows]  # type: ignore[arg-type]
    if not any(operation.get("op") == "copy" for step in steps for operation in step.operations):
        folded = fold(state, steps)
        if folded.size > LIMITS.max_bytes:
            raise DamagedLogError("the document is larger than any server could hold")
        return folded
    # What copies can make much of little, so it is looked at before it is made.
    for step in steps:
        document = apply_within(state.document, step.operations, size=state.size, limits=LIMITS)
        if type(document.value) is not dict:
            raise DamagedLogError("the document is no object")
        state = evolve_with(state, document, at=step.at, fact=step.fact)
    return state


_WRONG = (
    msgspec.MsgspecError,
    UnknownSchemaError,
    DamagedLogError,
    DocumentError,
    UnicodeError,
    RecursionError,
)


def _taken_over(store: sqlite3.Connection, staging: Staging, intake: _Intake) -> Imported:
    """Take what is staged into the store, in one transaction."""
    campaign_id, head, state = intake.campaign_id, intake.head, intake.state
    if staging.reached() is None:
        return Imported(campaign_id, head.version, head.hash, 0)
    taken = store.execute(
        "SELECT campaign_id FROM campaign WHERE active_table = ? AND campaign_id != ?",
        (state.table, campaign_id),
    ).fetchone()
    if taken is not None and not intake.renamed:
        raise TableTakenError(
            f"{taken[0]!r} is active at {state.table!r}, where this log ends active, too. Nothing"
            f" was imported. Deactivate {taken[0]!r} first, or give this log another id with --as:"
            " then it leaves the table."
        )
    store.execute("BEGIN IMMEDIATE")
    try:
        if not head.version:
            store.execute(
                "INSERT INTO campaign (campaign_id, title, created_at, last_at, head_hash)"
                " VALUES (?, ?, ?, ?, ?)",
                (campaign_id, state.title, state.created_at, state.created_at, GENESIS),
            )
        store.executemany(INSERT, _proved(staging, head))
        left = None
        if taken is not None:
            left, state = state.table, _leave(store, state)
        store.execute(
            "UPDATE campaign SET active_table = ? WHERE campaign_id = ?",
            (state.table, campaign_id),
        )
        kept = ((campaign_id, *each) for each in staging.snapshots())
        store.executemany("INSERT OR IGNORE INTO snapshot VALUES (?, ?, ?, ?)", kept)
        store.execute("COMMIT")
    except BaseException as error:
        if store.in_transaction:
            store.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            raise BadTransferError(f"The store refused an event: {error}.") from error
        raise
    now = head_of(store, campaign_id)
    if now is None:
        raise StoreError("The campaign that was imported is not there.")
    return Imported(campaign_id, now.version, now.hash, now.version - head.version, left)


def _proved(staging: Staging, head: Head) -> Iterator[Row]:
    """Yield the rows that are staged, each held against its hash once more.

    Raises:
        UnreadableError: the disk did not keep what was staged.
    """
    digest = head.hash
    for row in staging.rows():
        digest = link(digest, row[:-1])
        if digest != row[-1]:
            raise UnreadableError(f"Version {row[1]} was damaged beside the store; import again.")
        yield row


def _leave(store: sqlite3.Connection, state: CampaignState) -> CampaignState:
    """Append that the campaign leaves its table, and return it so."""
    head = head_of(store, state.campaign_id)
    minted = Minted(state.last_at, derived_id("import", state.campaign_id, str(state.version)))
    decision = decide(state, Request(_US, Deactivate()), minted, LIMITS)
    if head is None or decision.event is None:
        raise DamagedSourceError("The log ends active, and cannot leave its table.")
    store.execute(INSERT, row_of(state.campaign_id, decision.event, head.hash))
    return decision.state
