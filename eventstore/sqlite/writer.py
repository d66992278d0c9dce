"""Group commit: one task drains every queued append into one durable transaction.

An fsync costs as much as hundreds of inserts, so the appends that arrive while one transaction is
being made durable share the next. Callers resume after COMMIT. A caller that is cancelled leaves
its append where it is: the outcome is unknown to the caller, not to the log.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from eventstore.chain import GENESIS
from eventstore.errors import (
    OutcomeUnknownError,
    StoreClosedError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
)
from eventstore.port import Appended, Conflict, Head, Outcome
from eventstore.sqlite.connection import Connection
from eventstore.sqlite.forking import Fork, fork
from eventstore.sqlite.rows import INSERT, earlier, head_of, row_of
from questlog.campaign.events import (
    CampaignActivated,
    CampaignCreated,
    CampaignDeactivated,
    NewEvent,
)

MAX_BATCH = 1024
MAX_HEADS = 10_000


class Append(Struct, frozen=True):
    """A queued append: some events of one campaign, in order."""

    campaign_id: str
    events: Sequence[NewEvent]


Work = Append | Fork | Callable[[sqlite3.Connection], None]
Result = list[Outcome] | Outcome | StoreError | None
Heads = dict[str, Head]


class GroupCommit:
    """The store's only writer.

    Args:
        reopen: called after the disk has failed under the connection; returns a fresh one.
    """

    def __init__(
        self, connection: Connection, reopen: Callable[[Connection], Awaitable[Connection]]
    ) -> None:
        self._connection = connection
        self._reopen = reopen
        self._queue: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        # Under the lock nobody else moves a head, so those written stay known.
        self._heads: Heads = {}
        self._task = asyncio.create_task(self._run(), name="group commit")

    def submit(self, work: Work) -> asyncio.Future[Any]:
        """Queue `work` and return the future of its outcome, done once it is durable.

        The future fails with a StoreError: see `EventStore.append`.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closing:
            future.set_exception(StoreClosedError())
        else:
            self._queue.append((work, future))
            self._wake.set()
        return future

    async def close(self) -> Connection:
        """Write what is queued, stop, and hand the connection back."""
        self._closing = True
        self._wake.set()
        await self._task
        return self._connection

    async def _run(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
            results = await self._write([work for work, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, StoreError):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    async def _write(self, batch: list[Work]) -> list[Result]:
        """Return one result for each piece of work; never raises, so that the writer never ends."""
        try:
            return await self._connection.run(partial(write_batch, batch=batch, heads=self._heads))
        except sqlite3.Error as error:
            failure = failure_of(error)
        except Exception as error:
            failure = OutcomeUnknownError(f"The store's connection failed: {error}.")
        self._heads.clear()
        if isinstance(failure, OutcomeUnknownError):
            try:
                self._connection = await self._reopen(self._connection)
            except Exception as error:
                failure = OutcomeUnknownError(f"The store could not be opened again: {error}.")
        return [failure] * len(batch)


def write_batch(connection: sqlite3.Connection, batch: list[Work], heads: Heads) -> list[Result]:
    """Do all of `batch` in one transaction; runs on the connection's thread.

    `heads` are those known from earlier batches; it is kept true, and wrong after a failure.

    Raises:
        sqlite3.Error: the transaction as a whole failed, and was rolled back where that worked.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if len(heads) > MAX_HEADS:
            heads.clear()
        results: list[Result] = []
        for work in batch:
            if isinstance(work, Append):
                results.append(_append(connection, work, heads))
            elif isinstance(work, Fork):
                results.append(fork(connection, work, heads))
            else:
                work(connection)
                results.append(None)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _append(connection: sqlite3.Connection, append: Append, heads: Heads) -> Result:
    campaign_id = append.campaign_id
    head = heads.get(campaign_id) or head_of(connection, campaign_id)
    outcomes: list[Outcome] = []
    for event in append.events:
        version = 0 if head is None else head.version
        refused: Exception | None = None
        if event.based_on == version:
            try:
                row = row_of(campaign_id, event, GENESIS if head is None else head.hash)
                _insert(connection, campaign_id, event, row)
            except (sqlite3.IntegrityError, UnicodeError) as error:
                refused = error
            else:
                head = heads[campaign_id] = Head(version + 1, str(row[-1]))
                outcomes.append(Appended(head.version, head.hash))
                continue
        # An id used before comes first in the rules. The schema refuses to write one twice, so it
        # is looked for only where nothing was written.
        used = None if event.minted else earlier(connection, campaign_id, event)
        if used is None and refused is not None:
            # What the schema refuses is this append's fault alone; the rest of the batch goes on.
            heads.pop(campaign_id, None)
            written = any(isinstance(outcome, Appended) for outcome in outcomes)
            kind = OutcomeUnknownError if written else StoreError
            return kind(f"The store refused an event of {campaign_id!r}: {refused}.")
        outcomes.append(used or Conflict(version))
    return outcomes


def _insert(
    connection: sqlite3.Connection, campaign_id: str, event: NewEvent, row: tuple[str | int, ...]
) -> None:
    if event.fact is None:
        connection.execute(INSERT, row)
        return
    # These touch two tables; a savepoint keeps one from standing without the other.
    connection.execute("SAVEPOINT built_in")
    try:
        if isinstance(event.fact, CampaignCreated):
            connection.execute(
                "INSERT INTO campaign (campaign_id, title, created_at, last_at, head_hash)"
                " VALUES (?, ?, ?, ?, ?)",
                (campaign_id, event.fact.title, event.at, event.at, GENESIS),
            )
        elif isinstance(event.fact, CampaignActivated | CampaignDeactivated):
            active = isinstance(event.fact, CampaignActivated)
            connection.execute(
                "UPDATE campaign SET active_table = ? WHERE campaign_id = ?",
                (event.fact.table if active else None, campaign_id),
            )
        connection.execute(INSERT, row)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO built_in")
            connection.execute("RELEASE built_in")
        raise
    connection.execute("RELEASE built_in")


def failure_of(error: sqlite3.Error) -> StoreError:
    """Return what a failed transaction means to those who asked for it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError()
    if code == sqlite3.SQLITE_READONLY:
        return StoreReadOnlyError("The store has become read-only; nothing of this was written.")
    if code == sqlite3.SQLITE_BUSY:
        return StoreError("Another process is writing to the store; nothing of this was written.")
    return OutcomeUnknownError(f"The disk failed under the store: {error}.")
