"""`CampaignBroadcaster`: takes whole documents in, and has them in the log one after the other.

async with CampaignBroadcaster("http://127.0.0.1:8765", token=token) as broadcaster:
    data = {"campaign_id": "evening", "structured_data": document}
    await broadcaster.broadcast_campaign_update("campaign_updated", data)

A queue, and one task that works it off. While the server is away the task comes back, with backoff
and jitter, to the piece of work it was at, and the queue grows up to its bound.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import structs

from questlog.broadcast.branch import Branch, Sent
from questlog.broadcast.port import TEMPORARY, CampaignServer
from questlog.broadcast.turns import Turn
from questlog.broadcast.work import Work, work_of
from questlog.campaign.errors import Invalid, Rejection
from questlog.campaign.ids import check_kind, check_name, uuid7
from questlog.document import decode, encode
from questlog.sync.backoff import Backoff
from questlog.sync.closing import ClosedError

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

MAX_NAME = 20
LONGEST_PAUSE = 5.0


class Delivery:
    """A broadcast under way. Awaiting it waits until it is durable; gives a `Sent`.

    Raises, when awaited:
        Rejection: the server refuses it for good, or it cannot be sent.
        ClosedError: the broadcaster was closed before; whether it is in the log is unknown.
    """

    def __init__(self) -> None:
        self._future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._told = False

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        return self._future.done()

    def __await__(self) -> Generator[Any, None, Sent]:
        """Wait for the answer; who stops waiting takes nothing back."""
        self._told = True
        return asyncio.shield(self._future).__await__()


class _Queued:
    __slots__ = ("delivery", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.delivery = Delivery()


class CampaignBroadcaster:
    """Keeps the campaigns on a Questlog server in step with an application's documents.

    What it commits is what the application changed since it last sent the document, put on top of
    what the campaign is by then: what other DMs and players changed meanwhile stays.

    Attributes:
        away: the server did not answer when it was last asked.
    """

    def __init__(
        self,
        server: str | CampaignServer,
        *,
        token: str | None = None,
        name: str = "broadcaster",
        table: str = "main",
        max_waiting: int = 100,
        patience: float = 10.0,
        on_refused: Callable[[str, Exception], None] | None = None,
        session: aiohttp.ClientSession | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare a broadcaster; nothing is connected before `async with`.

        Args:
            server: its URL, or the server itself (`server.embedding.LocalServer`).
            token: a DM's, where the server is a URL that asks for one.
            name: up to 20 characters that begin the ids of its commits. Two applications that
                write to one campaign have two names; one keeps its own over restarts.
            table: where `campaign_loaded` seats campaigns, if the data name no `table`.
            max_waiting: how many broadcasts may be queued.
            patience: seconds that leaving waits for what is still queued.
            on_refused: called with the campaign's id and the reason when a broadcast is refused.
            session: an aiohttp session to use; it stays open. None: one of its own.
            sleep: waits between attempts to reach the server.

        Raises:
            Invalid: the name or the table is none.
        """
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or not name.isascii():
            raise Invalid(f"A broadcaster's name has 1 to {MAX_NAME} printable ASCII characters.")
        if isinstance(server, str):
            from questlog.broadcast.http import HttpServer

            server = HttpServer(server, token, session)
        self._server: CampaignServer = server
        self._name = name
        self._table = check_name(table, "table")
        self._max_waiting = max_waiting
        self._patience = patience
        self._on_refused = on_refused
        self._backoff = backoff or Backoff(cap=LONGEST_PAUSE)
        self._sleep = sleep
        self._branches: dict[str, Branch] = {}
        self._queue: deque[_Queued] = deque()
        self._now: _Queued | None = None
        self._moved = asyncio.Condition()
        self._refused: deque[Delivery] = deque(maxlen=max_waiting)
        self._task: asyncio.Task[None] | None = None
        self._closed = self._ended = False
        self.away = False

    @property
    def waiting(self) -> int:
        """How many broadcasts are not in the log yet."""
        return len(self._queue) + (self._now is not None)

    async def __aenter__(self) -> CampaignBroadcaster:
        """Begin to work."""
        await self._server.open()
        self._task = asyncio.create_task(self._run(), name="campaign-broadcaster")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is queued, for as long as patience lasts, and stop."""
        await self.close()

    async def close(self) -> None:
        """Send what is queued, for as long as patience lasts, and stop.

        What is left raises ClosedError to whoever awaits its delivery.
        """
        self._closed = True
        if self._task is not None:
            try:
                async with asyncio.timeout(self._patience):
                    await self._answered(self._all())
            except TimeoutError:
                pass
            self._task.cancel()
            await asyncio.wait([self._task])
        self._ended = True
        for queued in self._all():
            self._fail(queued, ClosedError("closed", "The broadcaster was closed."))
        await self._server.close()

    def authenticate(self, token: str) -> None:
        """Go on with another token, before the one there is runs out."""
        self._server.authenticate(token)

    async def broadcast_campaign_update(
        self,
        event_type: str,
        data: dict[str, Any],
        *,
        kind: str | None = None,
        meta: dict[str, Any] | None = None,
        id: str | None = None,
    ) -> Delivery:
        """Queue a broadcast; returns at once, unless the queue is full, with its delivery.

        Args:
            event_type: `campaign_updated` (creates the campaign where there is none),
                `campaign_loaded` (the same, and seats it at the table) or `campaign_deactivated`.
            data: `campaign_id`; `structured_data`, the whole document, copied here and now;
                for `campaign_loaded` perhaps `table`.
            kind: of the event; None: `state.updated`.
            meta: the event's own object, up to 64 KiB.
            id: what happens under one id happens once; None: a new one.

        Where the queue is full, a broadcast without `kind`, `meta` and `id` takes the place of the
        last one of its campaign, if that has none either: the document it brings holds all that
        one did. Otherwise this waits for room.

        Raises:
            Invalid, TooLarge: the event or its data are not as they should be.
            ClosedError: the broadcaster is closed.
        """
        own = not (kind is None and meta is None and id is None)
        fresh = uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))
        work = work_of(
            event_type,
            data,
            id=fresh if id is None else id,
            table=self._table,
            kind=kind,
            meta=meta,
            own=own,
        )
        return await self._enqueue(work)

    async def flush(self) -> None:
        """Wait until everything queued so far is in the log or refused.

        Raises:
            Rejection: the first refusal that nobody has been told of, by awaiting its delivery or
                by an earlier flush.
            ClosedError: the broadcaster was closed before.
        """
        await self._answered(self._all())
        while self._refused:
            delivery = self._refused.popleft()
            if not delivery._told:
                await delivery

    async def load_campaign(self, campaign_id: str) -> dict[str, Any]:
        """Return a copy of the document as it is now, for the application to go on from.

        What is broadcast next is compared with this. An application that has been restarted begins
        so: the log is newer than what it had saved. Waits for a server that is away.

        Raises:
            UnknownCampaign: there is no such campaign.
            Rejection: the server refuses.
        """
        branch = self._branch(campaign_id)
        async with branch.turns:
            await self._answered(self._all(campaign_id))
            branch.held = await self._persist(lambda: self._server.state(campaign_id, branch.held))
            branch.sent = branch.held.document
        copy: dict[str, Any] = decode(encode(branch.sent))
        return copy

    @asynccontextmanager
    async def turn(
        self, campaign_id: str, *, id: str, kind: str | None = None
    ) -> AsyncIterator[Turn]:
        """Play one turn: what is changed in it is durable when the context is left.

        Turns of one campaign come one after the other. A turn that is left with an exception never
        happened. One whose `id` is in the log already is `done`, and whatever is changed in it is
        passed over. Waits for a server that is away, before and after.

        Raises:
            Invalid, TooLarge: the id or kind is none, or what the turn leaves is no document.
            Rejection: the server refuses.
            ClosedError: the broadcaster was closed before it was durable.
        """
        if not id:
            raise Invalid("A turn has an id, and not an empty one.")
        branch = self._branch(campaign_id)
        turn = Turn(branch, id, None if kind is None else check_kind(kind))
        async with branch.turns:
            await self._answered(self._all(campaign_id))
            await turn.begin()
            yield turn
            if not turn.done:
                await turn.end(await (await self._enqueue(turn.work())))

    def _branch(self, campaign_id: str) -> Branch:
        branch = self._branches.get(campaign_id)
        if branch is None:
            check_name(campaign_id, "campaign id")
            branch = Branch(campaign_id, self._server, self._persist, self._name)
            self._branches[campaign_id] = branch
        return branch

    def _all(self, campaign_id: str | None = None) -> list[_Queued]:
        """Return what is not in the log yet, in order, of all campaigns or of one."""
        everything = [*([] if self._now is None else [self._now]), *self._queue]
        return [queued for queued in everything if campaign_id in (None, queued.work.campaign_id)]

    async def _answered(self, queued: list[_Queued]) -> None:
        """Wait until each has an answer, whatever it is."""
        self._check_open(closing=True)
        futures = [each.delivery._future for each in queued]
        if futures:
            await asyncio.wait(futures)

    def _check_open(self, *, closing: bool = False) -> None:
        if self._task is None:
            raise RuntimeError("A broadcaster is used within `async with`.")
        if self._closed and not closing:
            raise ClosedError("closed", "The broadcaster was closed.")

    async def _enqueue(self, work: Work) -> Delivery:
        """Put work into the queue, or in the place of what it makes needless."""
        async with self._moved:
            while True:
                self._check_open()
                if len(self._queue) < self._max_waiting:
                    queued = _Queued(work)
                    self._queue.append(queued)
                    self._moved.notify_all()
                    return queued.delivery
                if (earlier := self._superseded(work)) is not None:
                    earlier.work = structs.replace(earlier.work, document=work.document)
                    return earlier.delivery
                await self._moved.wait()

    def _superseded(self, work: Work) -> _Queued | None:
        """Return the queued broadcast whose place this one may take."""
        if work.own or work.event != "campaign_updated":
            return None
        for queued in reversed(self._queue):
            if queued.work.campaign_id == work.campaign_id:
                fits = not queued.work.own and queued.work.document is not None
                return queued if fits else None
        return None

    async def _run(self) -> None:
        """Work the queue off, one after the other."""
        while True:
            async with self._moved:
                await self._moved.wait_for(lambda: bool(self._queue))
                queued = self._now = self._queue.popleft()
                self._moved.notify_all()
            try:
                sent = await self._branch(queued.work.campaign_id).carry_out(queued.work)
            except Exception as refusal:
                # What stands behind it is not held up by it.
                self._fail(queued, refusal)
            else:
                queued.delivery._future.set_result(sent)
            self._now = None

    async def _persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until there is an answer; one that says to come back later is none."""
        attempt = 0
        while True:
            if self._ended:
                raise ClosedError("closed", "The broadcaster was closed.")
            try:
                answer = await call()
            except Rejection as refusal:
                if refusal.code not in TEMPORARY:
                    self.away = False
                    raise
            else:
                self.away = False
                return answer
            self.away = True
            await self._sleep(self._backoff.delay(attempt))
            attempt += 1

    def _fail(self, queued: _Queued, error: Exception) -> None:
        if queued.delivery.done:
            return
        queued.delivery._future.set_exception(error)
        self._refused.append(queued.delivery)
        if self._on_refused is not None:
            self._on_refused(queued.work.campaign_id, error)
