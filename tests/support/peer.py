"""A peer on a real socket, and calls over real HTTP: the server as a stranger meets it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType

PATIENCE = 20.0
# What is said beside the document: passed over by those who only ask for that.
TALK = frozenset(
    {"presence", "player_joined", "player_left", "player_status", "lease", "signal", "narration"}
)


class Peer:
    """A socket that says and hears JSON."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> dict[str, Any]:
        """Return the next message about the document, or an answer."""
        while (message := await self.hear())["type"] in TALK:
            pass
        return message

    async def hear(self) -> dict[str, Any]:
        """Return the next message, whatever it is about."""
        async with asyncio.timeout(PATIENCE):
            message = await self.socket.receive()
        assert message.type is WSMsgType.TEXT, message
        value: dict[str, Any] = json.loads(message.data)
        return value

    async def until(self, kind: str) -> dict[str, Any]:
        """Return the next message of a type, passing over the others."""
        while (message := await self.hear())["type"] != kind:
            pass
        return message

    async def closed(self) -> int | None:
        """Return the code the server closes with, passing over messages."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.socket.receive()
                if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
                    return self.socket.close_code

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self.socket.send_str(json.dumps(message))

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Send a request and return its answer."""
        await self.say(**message)
        while (answer := await self.next())["type"] not in ("committed", "rejected", "error"):
            pass
        return answer


class Events:
    """A stream of Server-Sent Events, read by hand."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer
        self.last_id = ""

    async def next(self) -> dict[str, Any]:
        """Return the next message about the document."""
        while (message := await self.hear())["type"] in TALK:
            pass
        return message

    async def hear(self) -> dict[str, Any]:
        """Return the next message, whatever it is about."""
        data = ""
        while True:
            async with asyncio.timeout(PATIENCE):
                line = (await self.answer.content.readline()).decode()
            assert line, "the stream has ended"
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "data":
                data = value
            elif not line.strip() and data:
                message: dict[str, Any] = json.loads(data)
                return message


class Caller:
    """HTTP calls to one server."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def __call__(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Return the status and the JSON body of a call."""
        async with self.session.request(method, self.url + path, **options) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def create(self, campaign_id: str, document: dict[str, Any], **more: Any) -> str:
        """Create a campaign and return its position."""
        body = {"structured_data": document, **more}
        status, answer = await self("PUT", f"/api/campaigns/{campaign_id}", json=body)
        assert status == 201, answer
        return str(answer["position"])

    async def commit(self, campaign_id: str, *patch: dict[str, Any], **more: Any) -> Any:
        """Commit a patch and return the answer's body."""
        body = {"patch": list(patch), **more}
        _, answer = await self("POST", f"/api/campaigns/{campaign_id}/events", json=body)
        return answer

    @asynccontextmanager
    async def socket(
        self, role: str = "player", *, options: Any = None, **query: str
    ) -> AsyncIterator[Peer]:
        """Connect a socket; `options` are aiohttp's."""
        url = f"{self.url}/ws/campaign/{role}"
        kwargs: dict[str, Any] = {"max_msg_size": 0, **(options or {})}
        async with self.session.ws_connect(url, params=query, **kwargs) as socket:
            yield Peer(socket)


def wire(peer: Peer) -> asyncio.Transport:
    """Return a socket's transport, for frames no client of good manners would send."""
    connection = peer.socket._response.connection
    assert connection is not None
    assert connection.transport is not None
    return connection.transport


async def refused(peer: Peer, code: str, close: int) -> None:
    """Expect an error and a close."""
    assert (await peer.until("error"))["code"] == code
    assert await peer.closed() == close


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Caller]:
    """Give a caller of the server at `url`."""
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        yield Caller(session, url)


def put(path: str, value: Any) -> dict[str, Any]:
    """Return the operation that replaces what is at `path`, or adds it."""
    return {"op": "add", "path": path, "value": value}
