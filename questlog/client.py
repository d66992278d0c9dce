"""The Python SDK: an aiohttp shell round the replica, which keeps it connected.

async with CampaignClient("http://127.0.0.1:8765", "the-drowned-bell") as client:
    async for update in client:
        print(client.version, client.document)
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import ClientConnectorCertificateError as UntrustedError
from msgspec import Struct

from questlog.campaign.errors import Invalid, rejection_of
from questlog.campaign.events import DEFAULT_KIND
from questlog.campaign.ids import check_event_id, uuid7
from questlog.sync.backoff import Backoff
from questlog.sync.closing import ClosedError, is_final
from questlog.sync.messages import (
    SUBPROTOCOL,
    Authenticate,
    Committed,
    Mode,
    Rejected,
    commit_message,
    protocols_with,
)
from questlog.sync.replica import Answered, Changed, Deactivated, Failed, Replica, SendText
from questlog.sync.replica import Status as ReplicaStatus
from questlog.sync.updates import Update, Updates

Status = ReplicaStatus | Literal["closed"]
StatusListener = Callable[[Status, float | None], None]

MAX_MESSAGE = 64 * 1024 * 1024
CONNECT_TIMEOUT, ASK_AFTER, GIVE_UP_AFTER = 10.0, 20.0, 45.0
FIRST_COMING_BACK, FIRST_SERVER_ERROR = 4000, 500
# No URL, or a certificate that is not trusted: neither gets better by coming back.
UNUSABLE = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UntrustedError)


class _Pending(Struct):
    """A commit that is not answered yet, as it goes over the wire, however often."""

    frame: str
    campaign_id: str | None
    future: asyncio.Future[Committed]


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
        session: aiohttp.ClientSession | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_status: StatusListener | None = None,
    ) -> None:
        """Prepare a client; nothing is connected before `async with`.

        Args:
            url: the server, `http://HOST:PORT` or `https://…`.
            campaign_id: the campaign to follow; None: whatever is played at `table`.
            token: who connects, as `questlog token` or an OpenID provider gives it.
            session: an aiohttp session to use; it stays open. None: one of its own.
            sleep: waits between attempts to connect.
            on_status: called with each new status, and with the seconds to the next attempt.
        """
        self.replica = Replica()
        self._url = url.rstrip("/") + f"/ws/campaign/{role}"
        self._query = {
            "campaign_id": campaign_id,
            "table": table if campaign_id is None else None,
            "player_id": player_id,
            "mode": mode,
        }
        self._protocols = protocols_with(token)
        self._session = session
        self._own_session = session is None
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._on_status = on_status
        self._told: Status = "connecting"
        self._pending: dict[str, _Pending] = {}
        self._outgoing: asyncio.Queue[str] | None = None
        self._updates = Updates()
        self._moved = asyncio.Event()
        self._closed: ClosedError | None = None
        self._refusal: tuple[str, str] | None = None
        self._task: asyncio.Task[None] | None = None

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
        return "closed" if self._closed else self.replica.status

    async def __aenter__(self) -> CampaignClient:
        """Begin to connect, in the background."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        self._task = asyncio.create_task(self._run(self._session), name="campaign-client")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Let go of the connection; commits without an answer raise ClosedError."""
        self._end(ClosedError("closed", "The client was closed."))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._own_session and self._session is not None:
            await self._session.close()

    async def __aiter__(self) -> AsyncIterator[Update]:
        """Yield updates until the owner closes the client; ClosedError where the server does."""
        while True:
            while (update := self._updates.take()) is not None:
                yield update
            if self._closed is not None:
                if self._closed.code == "closed":
                    return
                raise self._closed
            await self._moved.wait()

    def authenticate(self, token: str) -> None:
        """Go on with another token, before the one there is runs out or its seat changes.

        A server that does not take it closes the client.
        """
        self._protocols = protocols_with(token)
        if self._outgoing is not None:
            self._outgoing.put_nowait(msgspec.json.encode(Authenticate(token)).decode())

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
        meta: dict[str, Any] | None = None,
    ) -> Committed:
        """Commit a change as DM, and wait until it is durable.

        Sent in the order of the calls; after a lost connection again, under the same id, so that
        it happens once. A cancelled call leaves open whether it happened.

        Args:
            patch: RFC 6902 operations; either this or `structured_data`, the whole document.
            id: the idempotency key, up to 64 characters; None: a new UUIDv7.
            expected_version: the version this change is based on.

        Raises:
            Rejection: of the class of its code: nothing was changed.
            ClosedError: the client was closed before the answer; the outcome is unknown.
        """
        fresh = uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))
        identifier = fresh if id is None else check_event_id(id)
        message = commit_message(identifier, kind, patch, structured_data, expected_version, meta)
        return await self._request(identifier, msgspec.json.encode(message).decode())

    async def _request(self, identifier: str, frame: str) -> Committed:
        self._check_open()
        if identifier in self._pending:
            raise Invalid("A commit of this id is under way.")
        pending = _Pending(frame, self.replica.campaign_id, asyncio.Future())
        self._pending[identifier] = pending
        if self._outgoing is not None and self.replica.status != "connecting":
            self._outgoing.put_nowait(frame)
        try:
            return await pending.future
        finally:
            del self._pending[identifier]

    async def _until(self, reached: Callable[[], bool]) -> None:
        self._check_open()
        while not reached():
            await self._moved.wait()
            self._check_open()

    def _check_open(self) -> None:
        if self._task is None:
            raise RuntimeError("A client is used within `async with`.")
        if self._closed is not None:
            raise self._closed

    async def _run(self, session: aiohttp.ClientSession) -> None:
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
            self._end(error)
        except Exception as error:
            self._end(ClosedError("error", f"The client failed: {error!r}."))
            raise

    async def _connect(self, session: aiohttp.ClientSession) -> int | None:
        """Connect once and take messages to the end; returns the close code, None without one."""
        query = {**self._query, "since": self.replica.position}
        text = urlencode({name: value for name, value in query.items() if value is not None})
        self._refusal = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                socket = await session.ws_connect(
                    f"{self._url}?{text}",
                    protocols=self._protocols,
                    compress=15,
                    max_msg_size=MAX_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status >= FIRST_SERVER_ERROR:
                return None
            sentence = f"The server refused the connection: HTTP {error.status}."
            raise ClosedError("forbidden", sentence) from error
        except UNUSABLE as error:
            raise ClosedError("invalid", f"No server to use: {self._url} ({error}).") from error
        except (aiohttp.ClientError, OSError):
            return None
        outgoing: asyncio.Queue[str] = asyncio.Queue()
        sender = asyncio.create_task(_send_all(socket, outgoing), name="campaign-client-sender")
        self._outgoing = outgoing
        try:
            # Asked where it stands, a table says whether it is empty, and a campaign its digest.
            outgoing.put_nowait(self.replica.heartbeat(digest=True).text)
            await self._take(socket)
        except ClosedError:
            raise
        except (aiohttp.ClientError, OSError):
            return None
        finally:
            self._outgoing = None
            sender.cancel()
            await asyncio.wait([sender])
            await socket.close()
        return socket.close_code

    async def _take(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take messages until the socket ends, or says nothing even when it is asked."""
        asked = False
        while True:
            try:
                patience = GIVE_UP_AFTER - ASK_AFTER if asked else ASK_AFTER
                message = await socket.receive(timeout=patience)
            except TimeoutError:
                if asked or self._outgoing is None:
                    return
                asked = True
                self._outgoing.put_nowait(self.replica.heartbeat(digest=True).text)
                continue
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            asked = False
            try:
                self._receive(message.data)
            except msgspec.DecodeError as error:
                sentence = f"The server does not speak {SUBPROTOCOL}."
                raise ClosedError("bad_json", sentence) from error

    def _receive(self, frame: str) -> None:
        connecting = self.replica.status == "connecting"
        for effect in self.replica.receive(frame):
            match effect:
                case SendText(text=text):
                    if self._outgoing is not None:
                        self._outgoing.put_nowait(text)
                case Answered(answer=answer):
                    self._answer(answer)
                case Failed(error=error):
                    self._refusal = (error.code, error.message)
                case Changed() | Deactivated():
                    self._updates.put(effect)
        if connecting and self.replica.status != "connecting":
            self._send_pending()
        self._tell(None)

    def _send_pending(self) -> None:
        """Send what has no answer yet, in order; the log knows by its id what it has already."""
        assert self._outgoing is not None
        for pending in list(self._pending.values()):
            if pending.campaign_id not in (None, self.replica.campaign_id):
                if not pending.future.done():
                    sentence = "Another campaign is at the table; the outcome is unknown."
                    pending.future.set_exception(Invalid(sentence))
                continue
            pending.campaign_id = self.replica.campaign_id
            self._outgoing.put_nowait(pending.frame)

    def _answer(self, answer: Committed | Rejected) -> None:
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
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        status = self.status
        if self._on_status is not None and (status != self._told or delay is not None):
            self._on_status(status, delay)
        self._told = status

    def _final(self, code: int | None) -> ClosedError:
        error, message = self._refusal or ("invalid", f"The server closed the socket with {code}.")
        return ClosedError(error, message, code)

    def _end(self, error: ClosedError) -> None:
        if self._closed is None:
            self._closed = error
            for pending in self._pending.values():
                if not pending.future.done():
                    pending.future.set_exception(error)
            self._tell(None)


async def _send_all(socket: aiohttp.ClientWebSocketResponse, outgoing: asyncio.Queue[str]) -> None:
    """Send frames one after the other; a failure ends the connection, which the reader notices."""
    try:
        while True:
            await socket.send_str(await outgoing.get())
    except (aiohttp.ClientError, OSError):
        await socket.close()
