"""Requests: what a peer asks of the campaign it follows, and the answers.

Commits are pipelined: each is submitted as it is read and answered when it is durable, without a
task of its own. A connection's answers go out in the order its requests came, whatever they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from eventstore.errors import StoreError
from questlog.campaign.authority import Act, require
from questlog.campaign.commands import Activate, Command, Request, Suggest
from questlog.campaign.errors import Invalid, Rejection, StoreUnavailable
from questlog.campaign.events import Actor
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.ids import derived_id
from questlog.campaign.position import seal
from questlog.sync.feed import DM
from questlog.sync.messages import (
    ActivateMessage,
    CommitMessage,
    Committed,
    DeactivateMessage,
    Encoded,
)
from questlog.sync.session import Asked, SocketRequest, rejected
from questlog.sync.talk import DecideMessage, NarrationMessage, SuggestMessage
from server.access.authenticator import Authenticator
from server.background import Background
from server.connection import AnswerSlot, Connection
from server.live import Done
from server.registry import Registry
from server.tables import Tables


class Requests:
    """Carries out what peers ask.

    Args:
        record: has it logged and counted that something was refused.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        tables: Tables,
        registry: Registry,
        background: Background,
        now: Callable[[], str],
        secret: bytes,
        record: Callable[[Connection, Rejection], None],
    ) -> None:
        self._authenticator = authenticator
        self._tables = tables
        self._registry = registry
        self._background = background
        self._now = now
        self._secret = secret
        self._record = record
        self._waiting: dict[Connection, asyncio.Future[None]] = {}

    def execute(self, connection: Connection, message: SocketRequest) -> None:
        """Begin to carry out `message`; its answer is sent when there is one."""
        slot = self._open(connection, message.id)
        if isinstance(message, ActivateMessage | DeactivateMessage):
            self._background.spawn(self._seat(connection, slot, message))
            return
        if connection.room is None:
            refusal = Invalid("This socket follows no campaign: there is nothing to commit to.")
            self._answer(connection, slot, refusal)
            return
        try:
            future = self._submit(connection, slot, message)
        except Rejection as rejection:
            self._answer(connection, slot, rejection)
            return
        if future is None:
            connection.answers.remove(slot)
        else:
            future.add_done_callback(lambda done: self._finish(connection, slot, done))

    def refuse(self, connection: Connection, identifier: str | None, refusal: Rejection) -> None:
        """Answer a request that is not carried out, in its turn."""
        self._answer(connection, self._open(connection, identifier), refusal)

    async def answered(self, connection: Connection) -> None:
        """Wait until one more request of this connection has been answered."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[connection] = waiting
        await waiting

    def _open(self, connection: Connection, identifier: str | None) -> AnswerSlot:
        slot = AnswerSlot(identifier)
        connection.answers.append(slot)
        return slot

    def _submit(
        self, connection: Connection, slot: AnswerSlot, message: Asked
    ) -> asyncio.Future[Done] | None:
        """Submit what a message asks; None where nothing is answered unless it is refused.

        Raises:
            Rejection: it is refused at once.
        """
        live, viewer = connection.room.live, connection.session.viewer
        actor = actor_of(connection)
        command: Command
        match message:
            case NarrationMessage():
                return self._narrate(connection, slot, message)
            case CommitMessage():
                command, identifier = message.command(), message.id
            case SuggestMessage():
                command, identifier = message.command(viewer.player_id), message.request_id
            case DecideMessage():
                # Whoever sees what came of it is told the event's id, and must not be able to
                # find out by guessing whose suggestion it was, and what was answered.
                command = message.command()
                identifier = derived_id(self._secret.hex(), message.request_id)
            case _:
                command, identifier = message.command(), message.request_id
        future: asyncio.Future[Done] = live.submit(Request(actor, command, identifier))
        if isinstance(command, Suggest) and viewer.player_id is None:
            future.add_done_callback(partial(self._made, connection, connection.room, command.id))
        return future

    def _made(
        self, connection: Connection, room: Any, identifier: str, done: asyncio.Future[Done]
    ) -> None:
        """Remember whose suggestion it is that names nobody: the connection's that made it."""
        if done.exception() is None and not done.result().duplicate and connection.room is room:
            room.company.made(connection, identifier)

    def _narrate(
        self, connection: Connection, slot: AnswerSlot, message: NarrationMessage
    ) -> asyncio.Future[Done] | None:
        narrator = connection.room.company.narrator
        if message.phase == "begin":
            begun: asyncio.Future[Done] = narrator.begin(actor_of(connection), message)
            return begun
        if message.phase == "end":
            ended: asyncio.Future[Done] = narrator.end(actor_of(connection), message)
            return ended
        narrator.chunk(message, lambda refusal: self.refuse(connection, slot.id, refusal))
        return None

    def _finish(self, connection: Connection, slot: AnswerSlot, done: asyncio.Future[Done]) -> None:
        error = done.exception()
        if isinstance(error, Rejection):
            self._answer(connection, slot, error)
        elif error is None:
            self._answer(connection, slot, done.result())

    async def _seat(
        self,
        connection: Connection,
        slot: AnswerSlot,
        message: ActivateMessage | DeactivateMessage,
    ) -> None:
        answer: Done | Rejection
        try:
            if isinstance(message, ActivateMessage):
                # It may name another campaign than the one whose role let it in so far.
                viewer = await self._authenticator.viewer(connection.known, message.campaign_id)
                require(viewer.role, Act.SEAT)
                actor = Actor(viewer.member, viewer.role)
                wanted = Request(actor, Activate(message.table, message.title), message.id)
                answer = await self._tables.activate(message.campaign_id, wanted)
            elif connection.session.feed is None:
                answer = Invalid("This socket follows no campaign: there is none to deactivate.")
            else:
                campaign_id = connection.session.feed.campaign_id
                actor = actor_of(connection)
                answer = await self._tables.deactivate(campaign_id, actor, message.id)
        except Rejection as rejection:
            answer = rejection
        except (StoreError, DamagedLogError):
            answer = StoreUnavailable()
        self._answer(connection, slot, answer)

    def _answer(self, connection: Connection, slot: AnswerSlot, answer: Done | Rejection) -> None:
        """Fill a slot, and send what is answered from the first request on."""
        if isinstance(answer, Rejection):
            self._record(connection, answer)
            slot.message = Encoded(rejected(slot.id, answer, self._now()))
        else:
            position = self._position(connection, answer)
            identifier = answer.id if slot.id is None else slot.id
            slot.message = Encoded(
                Committed(identifier, answer.version, position, answer.duplicate, self._now())
            )
        answers = connection.answers
        while answers and (message := answers[0].message) is not None:
            answers.popleft()
            connection.send(message)
        waiting = self._waiting.pop(connection, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _position(self, connection: Connection, done: Done) -> str:
        """Return the position an answer speaks of, for the view of whoever asked."""
        viewer, feed = connection.session.viewer, connection.session.feed
        if viewer.role == "dm":
            return str(seal(self._secret, done.version, done.hash, DM.role))
        entry = None if feed is None else feed.recall(done.version)
        if feed is None or entry is None or entry.hash != done.hash:
            # A retry of long ago: which view they shared then is not worth finding out.
            return str(done.version)
        return str(feed.seal(entry, entry.key(viewer)))


def actor_of(connection: Connection) -> Actor:
    """Return whom the log names for what this connection commits."""
    viewer = connection.session.viewer
    return Actor(viewer.member, viewer.role)
