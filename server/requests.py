"""Requests over a socket: a DM's commits, activations and their answers.

Commits are pipelined: each is submitted as it is read and answered when it is durable, without a
task of its own. A connection's answers go out in the order its requests came, whatever they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eventstore.errors import StoreError
from questlog.campaign.authority import Act, require
from questlog.campaign.commands import Request
from questlog.campaign.errors import Invalid, Rejection, StoreUnavailable
from questlog.campaign.events import Actor
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.position import seal
from questlog.sync.feed import DM
from questlog.sync.messages import (
    ActivateMessage,
    CommitMessage,
    Committed,
    DeactivateMessage,
    Encoded,
)
from questlog.sync.session import SocketRequest, rejected
from server.access.authenticator import Authenticator
from server.background import Background
from server.connection import AnswerSlot, Connection
from server.live import Done
from server.registry import Registry
from server.tables import Tables


class Requests:
    """Carries out what DMs ask over their sockets."""

    def __init__(
        self,
        authenticator: Authenticator,
        tables: Tables,
        registry: Registry,
        background: Background,
        now: Callable[[], str],
        secret: bytes,
    ) -> None:
        self._authenticator = authenticator
        self._tables = tables
        self._registry = registry
        self._background = background
        self._now = now
        self._secret = secret
        self._waiting: dict[Connection, asyncio.Future[None]] = {}

    def execute(self, connection: Connection, message: SocketRequest) -> None:
        """Begin to carry out `message`; its answer is sent when there is one."""
        slot = self._open(connection, message.id)
        if isinstance(message, CommitMessage):
            self._commit(connection, slot, message)
        else:
            self._background.spawn(self._seat(connection, slot, message))

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

    def _commit(self, connection: Connection, slot: AnswerSlot, message: CommitMessage) -> None:
        live = connection.room and connection.room.live
        if live is None:
            refusal = Invalid("This socket follows no campaign: there is nothing to commit to.")
            self._answer(connection, slot, refusal)
            return
        future = live.submit(Request(actor_of(connection), message.command(), message.id))
        future.add_done_callback(lambda done: self._finish(connection, slot, done))

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
                answer = await self._tables.activate(
                    message.campaign_id, message.table, actor, message.id
                )
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
            slot.message = Encoded(rejected(slot.id, answer, self._now()))
        else:
            position = str(seal(self._secret, answer.version, answer.hash, DM.role))
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


def actor_of(connection: Connection) -> Actor:
    """Return whom the log names for what this connection commits."""
    viewer = connection.session.viewer
    return Actor(viewer.member, viewer.role)
