"""Long poll: `GET …/updates` and `POST …/messages`, for whom no socket and no stream gets through.

A poller has a session like anybody's, which goes on between two polls for a while: what is said
meanwhile waits in its box. The next poll finds it by who asks and by the position they hold; one
that holds another position, because an answer was lost on the way or because it has been on a
socket since, gets a session of its own that catches up from there. So nothing is told twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from questlog.campaign.errors import Invalid, Rejection, StoreUnavailable
from questlog.campaign.position import Position, parse_position
from questlog.campaign.visibility import Rules, Viewer
from questlog.sync.messages import Mode
from questlog.sync.session import Close, Phase, Renew, Session
from server.addresses import counted_as
from server.admission import Caller
from server.background import Background
from server.clock import Clock
from server.config import Config
from server.connection import Connection
from server.crowd import is_known
from server.doorway import Target
from server.hub import Hub
from server.limits import Throttled
from server.links import Mailbox
from server.registry import Registry

REMEMBERED = 10_000

WhenGone = Callable[[Callable[[], None]], None]
Key = tuple[str, str, str, Viewer, Mode]


class Ask(Struct, frozen=True):
    """What a poll asks for.

    Attributes:
        wait: seconds.
        introduce: whether to tell who is there and what waits, though the poller comes back.
        client: which of a member's devices asks, in its own words; empty: it does not say.
    """

    since: str | None
    wait: float
    mode: Mode
    introduce: bool
    client: str = ""


class Poll:
    """A poller's end of a session.

    Attributes:
        position: what the poller holds that has got the last answer.
        before: what they hold if they have not got it.
        said: what the last answer said that was not about the document.
        rules: those in force when that was put together.
        until: what lets go of it where it does not come again.
    """

    __slots__ = ("before", "box", "connection", "key", "position", "rules", "said", "until")

    def __init__(self, key: Key, box: Mailbox, connection: Connection) -> None:
        self.key = key
        self.box = box
        self.connection = connection
        self.position: str | None = None
        self.before: str | None = None
        self.said: list[bytes] = []
        self.rules: Rules | None = None
        self.until: asyncio.TimerHandle | None = None

    async def gather(self, wait: float, gone: asyncio.Event) -> tuple[list[bytes], str | None]:
        """Return what there is to tell and the position it leads to, as soon as there is any.

        Args:
            wait: seconds after which nothing is an answer too.
            gone: set where nobody is left to be answered: what there is waits for the next poll.
        """
        session, box = self.connection.session, self.box
        loop = asyncio.get_running_loop()
        latest = loop.time() + wait
        messages: list[bytes] = []
        while not gone.is_set():
            messages += box.take()
            moving = session.phase in (Phase.CATCHING_UP, Phase.LAGGING)
            if box.closed or not (moving or (not messages and loop.time() < latest)):
                break
            try:
                # What moves arrives, however long it takes: the log is read for it.
                async with asyncio.timeout_at(None if moving else latest):
                    await box.news()
            except TimeoutError:
                continue
        if gone.is_set():
            box.put_back(messages)
            return [], self.position
        self.before, self.said = self.position, [each for each in messages if not is_place(each)]
        if session.feed is not None and session.phase is Phase.LIVE:
            self.position = session.feed.position(session.viewer)
        return messages, self.position


class Polls:
    """The pollers of a server."""

    def __init__(
        self, config: Config, clock: Clock, hub: Hub, registry: Registry, background: Background
    ) -> None:
        self._config = config
        self._clock = clock
        self._hub = hub
        self._registry = registry
        self._background = background
        self._idle: dict[Key, list[Poll]] = {}
        # Digests told in answer to calls: a replica that holds another says so by the next.
        self._told: OrderedDict[tuple[str, str, str], tuple[int, str]] = OrderedDict()

    @property
    def resting(self) -> int:
        """How many sessions wait for their poller to come again."""
        return sum(map(len, self._idle.values()))

    async def poll(
        self, caller: Caller, campaign_id: str, request: Ask, when_gone: WhenGone
    ) -> tuple[list[bytes], str | None]:
        """Return messages and a position, as `Poll.gather` does.

        Args:
            when_gone: has a function called when the caller has gone.

        Raises:
            Rejection: the campaign is not there, or is too crowded, or the poller is one too many.
        """
        assert caller.viewer is not None, "the path names a campaign"
        key = _key(caller, campaign_id, caller.viewer, request)
        poll = self._resume(key, request.since)
        if poll is None:
            poll = await self._open(key, caller, campaign_id, request)
        else:
            self._go_on(poll, caller, request)
        gone = asyncio.Event()
        box = poll.box

        def left() -> None:
            gone.set()
            box.nudge()

        when_gone(left)
        held, connection = parse_position(request.since or ""), poll.connection
        if held is not None and 1 <= held.version <= connection.room.live.state.version:
            self._vouch(connection, held)
            connection.room.heard(connection, held.version, self._clock.monotonic())
        try:
            messages, position = await poll.gather(min(request.wait, self._config.poll_wait), gone)
        except BaseException:
            self._hub.forget(poll.connection)
            raise
        self._rest(poll)
        if poll.box.closed and not messages:
            raise _why_closed(self._hub)
        return messages, position if position is not None else request.since

    async def answer(self, caller: Caller, campaign_id: str, frame: bytes) -> list[bytes]:
        """Take one message of a peer that has no socket to send it by; return the answers.

        Raises:
            Rejection: it is no message, or one that a call cannot bring.
        """
        assert caller.viewer is not None, "the path names a campaign"
        async with self._registry.holding(campaign_id) as seat:
            box = Mailbox("call")
            connection = self._connection(box, caller, caller.viewer, "delta")
            session = connection.session
            session.visit(seat.live.feed)
            connection.room = seat.room
            name = (campaign_id, caller.known.key, counted_as(caller.address))
            session.told = self._told.pop(name, None)
            effects = session.receive(frame, self._hub.now())
            for effect in effects:
                if isinstance(effect, Close):
                    raise effect.rejection
                if isinstance(effect, Renew):
                    raise Invalid("A call shows its token in its header.")
            self._hub.perform(connection, effects)
            while connection.answers:
                await self._hub.requests.answered(connection)
            while session.phase is Phase.CATCHING_UP:
                await box.news()
            if session.told is not None:
                self._told[name] = session.told
                if len(self._told) > REMEMBERED:
                    self._told.popitem(last=False)
            session.closed()
            return box.take()

    def _connection(self, box: Mailbox, caller: Caller, viewer: Viewer, mode: Mode) -> Connection:
        session = Session(viewer, mode, self._config.message_limits(), terse=True)
        return Connection(
            box,
            session,
            self._clock.monotonic(),
            identity=caller.known,
            address=caller.address,
        )

    def _vouch(self, connection: Connection, held: Position) -> None:
        """Believe a poller who has shown to hold a version of before they came, as an answer's."""
        feed, viewer = connection.room.live.feed, connection.session.viewer
        entry = None if held.proof is None else feed.recall(held.version)
        member = connection.present
        if member is not None and entry is not None and feed.proves(held, entry, viewer):
            member.came_at = min(member.came_at, held.version)

    def _resume(self, key: Key, since: str | None) -> Poll | None:
        """Return the session that waits for a poller who holds `since`, if one does.

        They hold what its last answer led to, or, where that was lost, what the one before it did.
        """
        for poll in self._idle.get(key, []):
            known = since is not None and since in (poll.position, poll.before)
            if known and not poll.connection.closing:
                self._take(poll)
                poll.connection.heard = self._clock.monotonic()
                return poll
        return None

    def _go_on(self, poll: Poll, caller: Caller, request: Ask) -> None:
        """Take up a session that has rested, from the position its poller holds.

        What was said meanwhile waits in the box. What became of the document is found anew, and so
        is who is there where the rules have changed: what was put there is of rules that hold no
        more.
        """
        connection, box = poll.connection, poll.box
        # The token may be a newer one.
        connection.identity = caller.known
        said = [each for each in box.take() if not is_place(each)]
        if request.since != poll.position:
            said = poll.said + said
        if connection.room.live.state.rules != poll.rules:
            said, connection.introduced = [], False
        for each in said:
            box.write(each)
        session = connection.session
        poll.position, feed = request.since, session.feed
        # In full mode to follow anew is to be sent everything, at the head as well.
        resting = feed is not None and session.phase is Phase.LIVE
        if feed is not None and not (resting and feed.position(session.viewer) == request.since):
            self._hub.perform(connection, session.follow(feed, request.since, "connected"))
        if request.introduce:
            connection.introduced = False
        connection.room.settle(connection)

    async def _open(self, key: Key, caller: Caller, campaign_id: str, request: Ask) -> Poll:
        box = Mailbox("poll")
        assert caller.viewer is not None, "the path names a campaign"
        connection = self._connection(box, caller, caller.viewer, request.mode)
        # Who comes back with a position knows who is there, as far as they care to.
        connection.acquainted = request.since is not None and not request.introduce
        self._hub.arrive(connection)
        try:
            await self._hub.settle_down(connection, Target(campaign_id, "", request.since))
        except BaseException:
            self._hub.forget(connection)
            raise
        return Poll(key, box, connection)

    def _rest(self, poll: Poll) -> None:
        """Keep a session for the next poll, for a while."""
        if poll.connection.closing or self._hub.stopping:
            self._hub.forget(poll.connection)
            return
        poll.connection.heard = self._clock.monotonic()
        poll.rules = poll.connection.room.live.state.rules
        self._idle.setdefault(poll.key, []).append(poll)
        loop = asyncio.get_running_loop()
        poll.until = loop.call_later(self._config.poll_gap, self._expire, poll)

    def _take(self, poll: Poll) -> None:
        if poll.until is not None:
            poll.until.cancel()
            poll.until = None
        waiting = self._idle[poll.key]
        waiting.remove(poll)
        if not waiting:
            del self._idle[poll.key]

    def _expire(self, poll: Poll) -> None:
        poll.until = None
        self._take(poll)
        if not poll.connection.closing:
            self._background.spawn(poll.connection.close(1000, "gone"))
        self._hub.forget(poll.connection)


def _key(caller: Caller, campaign_id: str, viewer: Viewer, request: Ask) -> Key:
    # Who is nobody in particular is told apart by where they are, as far as that goes.
    where = "" if is_known(viewer) else counted_as(caller.address)
    return campaign_id, caller.known.key, f"{request.client} {where}", viewer, request.mode


def is_place(message: bytes) -> bool:
    """Return whether a message is about the document: it moves whoever takes it."""
    return message.startswith(b'{"type":"campaign_')


def _why_closed(hub: Hub) -> Rejection:
    """Return why a poll is answered with nothing, and there will be no more of its session."""
    if hub.stopping:
        return StoreUnavailable("The server is restarting: come back.")
    return Throttled("This member has too many connections: this one, the oldest, has ended.", 5)
