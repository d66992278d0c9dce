"""The client: what a program calls, and what keeps its replica connected.

async with CampaignClient("http://127.0.0.1:8765", "the-drowned-bell") as client:
    async for update in client:
        print(client.version, client.document)
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Literal

import aiohttp
from msgspec import UNSET

from questlog.campaign.errors import LeaseLost, rejection_of
from questlog.campaign.events import DEFAULT_KIND
from questlog.campaign.ids import check_event_id, uuid7
from questlog.campaign.narration import DEFAULT_PATH
from questlog.client.carriers import Target
from questlog.client.line import Line, Status, StatusListener, frame_of
from questlog.client.narrating import Narration, held_of
from questlog.document import parse
from questlog.sync.backoff import Backoff
from questlog.sync.closing import ClosedError
from questlog.sync.company import Company
from questlog.sync.ladder import WAYS, Ladder, Way
from questlog.sync.messages import Authenticate, Committed, Mode, Rejected, commit_message
from questlog.sync.replica import Replica
from questlog.sync.talk import (
    DecideMessage,
    Decision,
    ReleaseLeaseMessage,
    SignalMessage,
    StatusMessage,
    SuggestMessage,
    TakeLeaseMessage,
    TalkTold,
)
from questlog.sync.updates import Update


class CampaignClient:
    """Follows a campaign, or a table, and keeps a replica of what its viewer may see.

    `async with` starts it and returns at once; it connects, and reconnects from its position, in
    the background, until it is left or a server closes it with a final code (4400-4499).

    Iterating yields what happened to the replica. At most 256 updates wait for a consumer: past
    that one `Changed` without a patch (reason `lagged`) stands for them. `document` is the newest.
    """

    def __init__(
        self,
        url: str,
        campaign_id: str | None = None,
        *,
        table: str = "main",
        role: Literal["player", "dm"] = "player",
        player_id: str | None = None,
        token: str | None = None,
        mode: Mode = "delta",
        replica: Replica | None = None,
        ways: Sequence[Way] = WAYS,
        session: aiohttp.ClientSession | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_status: StatusListener | None = None,
    ) -> None:
        """Prepare a client; nothing is connected before `async with`.

        Args:
            url: the server, `http://HOST:PORT` or `https://…`, with a prefix or none.
            campaign_id: the campaign to follow; None: whatever is played at `table`.
            token: who connects, as `questlog token` or an OpenID provider gives it.
            replica: what another client of the same viewer held, to go on from.
            ways: how to connect, best first: where one does not get through the next is tried, and
                the best again from time to time.
            session: an aiohttp session to use; it stays open. None: one of its own.
            sleep: waits between attempts to connect.
            on_status: called with each new status, and with the seconds to the next attempt.

        Raises:
            ValueError: there are no ways, or one is unknown.
        """
        target = Target(url.rstrip("/"), role, player_id, mode, token)
        self._line = Line(
            target,
            campaign_id,
            table,
            replica=replica or Replica(),
            ladder=Ladder(ways),
            backoff=backoff or Backoff(),
            sleep=sleep,
            on_status=on_status,
        )
        self._line.on_refused = self._refused
        self._line.on_live = self._resume
        self._session = session
        self._own_session = session is None
        self._lease: int | None = None
        self._status: StatusMessage | None = None
        self._narrations: dict[str, Narration] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def replica(self) -> Replica:
        """The copy of the view."""
        return self._line.replica

    @property
    def company(self) -> Company:
        """Who is there, and what was said: members, suggestions, the lease."""
        return self.replica.company

    @property
    def lease(self) -> int | None:
        """The lease this client has taken and not lost, as far as it knows: commits name it."""
        return self._lease

    @property
    def way(self) -> Way | None:
        """How it is connected: `socket`, `stream` or `poll`; None while it is not."""
        return self._line.way

    @property
    def document(self) -> dict[str, Any] | None:
        """The view, replaced at each change and never mutated; None where there is none yet."""
        return self.replica.document

    @property
    def version(self) -> int:
        """The version the document is at; 0 before the first snapshot."""
        return self.replica.version

    @property
    def position(self) -> str | None:
        """What proves what is held; None before the first snapshot."""
        return self.replica.position

    @property
    def status(self) -> Status:
        """`connecting`, `live`, `stale` (healing a gap), `waiting` (empty table) or `closed`."""
        return self._line.status

    async def __aenter__(self) -> CampaignClient:
        """Begin to connect, in the background."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        self._task = asyncio.create_task(self._line.run(self._session), name="campaign-client")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Let go of the connection; requests without an answer raise ClosedError."""
        self._line.end(ClosedError("closed", "The client was closed."))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._own_session and self._session is not None:
            await self._session.close()

    async def __aiter__(self) -> AsyncIterator[Update]:
        """Yield updates until the owner closes the client; ClosedError where the server does."""
        while True:
            while (update := self._line.updates.take()) is not None:
                yield update
            if self._is_over():
                return
            await self._line.moved.wait()

    async def heard(self) -> AsyncIterator[TalkTold]:
        """Yield what is said beside the document: presence, suggestions, signals, narration.

        At most 256 messages wait for a consumer; past that the oldest are let go of. `company`
        knows what they came to. Ends as iterating over updates does.
        """
        while True:
            while self._line.heard:
                yield self._line.heard.popleft()
            if self._is_over():
                return
            await self._line.moved.wait()

    def authenticate(self, token: str) -> None:
        """Go on with another token, before the one there is runs out or its seat changes.

        A server that does not take it closes the client.
        """
        target = self._line.target
        self._line.target = Target(target.url, target.role, target.player_id, target.mode, token)
        if self.way == "socket":
            self._line.send(frame_of(Authenticate(token)))

    async def live(self) -> None:
        """Wait until the replica is live.

        Raises:
            ClosedError: the client is closed before.
        """
        await self._until(lambda: self.replica.status == "live")

    async def reached(self, version: int) -> None:
        """Wait until the replica holds `version` or a later one.

        Raises:
            ClosedError: the client is closed before.
        """
        await self._until(lambda: self.replica.version >= version)

    async def commit(
        self,
        *,
        patch: list[dict[str, Any]] | None = None,
        structured_data: dict[str, Any] | None = None,
        kind: str = DEFAULT_KIND,
        id: str | None = None,
        expected_version: int | None = None,
        lease: int | None = None,
        meta: dict[str, Any] | None = None,
    ) -> Committed:
        """Commit a change as DM, and wait until it is durable.

        Sent in the order of the calls; after a lost connection again, under the same id, so that
        it happens once. A cancelled call leaves open whether it happened.

        Args:
            patch: RFC 6902 operations; either this or `structured_data`, the whole document.
            id: the idempotency key, up to 64 characters; None: a new UUIDv7.
            expected_version: the version this change is based on.
            lease: the lease this is done under; None: this client's own, if it has one.

        Raises:
            Rejection: of the class of its code: nothing was changed.
            ClosedError: the client was closed before the answer; the outcome is unknown.
        """
        identifier = _fresh() if id is None else check_event_id(id)
        message = commit_message(
            identifier,
            kind,
            patch,
            structured_data,
            expected_version,
            meta,
            self._lease if lease is None else lease,
        )
        try:
            return await self._ask(identifier, frame_of(message))
        except LeaseLost:
            self._lease = None if lease is None else self._lease
            raise

    async def suggest(
        self,
        content: str,
        *,
        suggestion_type: str | None = None,
        metadata: dict[str, Any] | None = None,
        id: str | None = None,
    ) -> Committed:
        """Propose something to the DM; `company.suggestions` tells what becomes of it.

        Raises: as `commit`.
        """
        identifier = _fresh() if id is None else check_event_id(id)
        message = SuggestMessage(identifier, content, suggestion_type, metadata)
        return await self._ask(identifier, frame_of(message))

    async def decide(
        self,
        suggestion_id: str,
        player_id: str | None,
        decision: Decision,
        *,
        answer: str | None = None,
        patch: list[dict[str, Any]] | None = None,
    ) -> Committed:
        """Dispose of a suggestion as DM.

        Args:
            decision: `accepted`, `dismissed`, or `answered`, which leaves it waiting.
            answer: a word to its author.
            patch: what comes of it in the document, where it is accepted.

        Raises: as `commit`.
        """
        told = UNSET if patch is None else patch
        message = DecideMessage(suggestion_id, decision, player_id, answer, told)
        return await self._ask(suggestion_id, frame_of(message))

    async def take_lease(self, name: str | None = None) -> Committed:
        """Take the wheel: this client's commits name the lease until it is lost or let go of.

        Args:
            name: which device or agent this is, for the other DMs.

        Raises: as `commit`.
        """
        identifier = _fresh()
        done = await self._ask(identifier, frame_of(TakeLeaseMessage(identifier, name)))
        self._lease = done.version
        return done

    async def release_lease(self) -> None:
        """Let go of the wheel, where this client has it.

        Raises: as `commit`.
        """
        if self._lease is not None:
            identifier, lease, self._lease = _fresh(), self._lease, None
            await self._ask(identifier, frame_of(ReleaseLeaseMessage(lease, identifier)))

    def signal(self, name: str, data: Any = None, to: str | list[str] | None = None) -> None:
        """Have something passed on and not logged; lost where there is no connection.

        Args:
            to: `dm`, `players`, `spectators`, `all` or players' ids; None: everyone.
        """
        self._line.send(frame_of(SignalMessage(name, data, to)))

    def say_status(self, status: str | None) -> None:
        """Say something of oneself (ready, typing, away), now and over each connection to come."""
        self._status = StatusMessage(status)
        self._line.send(frame_of(self._status))

    def narrate(
        self, *, speaker: str | None = None, path: str = DEFAULT_PATH, id: str | None = None
    ) -> Narration:
        """Return a stream of text as DM, to be used with `async with`; see `Narration`.

        Args:
            path: the list its entry joins, a JSON Pointer.
        """
        identifier = _fresh() if id is None else id
        narration = Narration(
            identifier, path, speaker, self._tell_narration, self._line.send, self._held
        )
        self._narrations[identifier] = narration
        return narration

    async def _tell_narration(self, identifier: str, frame: str) -> Committed:
        try:
            done = await self._ask(identifier, frame)
        except BaseException:
            self._narrations.pop(identifier, None)
            raise
        if '"phase":"end"' in frame:
            self._narrations.pop(identifier, None)
        return done

    def _held(self, path: str, identifier: str) -> int:
        return held_of(self.document, list(parse(path)), identifier)

    def _resume(self) -> None:
        """Say again what nobody answers and a connection may have lost."""
        if self._status is not None:
            self._line.send(frame_of(self._status))
        for narration in self._narrations.values():
            narration.resume()

    def _refused(self, refusal: Rejected) -> None:
        narration = self._narrations.get(refusal.id or "")
        if narration is not None:
            narration.refused(rejection_of(refusal.code, refusal.message, refusal.version))

    async def _ask(self, identifier: str, frame: str) -> Committed:
        self._check_open()
        return await self._line.request(identifier, frame)

    async def _until(self, reached: Callable[[], bool]) -> None:
        self._check_open()
        while not reached():
            await self._line.moved.wait()
            self._check_open()

    def _is_over(self) -> bool:
        """Return whether the owner has closed the client; raise where the server has."""
        closed = self._line.closed
        if closed is not None and closed.code != "closed":
            raise closed
        return closed is not None

    def _check_open(self) -> None:
        if self._task is None:
            raise RuntimeError("A client is used within `async with`.")
        if self._line.closed is not None:
            raise self._line.closed


def _fresh() -> str:
    return uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))
