"""The ways for whom no socket gets through: Server-Sent Events, long polls, and calls upwards."""

from __future__ import annotations

import asyncio
import secrets
from abc import abstractmethod
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from msgspec import Raw, Struct

from questlog.client.carriers import (
    ASK_AFTER,
    CONNECT_TIMEOUT,
    FIRST_SERVER_ERROR,
    GIVE_UP_AFTER,
    UNUSABLE,
    Carrier,
    Host,
    MissedError,
    Target,
    take,
    unusable,
)
from questlog.sync.closing import ClosedError
from questlog.sync.ladder import Way
from questlog.sync.messages import Rejected

POLL_WAIT = 25.0
SEATS_EVERY = 5.0
FINAL = frozenset({400, 401, 403, 404, 405, 422})
# A server of another release may have no such call; a proxy may have eaten it.
NO_SUCH = frozenset({404, 405})


class Updates(Struct):
    """The answer to a poll, and to a message sent by a call."""

    messages: list[Raw]
    position: str | None = None


class HttpCarrier(Carrier):
    """Calls down and calls up.

    What comes down and the answers to what went up are two streams of messages in no order. Only
    the first may move the replica, or an answer that was long on its way would take it back.
    """

    def __init__(self, session: aiohttp.ClientSession, target: Target, host: Host) -> None:
        super().__init__(session, target, host)
        self._gap = asyncio.Event()
        self._resync = ""

    def reply(self, text: str) -> None:
        """Begin anew from what the replica can prove: that is what a resync would ask for."""
        self._resync = text
        self._gap.set()

    async def _until_gap(self, campaign_id: str) -> None:
        await self._gap.wait()
        if '"digest"' in self._resync:
            # What it held is for the server to log; the answer is of no use here.
            url = self._target.campaign(campaign_id, "messages")
            async with self._call("POST", url, data=self._resync.encode()):
                pass

    async def run(self, campaign_id: str | None, table: str) -> int | None:
        """See `Carrier.run`."""
        try:
            found = campaign_id or await self._seated(table)
            if found is None:
                take(self._host, EMPTY_TABLE)
                await asyncio.sleep(SEATS_EVERY)
                return None
            watch = [self._watch(table, found)] if campaign_id is None else []
            await _until_one_ends(
                self._follow(found), self._send_all(found), self._until_gap(found), *watch
            )
        except ClosedError:
            raise
        except UNUSABLE as error:
            raise unusable(self._target, error) from error
        except (aiohttp.ClientError, OSError):
            pass
        return None

    @abstractmethod
    async def _follow(self, campaign_id: str) -> None:
        """Bring messages until there are no more."""

    async def _seated(self, table: str) -> str | None:
        """Return the campaign at a table, as far as this client may know of it."""
        url = f"{self._target.url}/api/campaigns"
        async with self._call("GET", url) as answer:
            body = msgspec.json.decode(await answer.read(), type=_Campaigns)
        return next((each.campaign_id for each in body.campaigns if each.table == table), None)

    async def _watch(self, table: str, campaign_id: str) -> None:
        """End the connection where another campaign is at the table."""
        there: str | None = campaign_id
        while there == campaign_id:
            await asyncio.sleep(SEATS_EVERY)
            there = await self._seated(table)

    async def _send_all(self, campaign_id: str) -> None:
        """Send frames one after the other, and take their answers; at rest, ask for the digest."""
        url = self._target.campaign(campaign_id, "messages")
        while True:
            try:
                async with asyncio.timeout(ASK_AFTER):
                    frame = await self.outgoing.get()
            except TimeoutError:
                frame = self._host.replica.heartbeat(digest=True).text
            try:
                async with self._call("POST", url, data=frame.encode()) as answer:
                    told = msgspec.json.decode(await answer.read(), type=Updates)
            except _RefusedError as refused:
                # Nothing more will come of this one; what it asked is answered so.
                take(self._host, refused.answer(frame))
                continue
            for message in told.messages:
                if self._is_of_now(bytes(message)):
                    take(self._host, bytes(message).decode())

    def _is_of_now(self, message: bytes) -> bool:
        """Return whether an answer says nothing of a version that is to come, or has gone by."""
        kind = msgspec.json.decode(message, type=_Placed)
        return kind.type != "heartbeat" or kind.version == self._host.replica.version

    @asynccontextmanager
    async def _call(
        self, method: str, url: str, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make a call and give its answer.

        Raises:
            ClosedError: the server will not have this client as it is.
            MissedError: what answered is no server of ours.
            aiohttp.ClientError: it is to be made again later.
        """
        patience = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT, sock_read=GIVE_UP_AFTER)
        headers = {**self._target.headers(), **more.pop("headers", {})}
        async with self._session.request(
            method, url, headers=headers, timeout=patience, **more
        ) as answer:
            if answer.status != 200:
                raise await _refusal(answer, posted=method == "POST")
            yield answer


class StreamCarrier(HttpCarrier):
    """Server-Sent Events."""

    way: Way = "stream"
    acknowledge_every = 5.0

    async def _follow(self, campaign_id: str) -> None:
        url = self._target.campaign(campaign_id, "stream")
        position = self._host.replica.position
        headers = {} if position is None else {"Last-Event-ID": position}
        buffer = b""
        async with self._call("GET", url, headers=headers) as answer:
            if answer.content_type != "text/event-stream":
                raise MissedError
            self.outgoing.put_nowait(self._host.replica.heartbeat(digest=True).text)
            async for piece in answer.content.iter_any():
                buffer += piece
                *events, buffer = buffer.split(b"\n\n")
                for event in events:
                    for line in event.split(b"\n"):
                        if line.startswith(b"data: "):
                            take(self._host, line[6:].decode())


class PollCarrier(HttpCarrier):
    """Long polls."""

    way: Way = "poll"

    def __init__(self, session: aiohttp.ClientSession, target: Target, host: Host) -> None:
        super().__init__(session, target, host)
        # A member may come with several devices, and each is told what is said.
        self._device = secrets.token_hex(8)

    async def _follow(self, campaign_id: str) -> None:
        introduce: str | None = "1"
        replica, wait = self._host.replica, "0"
        self.outgoing.put_nowait(replica.heartbeat(digest=True).text)
        while True:
            url = self._target.campaign(
                campaign_id,
                "updates",
                since=replica.position,
                wait=wait,
                introduce=introduce,
                client=self._device,
            )
            async with self._call("GET", url) as answer:
                told = msgspec.json.decode(await answer.read(), type=Updates)
            for message in told.messages:
                take(self._host, bytes(message).decode())
            self._host.confirm(told.position)
            introduce, wait = None, f"{POLL_WAIT:g}"


class _RefusedError(Exception):
    """A frame was refused as a whole."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail)

    def answer(self, frame: str) -> str:
        """Return the message that answers what the frame asked."""
        identifier = msgspec.json.decode(frame).get("id")
        refusal = Rejected(identifier, self.code, self.detail, None, "")
        return msgspec.json.encode(refusal).decode()


class _Placed(Struct):
    type: str
    version: int | None = None


class _Campaign(Struct):
    campaign_id: str
    table: str | None


class _Campaigns(Struct):
    campaigns: list[_Campaign]


class _Problem(Struct):
    code: str
    detail: str


EMPTY_TABLE = '{"type":"heartbeat","campaign_id":null,"version":0,"position":null,"timestamp":""}'


async def _refusal(answer: aiohttp.ClientResponse, *, posted: bool) -> Exception:
    """Return what a call that was not answered with 200 comes to."""
    status = answer.status
    try:
        problem = msgspec.json.decode(await answer.read(), type=_Problem)
    except msgspec.DecodeError:
        if status >= FIRST_SERVER_ERROR:
            # A proxy that does not reach the server for now: nobody has said no.
            return MissedError()
        return MissedError(ClosedError("forbidden", f"The server refused the call: HTTP {status}."))
    final = ClosedError(problem.code, problem.detail)
    if posted and status in (400, 413, 422):
        return _RefusedError(problem.code, problem.detail)
    if status in NO_SUCH and problem.code == "invalid":
        return MissedError(final)
    if status in FINAL:
        return final
    return aiohttp.ClientPayloadError(f"HTTP {status}: {problem.code}")


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run all of `work` until the first of it ends, by itself or by an error, which is raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
