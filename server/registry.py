"""The campaigns in memory: loaded once however many ask, gone again when nobody uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from eventstore.port import EventStore
from questlog.campaign.commands import Request
from questlog.campaign.errors import UnknownCampaign
from questlog.sync.entries import Entry
from server.attendance import Attendance
from server.background import Background
from server.clock import Clock, rfc3339
from server.company import Company
from server.config import Config
from server.connection import Connection
from server.limits import Throttled
from server.live import Done, LiveCampaign
from server.metrics import Metrics
from server.rooms import Room
from server.roster import Roster

# Seconds after which somebody may have stopped playing.
FULL_FOR = 30.0


class Seat:
    """A live campaign and the room of those who follow it."""

    __slots__ = ("live", "room", "used", "users")

    def __init__(self, live: LiveCampaign, room: Room, now: float) -> None:
        self.live = live
        self.room = room
        self.used = now
        self.users = 0

    @property
    def idle(self) -> bool:
        """Whether nobody follows it, nothing is in flight and nothing is being told."""
        narrating = self.room.company.narrator.busy
        return not (self.room.connections or self.live.busy or self.users or narrating)


class Registry:
    """Finds a campaign by id, in memory or in the log."""

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        config: Config,
        background: Background,
        attendance: Attendance,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._store = store
        self._attendance = attendance
        self._clock = clock
        self._config = config
        self._background = background
        self._metrics = metrics
        self._log = log
        self._seats: dict[str, Seat] = {}
        self._creating: dict[str, Seat] = {}
        self._loading: dict[str, asyncio.Task[Seat]] = {}
        self.on_overflow: Any = None
        attendance.places = self._places

    async def find(self, campaign_id: str) -> Seat:
        """Return the campaign, read from the log where it is not in memory.

        Raises:
            UnknownCampaign: there is no such campaign.
            StoreError, DamagedLogError: the log cannot be read.

        What is found may leave memory at the next await: see `holding`.
        """
        seat = self._seats.get(campaign_id)
        if seat is None:
            loading = self._loading.get(campaign_id)
            if loading is None:
                loading = asyncio.create_task(self._load(campaign_id))
                self._loading[campaign_id] = loading
                loading.add_done_callback(lambda _: self._loading.pop(campaign_id, None))
            # A caller that goes away does not take the load from the others.
            seat = await asyncio.shield(loading)
        seat.used = self._clock.monotonic()
        return seat

    @asynccontextmanager
    async def holding(self, campaign_id: str) -> AsyncIterator[Seat]:
        """Find a campaign and keep it in memory for as long as the context lasts.

        A campaign that left memory between being found and being committed to would be loaded
        again beside itself, and those who follow the second would not hear of what the first did.
        Whoever awaits anything between the two holds it.

        Raises:
            UnknownCampaign, StoreError, DamagedLogError: as `find`.
        """
        seat = await self.find(campaign_id)
        seat.users += 1
        try:
            yield seat
        finally:
            seat.users -= 1

    async def create(self, campaign_id: str, request: Request) -> Done:
        """Carry out a Create; the campaign is found by others once it is durable.

        Raises:
            Rejection: as `decide`; a campaign there already is asked first, so that a retry of its
                own creation is found out.
        """
        try:
            seat = await self.find(campaign_id)
        except UnknownCampaign:
            self._make_room()
            seat = self._creating.get(campaign_id) or self._seat(
                LiveCampaign(campaign_id, None, *self._parts())
            )
            self._creating[campaign_id] = seat
        seat.users += 1
        try:
            return await seat.live.submit(request)
        finally:
            seat.users -= 1
            if seat.live.state.version:
                self._creating.pop(campaign_id, None)
                self._seats.setdefault(campaign_id, seat)
            elif seat.idle:
                self._creating.pop(campaign_id, None)

    def seats(self) -> list[Seat]:
        """Return every campaign in memory."""
        return list(self._seats.values())

    def sweep(self) -> None:
        """Let go of campaigns that have been idle for long enough."""
        latest = self._clock.monotonic() - self._config.idle_timeout
        for campaign_id, seat in list(self._seats.items()):
            if seat.idle and seat.used <= latest:
                del self._seats[campaign_id]
        for campaign_id, seat in list(self._creating.items()):
            if seat.idle:
                del self._creating[campaign_id]

    def _make_room(self) -> None:
        """Let the campaign go that has been idle for longest, where there are as many as may be.

        Raises:
            RateLimited: none is idle.
        """
        if len(self._seats) + len(self._creating) < self._config.max_campaigns:
            return
        idle = [(seat.used, campaign_id) for campaign_id, seat in self._seats.items() if seat.idle]
        if not idle:
            refusal = Throttled("Too many campaigns are being played here.", FULL_FOR)
            refusal.limit = "max_campaigns"
            raise refusal
        del self._seats[min(idle)[1]]

    async def _load(self, campaign_id: str) -> Seat:
        loaded = await self._store.load(campaign_id)
        if loaded is None:
            raise UnknownCampaign
        seat = self._seats.get(campaign_id)
        if seat is None:
            self._make_room()
            seat = self._seats[campaign_id] = self._seat(
                LiveCampaign(campaign_id, loaded, *self._parts())
            )
            seat.room.company.narrator.mend()
        return seat

    def _parts(self) -> tuple[Any, ...]:
        limits, most = self._config.document_limits(), self._config.max_suggestions
        spawn, metrics = self._background.spawn, self._metrics
        return self._store, self._clock, limits, most, spawn, metrics, self._log

    def _seat(self, live: LiveCampaign) -> Seat:
        now = self._clock.monotonic()
        room = Room(live, self._config.outbox, self._overflowed, self._metrics)
        grace, idle = self._config.leave_grace, self._config.narration_idle
        room.company = Company(live, room, self._attendance, self._now, grace, idle)
        seat = Seat(live, room, now)

        def published(before: Entry) -> None:
            room.quiet_since = seat.used = now = self._clock.monotonic()
            room.announcements.made(live.state.version, now)
            room.publish(before)
            room.company.published(before)

        live.on_published = published
        return seat

    def _places(self) -> Iterator[tuple[LiveCampaign, Roster]]:
        for seat in (*self._seats.values(), *self._creating.values()):
            yield seat.live, seat.room.company.roster

    def _now(self) -> str:
        return rfc3339(self._clock.now_ms())

    def _overflowed(self, connection: Connection) -> None:
        if self.on_overflow is not None:
            self.on_overflow(connection)
