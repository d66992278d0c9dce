"""A live campaign: one writer, decided in memory, published when durable.

Two heads. The *accepted* one is what the next commit is decided against; the feed's is what is on
disk and what everyone sees. Commits are queued in the order they were decided, appended in batches,
and answered in order, rejections too: a rejection may rest on a commit that is not durable yet.

What can go wrong, and what is done:
- An append turns out a duplicate, or another server was faster: what was decided after it is
  decided again, in order, against what the log really holds.
- The disk is full or fails: everything undecided is answered `store_unavailable`; the log is read
  again to learn what did get in; a retry with the same id finds out.
- A caller goes away: its commit stays. The log does not care who is listening.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from eventstore import policy
from eventstore.errors import OutcomeUnknownError, StoreError
from eventstore.port import Appended, Conflict, EventStore, Loaded, Outcome
from questlog.campaign.commands import Request, digest
from questlog.campaign.decide import Decision, Minted, decide
from questlog.campaign.errors import IdReused, Rejection, StoreUnavailable
from questlog.campaign.events import Event, EventHeader, NewEvent
from questlog.campaign.evolve import Step, fold
from questlog.campaign.ids import check_event_id, uuid7
from questlog.campaign.state import CampaignState
from questlog.campaign.suggestions import weight as weight_of
from questlog.document import Limits
from questlog.sync.entries import Entry
from questlog.sync.feed import Feed
from server.clock import Clock, rfc3339
from server.memory import Memory, Spawn
from server.metrics import Metrics

MAX_BATCH = 256
CATCH_UP_CHUNK = 500

Advance = tuple[CampaignState, str, EventHeader, int]
Published = Callable[[Entry], None]


class Done(Struct, frozen=True, gc=False):
    """A request that was carried out, or found to be done already.

    Attributes:
        id: the request's id, the server's own where the caller gave none.
        version, hash: the version the answer speaks of, durable, and its chain hash.
        patch: the event's patch, as JSON text.
    """

    id: str
    version: int
    hash: str
    patch: str
    duplicate: bool = False


class _Pending:
    """A request on its way: decided one way or the other, not yet answered."""

    __slots__ = ("came", "decision", "future", "identifier", "rejection", "request")

    def __init__(self, request: Request, future: asyncio.Future[Done], came: float) -> None:
        self.request = request
        self.future = future
        self.came = came
        self.identifier = ""
        self.decision: Decision | None = None
        self.rejection: Rejection | None = None

    @property
    def event(self) -> NewEvent | None:
        return None if self.decision is None else self.decision.event

    def answer(self, answer: Done | Rejection) -> None:
        if self.future.done():
            return
        if isinstance(answer, Rejection):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)


class LiveCampaign:
    """A campaign in memory.

    Args:
        loaded: what the log holds; None for a campaign about to be created.
        max_suggestions: how many of one player may wait for the DM.
        spawn: runs a coroutine to its end under the server's supervision.
    """

    def __init__(
        self,
        campaign_id: str,
        loaded: Loaded | None,
        store: EventStore,
        clock: Clock,
        limits: Limits,
        max_suggestions: int,
        spawn: Spawn,
        metrics: Metrics,
        log: Any,
    ) -> None:
        state = CampaignState(campaign_id=campaign_id) if loaded is None else loaded.state
        self.feed = Feed(state, "" if loaded is None else loaded.hash, store.secret, self._now)
        self.memory = Memory(self.feed, store, spawn)
        self.on_published: Published | None = None
        self._accepted = state
        self._weight = 0 if loaded is None else loaded.weight
        self._store = store
        self._clock = clock
        self._limits = limits
        self._max_suggestions = max_suggestions
        self._spawn = spawn
        self._metrics = metrics
        self._log = log
        self._queue: deque[_Pending] = deque()
        self._in_flight = False
        self._rest: asyncio.Future[None] | None = None

    @property
    def campaign_id(self) -> str:
        """The campaign's id."""
        return self.feed.campaign_id

    @property
    def busy(self) -> bool:
        """Whether anything is in flight."""
        return self._in_flight

    @property
    def state(self) -> CampaignState:
        """The campaign as of its durable head."""
        return self.feed.head.state

    @property
    def accepted(self) -> CampaignState:
        """The campaign as of what has been decided, durable or not yet."""
        return self._accepted

    def submit(self, request: Request) -> asyncio.Future[Done]:
        """Decide `request` and return the future of its answer: Done, or a Rejection raised.

        The answer comes once the version it names is durable, and after the answers to all that
        was submitted before. Cancelling the future does not take the request back.
        """
        loop = asyncio.get_running_loop()
        pending = _Pending(request, loop.create_future(), self._clock.monotonic())
        self._decide(pending)
        self._queue.append(pending)
        self._kick()
        return pending.future

    async def settled(self) -> None:
        """Wait until nothing is in flight."""
        if self._in_flight:
            if self._rest is None:
                self._rest = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._rest)

    def _now(self) -> str:
        return rfc3339(self._clock.now_ms())

    def _decide(self, pending: _Pending) -> None:
        """Decide against the accepted head, and move it."""
        now = self._clock.now_ms()
        identifier = pending.request.id or uuid7(now, os.urandom(10))
        pending.identifier = identifier
        minted = Minted(rfc3339(now), identifier)
        pending.decision = pending.rejection = None
        try:
            decision = decide(
                self._accepted, pending.request, minted, self._limits, self._max_suggestions
            )
        except Rejection as rejection:
            pending.rejection = rejection
            return
        pending.decision = decision
        self._accepted = decision.state

    def _kick(self) -> None:
        """Append the next batch, where none is in flight and something is queued."""
        if self._in_flight:
            return
        if not self._queue:
            if self._rest is not None:
                self._rest.set_result(None)
                self._rest = None
            return
        self._in_flight = True
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
        events = [pending.event for pending in batch if pending.event is not None]
        if len(events) == len(batch):
            appending = self._store.append(self.campaign_id, events)
            appending.add_done_callback(partial(self._landed, batch))
        else:
            self._spawn(self._land(batch, events))

    def _landed(self, batch: list[_Pending], appending: asyncio.Future[list[Outcome]]) -> None:
        """Publish and answer a batch that was appended as it was decided: nearly every one is.

        This is the hot path of a commit, and it starts no task. Anything else is left to `_land`.
        """
        appended: list[Appended] = []
        if appending.exception() is None:
            appended = [outcome for outcome in appending.result() if isinstance(outcome, Appended)]
        if len(appended) != len(batch):
            self._spawn(self._land(batch, appending))
            return
        self._publish([self._advance(*pair) for pair in zip(batch, appended, strict=True)])
        for pending, outcome in zip(batch, appended, strict=True):
            pending.answer(_done(pending, outcome.version, outcome.hash))
        self._in_flight = False
        self._kick()

    async def _land(
        self, batch: list[_Pending], appending: asyncio.Future[list[Outcome]] | list[NewEvent]
    ) -> None:
        """Finish a batch that needs more than answering: the log is asked, or decided again."""
        try:
            if isinstance(appending, list):
                outcomes: list[Outcome] = []
                if appending:
                    outcomes = await self._store.append(self.campaign_id, appending)
            else:
                outcomes = await appending
            await self._sort_out(batch, outcomes)
        except StoreError as error:
            await self._fail(batch, error)
        except Exception as error:
            # A fault of ours: callers are told the truth, and the campaign goes on.
            self._log.exception("append failed", campaign_id=self.campaign_id)
            await self._fail(batch, OutcomeUnknownError(f"{type(error).__name__}."))
        finally:
            self._in_flight = False
            self._kick()

    async def _sort_out(self, batch: list[_Pending], outcomes: list[Outcome]) -> None:
        """Publish what was appended, answer everyone in the batch in order, and decide again."""
        answers: list[tuple[_Pending, Done | Rejection]] = []
        advance: list[Advance] = []
        again: list[_Pending] = []
        head = (self.state.version, self.feed.head.hash)
        remaining = iter(outcomes)
        for index, pending in enumerate(batch):
            outcome = None if pending.event is None else next(remaining)
            if isinstance(outcome, Appended):
                advance.append(self._advance(pending, outcome))
                head = (outcome.version, outcome.hash)
                answers.append((pending, _done(pending, *head)))
            elif pending.decision is not None and outcome is None:
                earlier = await self._earlier(pending.request)
                answers.append((pending, earlier or _done(pending, *head)))
            elif isinstance(outcome, Conflict):
                again = batch[index:]
                break
            else:
                answers.append((pending, await self._settle(pending)))
                if outcome is not None:
                    # What was decided after it counted on an event that is not there.
                    again = batch[index + 1 :]
                    break
        self._publish(advance)
        if any(isinstance(outcome, Conflict) for outcome in outcomes):
            await self._follow_log()
        for pending, answer in answers:
            pending.answer(answer)
        if any(not isinstance(outcome, Appended) for outcome in outcomes):
            self._redecide(again)

    def _redecide(self, again: list[_Pending]) -> None:
        """Decide `again` and everything queued behind it once more, against the durable head."""
        self._accepted = self.state
        self._queue.extendleft(reversed(again))
        for pending in self._queue:
            self._decide(pending)

    async def _settle(self, pending: _Pending) -> Done | Rejection:
        """Return the answer to a request that was found in the log, or could not be decided.

        A retry is a duplicate whatever has become of the document since, so a rejected request
        that has an id is looked for before it is told no.
        """
        rejection = pending.rejection or IdReused(version=self.state.version)
        return await self._earlier(pending.request) or rejection

    async def settles(self, request: Request) -> bool:
        """Return whether submitting `request` now would change nothing: a retry, or an id in use.

        Raises:
            Invalid: the id is none.
        """
        if request.id is not None:
            check_event_id(request.id)
        return await self._earlier(request) is not None

    async def _earlier(self, request: Request) -> Done | Rejection | None:
        """Return the answer the log has for a request's id, None where it has none."""
        if request.id is None:
            return None
        event = await self._store.find(self.campaign_id, request.actor, request.id)
        if event is None:
            return None
        if event.request != digest(request.command):
            return IdReused(version=event.version)
        return Done(event.id, event.version, event.hash, bytes(event.patch).decode(), True)

    def _advance(self, pending: _Pending, outcome: Appended) -> Advance:
        """Return what an event that has just become durable does, and count its commit."""
        event, decision = pending.event, pending.decision
        assert event is not None
        assert decision is not None
        size = len(event.patch)
        self._metrics.committed(self._clock.monotonic() - pending.came, size)
        header = EventHeader(outcome.version, event.id, event.kind, event.actor, event.at)
        return decision.state, outcome.hash, header, size

    def _publish(self, advance: list[Advance]) -> None:
        """Move the durable head and tell everyone who follows, in one tick."""
        if not advance:
            return
        before = self.feed.advance(advance)
        if self.on_published is not None:
            try:
                self.on_published(before)
            except Exception:
                # It is in the log: callers are answered, and who was not told finds a gap and asks.
                self._log.exception("publish failed", campaign_id=self.campaign_id)
        self._weight += sum(policy.weight(state.version, size) for state, _, _, size in advance)
        if policy.snapshot_due(self._weight, self.state.size) and policy.snapshot_due(
            # They are in it too, and are weighed only where it matters.
            self._weight,
            self.state.size + sum(map(weight_of, self.state.suggestions)),
        ):
            self._weight = 0
            self._spawn(self._save_snapshot(self.state, self.feed.head.hash))

    async def _save_snapshot(self, state: CampaignState, chain_hash: str) -> None:
        try:
            await self._store.save_snapshot(state, chain_hash)
        except StoreError:
            # A snapshot is disposable; the next one will do.
            return

    async def _follow_log(self) -> None:
        """Read on from the durable head what others have appended, and publish it."""
        while True:
            events = await self._store.read(
                self.campaign_id, after=self.state.version, limit=CATCH_UP_CHUNK
            )
            state = self.state
            advance: list[Advance] = []
            for event in events:
                step = Step(event.version, event.at, event.operations(), event.fact())
                state = fold(state, [step])
                advance.append((state, event.hash, header_of(event), len(bytes(event.patch))))
            self._publish(advance)
            if len(events) < CATCH_UP_CHUNK:
                return

    async def _fail(self, batch: list[_Pending], error: StoreError) -> None:
        """Answer everything in flight, and learn from the log what did get in."""
        behind = list(self._queue)
        self._queue.clear()
        try:
            await self._follow_log()
        except Exception:
            # The log cannot be read either; the next commit's conflict will lead back to it.
            self._log.exception("log not readable", campaign_id=self.campaign_id)
        self._accepted = self.state
        queued = list(self._queue)
        for pending in batch + behind:
            pending.answer(StoreUnavailable(error.message, version=self.state.version))
        for pending in queued:
            self._decide(pending)


def _done(pending: _Pending, version: int, chain_hash: str) -> Done:
    event = pending.event
    if event is None:
        return Done(pending.identifier, version, chain_hash, "[]")
    return Done(event.id, version, chain_hash, event.patch)


def header_of(event: Event) -> EventHeader:
    """Return what a `campaign_updated` tells of a logged event."""
    return EventHeader(event.version, event.id, event.kind, event.actor, event.at)
