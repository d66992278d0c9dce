"""Lines: the ways by which messages come to a viewer, each read by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Literal, Protocol

import aiohttp
import msgspec
from msgspec import Struct

LineKind = Literal["socket", "stream", "poll"]
WAIT = "10"
OK = 200


class Line(Protocol):
    """How messages come to a viewer.

    Attributes:
        ending: what was said where it ended.
    """

    kind: LineKind
    ending: str

    def batches(self) -> AsyncIterator[list[str]]:
        """Yield what comes together, to the end; a poll's answer may hold nothing."""
        ...

    async def say(self, text: str) -> list[str]:
        """Send a message; returns what is answered to it by another way than this line."""
        ...

    def start_over(self) -> None:
        """Go on as somebody who holds nothing."""
        ...

    def expect_end(self) -> None:
        """Note that the server is about to end it."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class SocketLine:
    """A socket."""

    kind: LineKind = "socket"

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.ending = ""
        self._socket = socket

    async def batches(self) -> AsyncIterator[list[str]]:
        """Yield message by message."""
        while (message := await self._socket.receive()).type is aiohttp.WSMsgType.TEXT:
            yield [message.data]
        why = message.extra if isinstance(message.extra, str) else ""
        self.ending = f"{self._socket.close_code} {why}"

    async def say(self, text: str) -> list[str]:
        """Send a message, unless the socket has ended."""
        with suppress(ConnectionError):
            await self._socket.send_str(text)
        return []

    def start_over(self) -> None:
        """Nothing: on a socket one asks."""

    def expect_end(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()


class Caller(Struct, frozen=True):
    """What calls about one campaign are made with.

    Attributes:
        url: the campaign's.
        query: what each call for news says.
    """

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str]
    query: dict[str, str]

    def get(self, what: str, more: dict[str, str], since: str | None, *, as_header: bool) -> Any:
        """Return the call for what comes after a position."""
        query, headers = {**self.query, **more}, dict(self.headers)
        if since is not None and as_header:
            headers["Last-Event-ID"] = since
        elif since is not None:
            query["since"] = since
        url = f"{self.url}/{what}"
        # A stream lasts as long as the evening.
        forever = aiohttp.ClientTimeout(total=None)
        return self.session.get(url, params=query, headers=headers, timeout=forever)

    async def say(self, text: str) -> list[str]:
        """Send a message by a call; returns the answers."""
        headers = {"Content-Type": "application/json", **self.headers}
        with suppress(aiohttp.ClientError):
            url = f"{self.url}/messages"
            async with self.session.post(url, data=text, headers=headers) as answer:
                body = await answer.text()
                return messages_in(body) if answer.status == OK else [body]
        return []


class StreamLine:
    """A stream of Server-Sent Events."""

    kind: LineKind = "stream"

    def __init__(self, caller: Caller, since: str | None, *, as_header: bool) -> None:
        self.ending = ""
        self.say = caller.say
        self._caller = caller
        self._since = since
        self._as_header = as_header
        self._answer: aiohttp.ClientResponse | None = None
        self._again = True
        self._over = asyncio.Event()

    async def batches(self) -> AsyncIterator[list[str]]:
        """Yield event by event."""
        try:
            while self._again and not self._over.is_set():
                self._again = False
                call = self._caller.get("stream", {}, self._since, as_header=self._as_header)
                async with call as self._answer:
                    if self._answer.status != OK:
                        self.ending = await self._answer.text()
                        return
                    if self._over.is_set():
                        # It was hung up on before it was answered.
                        return
                    async for data in _events(self._answer.content):
                        yield [data]
                        if self._again:
                            break
                    self._answer.close()
        except aiohttp.ClientError as error:
            self.ending = str(error)

    def start_over(self) -> None:
        """Ask for the stream anew, from the beginning."""
        self._since, self._again = None, True

    def expect_end(self) -> None:
        """Nothing to do: it ends."""

    async def close(self) -> None:
        """Hang up."""
        self._over.set()
        if self._answer is not None:
            self._answer.close()


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[str]:
    """Yield the data of each event. A snapshot's line is longer than `readline` takes."""
    waiting = bytearray()
    async for piece in content.iter_any():
        seen = max(0, len(waiting) - 1)
        waiting += piece
        while (end := waiting.find(b"\n\n", seen)) >= 0:
            event, seen = bytes(waiting[:end]).decode(), 0
            del waiting[: end + 2]
            data = [line[6:] for line in event.split("\n") if line.startswith("data: ")]
            if data:
                yield "\n".join(data)


class PollLine:
    """Polls, one after the other."""

    kind: LineKind = "poll"

    def __init__(self, caller: Caller, since: str | None, *, introduce: bool) -> None:
        self.ending = ""
        self.say = caller.say
        self._caller = caller
        self._since = since
        self._introduce = introduce
        self._over = False
        self._wait = "0"
        self._asking: asyncio.Future[tuple[int, str]] | None = None

    async def batches(self) -> AsyncIterator[list[str]]:
        """Yield what each poll is answered."""
        while not self._over:
            self._asking = asyncio.ensure_future(self._ask())
            await asyncio.wait([self._asking])
            if self._asking.cancelled():
                return
            status, body = self._asking.result()
            if status != OK:
                self.ending = body
                return
            self._since, self._wait, self._introduce = _position(body), WAIT, False
            yield messages_in(body)

    def start_over(self) -> None:
        """Ask for everything with the next poll."""
        self._since, self._wait = None, "0"

    def expect_end(self) -> None:
        """Poll no more once this one is answered."""
        self._over = True

    async def close(self) -> None:
        """Let go of the poll that waits."""
        self._over = True
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> tuple[int, str]:
        more = {"wait": self._wait, "introduce": str(int(self._introduce))}
        try:
            call = self._caller.get("updates", more, self._since, as_header=False)
            async with call as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError as error:
            return 0, str(error)


def messages_in(body: str) -> list[str]:
    """Return the messages in an answer that is a list of them."""
    answer = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    raw = msgspec.json.decode(answer["messages"], type=list[msgspec.Raw])
    return [bytes(each).decode() for each in raw]


def _position(body: str) -> str | None:
    position: str | None = msgspec.json.decode(body)["position"]
    return position
