"""The line: what keeps a replica connected, over whichever way gets through, and its requests.

Whatever ends a connection, the next one begins at the position the replica can prove; requests that
were not answered are sent again, in their order and under their ids, so that each happens once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Literal

import aiohttp
import msgspec
from msgspec import Struct

from questlog.campaign.errors import Invalid, rejection_of
from questlog.client.calls import PollCarrier, StreamCarrier
from questlog.client.carriers import Carrier, MissedError, SocketCarrier, Target
from questlog.sync.backoff import Backoff
from questlog.sync.closing import ClosedError, is_final
from questlog.sync.ladder import Ladder, Way
from questlog.sync.messages import Committed, Rejected
from questlog.sync.replica import Answered, Changed, Deactivated, Failed, Heard, Replica, SendText
from questlog.sync.replica import Status as ReplicaStatus
from questlog.sync.talk import TalkTold
from questlog.sync.updates import Updates

Status = ReplicaStatus | Literal["closed"]
StatusListener = Callable[[Status, float | None], None]

FIRST_COMING_BACK = 4000
MAX_HEARD = 256


class Pending(Struct):
    """A request that is not answered yet, as it goes over the wire, however often."""

    frame: str
    campaign_id: str | None
    future: asyncio.Future[Committed]


class Line:
    """One client's line to its server.

    Attributes:
        target: where it connects, and as whom; replaced by another token.
        replica: what the connections bring.
        updates, heard: what has happened to it and what was said, for a consumer.
        closed: why there will be no more connections, None while there may be.
        moved: set, and replaced, whenever anything has happened.
        on_refused: told of each request that was refused, answered or not.
        on_live: called whenever a connection has brought its first message.
    """

    def __init__(
        self,
        target: Target,
        campaign_id: str | None,
        table: str,
        *,
        replica: Replica,
        ladder: Ladder,
        backoff: Backoff,
        sleep: Callable[[float], Awaitable[None]],
        on_status: StatusListener | None,
    ) -> None:
        self.target = target
        self.replica = replica
        self.updates = Updates()
        self.heard: deque[TalkTold] = deque(maxlen=MAX_HEARD)
        self.closed: ClosedError | None = None
        self.moved = asyncio.Event()
        self.on_refused: Callable[[Rejected], None] = lambda _: None
        self.on_live: Callable[[], None] = lambda: None
        self._campaign_id = campaign_id
        self._table = table
        self._ladder = ladder
        self._backoff = backoff
        self._sleep = sleep
        self._on_status = on_status
        self._told: Status = "connecting"
        self._pending: dict[str, Pending] = {}
        self._carrier: Carrier | None = None
        self._refusal: tuple[str, str] | None = None
        self._missed: ClosedError | None = None
        self._acknowledging: asyncio.TimerHandle | None = None
        self._acknowledged_at = -60.0

    @property
    def status(self) -> Status:
        """The replica's, or `closed`."""
        return "closed" if self.closed else self.replica.status

    @property
    def way(self) -> Way | None:
        """How it is connected, None while it is not."""
        return None if self._carrier is None else self._carrier.way

    def send(self, frame: str) -> None:
        """Send a frame that nobody answers; lost where there is no connection."""
        if self._carrier is not None and self.replica.status != "connecting":
            self._carrier.outgoing.put_nowait(frame)

    async def request(self, identifier: str, frame: str) -> Committed:
        """Send a request, over as many connections as it takes, and return its answer.

        Raises:
            Rejection: of the class of its code: it was refused.
            Invalid: one of this id is under way.
            ClosedError: there will be no answer; the outcome is unknown.
        """
        if self.closed is not None:
            raise self.closed
        if identifier in self._pending:
            raise Invalid("A request of this id is under way.")
        pending = Pending(frame, self.replica.campaign_id, asyncio.Future())
        self._pending[identifier] = pending
        self.send(frame)
        try:
            return await pending.future
        finally:
            del self._pending[identifier]

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Stay connected. Whatever ends this ends the client."""
        attempt = 0
        try:
            while True:
                code = await self._connect(session)
                if is_final(code):
                    raise self._final(code)
                brought = self.replica.status != "connecting"
                self.replica.disconnected()
                # A server that answers and at once asks to come back later must not be hammered.
                asked = code is not None and code >= FIRST_COMING_BACK
                attempt = 0 if brought and not asked else attempt
                delay = self._backoff.delay(attempt)
                attempt += 1
                self._tell(delay)
                await self._sleep(delay)
        except ClosedError as error:
            self.end(error)
        except Exception as error:
            self.end(ClosedError("error", f"The client failed: {error!r}."))
            raise

    def end(self, error: ClosedError) -> None:
        """Have no more connections, for this reason."""
        if self.closed is None:
            self.closed = error
            if self._acknowledging is not None:
                self._acknowledging.cancel()
            for pending in self._pending.values():
                if not pending.future.done():
                    pending.future.set_exception(error)
            self._tell(None)

    def take(self, frame: str) -> None:
        """Take one message of the server's.

        Raises:
            msgspec.DecodeError: it is none of this protocol's.
        """
        connecting = self.replica.status == "connecting"
        for effect in self.replica.receive(frame):
            match effect:
                case SendText(text=text):
                    if self._carrier is not None:
                        self._carrier.reply(text)
                case Answered(answer=answer):
                    self._answer(answer)
                case Failed(error=error):
                    self._refusal = (error.code, error.message)
                case Heard(message=message):
                    self.heard.append(message)
                case Changed() | Deactivated():
                    self.updates.put(effect)
                    self._acknowledge()
        self._settle(was_connecting=connecting)

    def confirm(self, position: str | None) -> None:
        """Take it that the head is at `position`: what is held may be all there is."""
        connecting = self.replica.status == "connecting"
        self.replica.confirm(position)
        self._settle(was_connecting=connecting)

    def _settle(self, *, was_connecting: bool) -> None:
        if was_connecting and self.replica.status != "connecting":
            self._ladder.brought()
            self._missed = None
            self._send_pending()
            self.on_live()
        self._tell(None)

    async def _connect(self, session: aiohttp.ClientSession) -> int | None:
        """Connect once, the way that is in turn; returns the close code, None without one."""
        carriers: dict[Way, Callable[..., Carrier]] = {
            "socket": SocketCarrier,
            "stream": StreamCarrier,
            "poll": PollCarrier,
        }
        carrier = carriers[self._ladder.way](session, self.target, self)
        self._refusal, self._carrier = None, carrier
        climbing = None
        running = asyncio.create_task(carrier.run(self._campaign_id, self._table))
        if not self._ladder.best:
            climbing = asyncio.create_task(self._climb(session, running))
        try:
            code = await running
        except MissedError as missed:
            code, self._missed = None, self._missed or missed.refusal
            sure = missed.refusal is not None
            if self._ladder.missed(sure=sure) and sure and self._missed is not None:
                # No way leads to a server, and something said why.
                raise self._missed from missed
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # A better way gets through: this one was given up for it.
            return None
        finally:
            self._carrier = None
            for work in (running, climbing):
                if work is not None and not work.done():
                    work.cancel()
                    await asyncio.wait([work])
        if code is None and self.replica.status == "connecting":
            self._ladder.unanswered()
        return code

    async def _climb(
        self, session: aiohttp.ClientSession, running: asyncio.Task[int | None]
    ) -> None:
        """Try the best way from time to time; once it gets through, give up the present one."""
        while True:
            await asyncio.sleep(self._ladder.climb_after)
            socket = SocketCarrier(session, self.target, self)
            through = await socket.leads_there(self._campaign_id, self._table)
            self._ladder.climbed(through=through)
            if through:
                running.cancel()
                return

    def _send_pending(self) -> None:
        """Send what has no answer yet, in order; the log knows by its id what it has already."""
        for pending in list(self._pending.values()):
            if pending.campaign_id not in (None, self.replica.campaign_id):
                if not pending.future.done():
                    sentence = "Another campaign is at the table; the outcome is unknown."
                    pending.future.set_exception(Invalid(sentence))
                continue
            pending.campaign_id = self.replica.campaign_id
            self.send(pending.frame)

    def _acknowledge(self) -> None:
        """Say which version is held: at once, but not too often."""
        every = None if self._carrier is None else self._carrier.acknowledge_every
        if every is None or self._acknowledging is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._acknowledged_at + every - loop.time()
        self._acknowledging = loop.call_later(max(0.0, wait), self._say_version)

    def _say_version(self) -> None:
        self._acknowledging = None
        self._acknowledged_at = asyncio.get_running_loop().time()
        if self.replica.status == "live":
            self.send(self.replica.heartbeat().text)

    def _answer(self, answer: Committed | Rejected) -> None:
        if isinstance(answer, Rejected):
            self.on_refused(answer)
        pending = self._pending.get(answer.id or "")
        if pending is None or pending.future.done():
            return
        if isinstance(answer, Committed):
            pending.future.set_result(answer)
            return
        rejection = rejection_of(answer.code, answer.message, answer.version)
        pending.future.set_exception(rejection)

    def _tell(self, delay: float | None) -> None:
        """Wake who waits, and say the status where it is another or a wait begins."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()
        status = self.status
        if self._on_status is not None and (status != self._told or delay is not None):
            self._on_status(status, delay)
        self._told = status

    def _final(self, code: int | None) -> ClosedError:
        error, message = self._refusal or ("invalid", f"The server closed the socket with {code}.")
        return ClosedError(error, message, code)


def frame_of(message: Struct) -> str:
    """Return a message as it goes over the wire."""
    return msgspec.json.encode(message).decode()
