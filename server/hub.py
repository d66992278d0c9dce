"""The hub: connections, what their sessions want done, and the clock that watches them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from eventstore.errors import StoreError
from questlog.campaign.errors import RateLimited, Rejection
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.visibility import Viewer
from questlog.sync.closing import CloseCode
from questlog.sync.messages import Encoded, Error, Reason
from questlog.sync.session import (
    Close,
    Diverged,
    Effect,
    Execute,
    Heard,
    Phase,
    Recall,
    Refuse,
    Relay,
    Renew,
    Send,
    Warn,
)
from server.access.identity import OwnIdentity
from server.admission import Admission
from server.audit import Audit
from server.background import Background
from server.clock import Clock, rfc3339
from server.config import Config
from server.connection import Connection
from server.crowd import Crowd, is_known
from server.doorway import Target
from server.links import Mailbox, StreamLink
from server.metering import Metering
from server.metrics import Metrics
from server.registry import Registry, Seat
from server.relays import Relays
from server.renewal import Renewal
from server.requests import Requests
from server.standing import Standing
from server.tables import Tables

TICKS_PER_HEARTBEAT = 4


class Hub:
    """Every connection, and the carrying out of its session's effects."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        registry: Registry,
        tables: Tables,
        standing: Standing,
        admission: Admission,
        background: Background,
        secret: bytes,
        metrics: Metrics,
        audit: Audit,
        log: Any,
    ) -> None:
        self.connections: dict[Connection, None] = {}
        self.renewal = Renewal(
            admission, clock, self, lambda: list(self.connections), background.spawn, log
        )
        self._config = config
        self._standing = standing
        self._admission = admission
        self.crowd = Crowd(config)
        self.metering = Metering(config, clock)
        self._relays = Relays(config, clock)
        self._metrics = metrics
        self._audit = audit
        self._clock = clock
        self._registry = registry
        self._tables = tables
        self._background = background
        self._log = log
        self.requests = Requests(
            admission.authenticator, tables, registry, background, self.now, secret, self.record
        )
        self.stopping = False
        registry.on_overflow = self._overflowed
        tables.follow = self.follow
        tables.move = self.move
        tables.leave = self.leave

    def now(self) -> str:
        """Return the time as messages give it."""
        return rfc3339(self._clock.now_ms())

    def arrive(self, connection: Connection) -> None:
        """Count a connection that has just been accepted.

        Raises:
            RateLimited: there are too many from its address.
        """
        connection.metrics = self._metrics
        self.crowd.arrive(connection)
        self.connections[connection] = None
        connection.link.hold(self._config.outbox)

    async def settle_down(self, connection: Connection, target: Target) -> None:
        """Bring a connection to the campaign or the table it came for."""
        identity = connection.known
        self.metering.fit(connection, partial(self._flooded, connection))
        if target.campaign_id is not None:
            # Asked before the campaign is looked for: a stranger learns nothing of what there is.
            await self._standing.viewer(connection, target.campaign_id)
            async with self._registry.holding(target.campaign_id) as seat:
                viewer = await self._standing.viewer(connection, target.campaign_id)
                self.follow(connection, seat, viewer, target.since, "connected")
        else:
            if isinstance(identity, OwnIdentity):
                viewer = await self._standing.viewer(connection, identity.campaign_id)
                connection.session.viewer = viewer
            await self._tables.join(target.table, connection, target.since)
        if connection.session.phase is Phase.CATCHING_UP:
            # The document comes first: before it is there, nothing that a peer says is answered.
            await self._recall(connection, connection.session.came_with)

    def follow(
        self,
        connection: Connection,
        seat: Seat,
        viewer: Viewer,
        since: str | None,
        reason: Reason,
    ) -> None:
        """Make a connection follow a campaign as `viewer`, and bring its peer to the head.

        Raises:
            RateLimited: as many follow it as may.
        """
        if connection.room is not None:
            connection.room.leave(connection)
        self._make_room(seat, viewer)
        connection.session.viewer = viewer
        seat.room.enter(connection)
        self.perform(connection, connection.session.follow(seat.live.feed, since, reason))
        self.place(connection)

    def move(self, connection: Connection, seat: Seat, viewer: Viewer) -> None:
        """Make a connection follow the campaign that has been seated at its table."""
        try:
            self.follow(connection, seat, viewer, None, "activated")
        except Rejection as refusal:
            self._background.spawn(self.turn_away(connection, refusal))

    def place(self, connection: Connection) -> None:
        """Count a connection under its member; the oldest goes where that is one too many."""
        if connection.room is not None:
            connection.room.company.seat(connection)
        self.metering.fit(connection, partial(self._flooded, connection))
        for oldest in self.crowd.place(connection):
            self._audit.limited("max_member_connections")
            self._background.spawn(oldest.close(CloseCode.SUPERSEDED, "superseded"))
            if isinstance(oldest.link, Mailbox):
                # Nobody may come to see that it is closed; what goes into it is for nobody.
                self.forget(oldest)

    def leave(self, connection: Connection) -> None:
        """Take a connection out of the campaign it follows: its table is empty now."""
        if connection.room is not None:
            connection.room.leave(connection)
        self.perform(connection, connection.session.leave(self.now()))

    def perform(self, connection: Connection, effects: list[Effect]) -> None:
        """Do what a session wants done, in order, without waiting for any of it."""
        for effect in effects:
            match effect:
                case Send(message=message):
                    connection.send(message)
                case Recall(version=version):
                    self._background.spawn(self._recall(connection, version))
                case Execute(message=message):
                    self.requests.execute(connection, message)
                case Refuse(id=identifier, rejection=rejection):
                    self.requests.refuse(connection, identifier, rejection)
                case Diverged(version=version, ours=ours, theirs=theirs):
                    self._audit.diverged(
                        connection.label, connection.address, version, ours, theirs
                    )
                case Relay(message=message):
                    self._relay(connection, message)
                case Heard(version=version):
                    self._heard(connection, version)
                case Warn(rejection=rejection):
                    self.warn(connection, rejection)
                case Renew(token=token):
                    self._background.spawn(self.renewal.renew(connection, token))
                case Close(code=code, rejection=rejection):
                    self.record(connection, rejection)
                    self._background.spawn(connection.close(code, rejection.code))
        if connection.room is not None:
            connection.room.settle(connection)

    def warn(self, connection: Connection, rejection: Rejection) -> None:
        """Say what was not taken of what a peer sent, and go on."""
        self.record(connection, rejection)
        connection.send(Encoded(Error(rejection.code, rejection.message, self.now())))

    async def drain_requests(self) -> None:
        """Take no more requests from sockets, and wait until every one taken has been answered."""
        self.stopping = True
        for seat in self._registry.seats():
            seat.room.company.stop()
        while any(seat.live.busy for seat in self._registry.seats()):
            await asyncio.gather(*(seat.live.settled() for seat in self._registry.seats()))

    async def stop(self) -> None:
        """Close every socket with 1012: the server is going, and will be back."""
        closing = [
            connection.close(CloseCode.RESTARTING, "restarting")
            for connection in list(self.connections)
        ]
        await asyncio.gather(*closing, return_exceptions=True)

    async def watch(self) -> None:
        """Send heartbeats at rest, close who is silent, and sweep what is idle, forever."""
        while True:
            await asyncio.sleep(self._config.heartbeat / TICKS_PER_HEARTBEAT)
            now = self._clock.monotonic()
            try:
                for connection in list(self.connections):
                    self._check(connection, now)
                self._registry.sweep()
                self._tables.sweep()
            except Exception:
                # A watch that ends is noticed by nobody: the next round may go better.
                self._log.exception("watch failed")

    def _relay(self, connection: Connection, message: Any) -> None:
        try:
            self._relays.relay(connection, message)
        except Rejection as rejection:
            self.warn(connection, rejection)

    def _heard(self, connection: Connection, version: int) -> None:
        if connection.room is not None:
            connection.room.heard(connection, version, self._clock.monotonic())

    async def turn_away(self, connection: Connection, refusal: Rejection) -> None:
        """Say why a connection cannot be served, and close it."""
        if connection.closing:
            return
        self.record(connection, refusal)
        for effect in connection.session.refuse(refusal, self.now()):
            if isinstance(effect, Close):
                await connection.close(effect.code, refusal.code)
            else:
                self.perform(connection, [effect])

    def _flooded(self, connection: Connection) -> None:
        """Turn away a player of whose bytes nothing is read any more, be they messages or not."""
        refusal = RateLimited("Too many bytes: come back later.")
        refusal.limit = "player_rate"
        self._background.spawn(self.turn_away(connection, refusal))

    def _make_room(self, seat: Seat, viewer: Viewer) -> None:
        """Make room for one more follower: somebody known comes before nobody in particular.

        Raises:
            RateLimited: as many follow as may.
        """
        crowd, followers = self.crowd, seat.room.connections
        if not crowd.is_full(len(followers)):
            return
        nobody = next((each for each in reversed(followers) if crowd.is_nobody(each)), None)
        if nobody is None or not is_known(viewer):
            raise crowd.full()
        nobody.room.leave(nobody)
        self._background.spawn(self.turn_away(nobody, crowd.full()))

    def record(self, connection: Connection, refusal: Rejection) -> None:
        """Have it logged and counted that something was refused."""
        feed = connection.session.feed
        what = "socket" if feed is None else f"socket of {feed.campaign_id}"
        self._audit.refused(refusal, who=connection.label, where=connection.address, what=what)

    def forget(self, connection: Connection) -> None:
        """Let a connection go whose peer has gone."""
        if self.connections.pop(connection, self) is self:
            return
        connection.ended(connection.link.code, by_us=False)
        self.crowd.depart(connection)
        self._tables.part(connection)
        if connection.room is not None:
            connection.room.leave(connection)
        connection.session.closed()

    async def _recall(self, connection: Connection, version: int) -> None:
        """Read the version a peer holds from the log, and bring the peer on from there."""
        feed = connection.session.feed
        if feed is None:
            return
        try:
            seat = await self._registry.find(feed.campaign_id)
            entry = await seat.live.memory.recall(version)
        except (Rejection, StoreError, DamagedLogError) as error:
            # A version that cannot be read is answered as one that is not there: by a snapshot.
            self._log.warning("recall failed", version=version, code=error.code)
            entry = None
        if connection.session.feed is feed:
            self.perform(connection, connection.session.recalled(version, entry))

    def _overflowed(self, connection: Connection) -> None:
        self._audit.limited("outbox")
        self._background.spawn(self._await_drain(connection))

    async def _await_drain(self, connection: Connection) -> None:
        """Bring a slow peer to the head once its outbox has drained; close it if it never does."""
        if await self.drained(connection):
            self.perform(connection, connection.session.drained())
            if isinstance(connection.link, Mailbox):
                connection.link.nudge()

    async def drained(self, connection: Connection) -> bool:
        """Wait until an outbox has drained; close its connection if it stays full."""
        try:
            async with asyncio.timeout(self._config.slow_timeout):
                await connection.link.drained()
        except TimeoutError:
            self._audit.limited("slow_timeout")
            self._log.info("too slow", who=connection.label, remote=connection.address)
            await connection.close(CloseCode.TOO_SLOW, "too slow")
            return False
        except ConnectionError:
            return False
        connection.heard = self._clock.monotonic()
        return True

    def _check(self, connection: Connection, now: float) -> None:
        session, config, link = connection.session, self._config, connection.link
        if isinstance(link, StreamLink):
            if link.closed:
                link.over.set()
            elif not link.buffered():
                # It never says anything: what it takes shows that it lives.
                connection.heard = now
        if connection.closing or link.kind == "poll" or session.phase is Phase.LAGGING:
            # A slow peer has not been asked yet: pings wait behind its backlog.
            return
        if now - connection.heard > config.silence_timeout:
            self._audit.limited("silence_timeout")
            self._background.spawn(connection.close(CloseCode.SILENT, "silent too long"))
        elif now - connection.sent >= config.heartbeat:
            connection.sent = now
            room = connection.room
            follows = room is not None and session.phase is Phase.LIVE
            # Its pong will show that all it was told up to here has arrived.
            connection.ask(b"%d" % room.live.state.version if follows else b"")
            quiet = room is None or now - room.quiet_since >= config.heartbeat
            if quiet and session.phase is not Phase.CATCHING_UP:
                self.perform(connection, session.heartbeat(self.now()))
