"""The ways a connection is made: over a WebSocket, a stream of Server-Sent Events, or by polling.

Each brings the same messages to the same replica and takes the same frames; whichever is in use,
what was sent and not answered is sent again over the next one, under the same id.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from aiohttp import ClientConnectorCertificateError as UntrustedError
from msgspec import Struct

from questlog.sync.closing import CloseCode, ClosedError, is_ours
from questlog.sync.ladder import Way
from questlog.sync.messages import SUBPROTOCOL, protocols_with
from questlog.sync.replica import Replica

MAX_MESSAGE = 64 * 1024 * 1024
CONNECT_TIMEOUT, ASK_AFTER, GIVE_UP_AFTER = 10.0, 20.0, 45.0
FIRST_SERVER_ERROR = 500
# No URL, or a certificate that is not trusted: neither gets better by coming back.
UNUSABLE = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UntrustedError)


class MissedError(Exception):
    """Something answered, and it was nothing of ours: this way may not lead to the server.

    Attributes:
        refusal: what to tell the owner where no other way leads there either.
    """

    def __init__(self, refusal: ClosedError | None = None) -> None:
        self.refusal = refusal
        super().__init__("nothing of ours answered")


class Target(Struct, frozen=True):
    """Where a client connects, and as whom.

    Attributes:
        url: the server, `http://HOST:PORT`, with a prefix or none.
        token: who connects; None: nobody in particular.
    """

    url: str
    role: str
    player_id: str | None
    mode: str
    token: str | None

    def headers(self) -> dict[str, str]:
        """Return the headers of a call."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def campaign(self, campaign_id: str, call: str, **query: Any) -> str:
        """Return the URL of a call about a campaign."""
        known = {"mode": self.mode if call != "messages" else None, **query}
        if self.token is None and self.role == "player":
            # What an open server believes of whoever calls; any other asks for the token.
            known |= {"role": "player", "player_id": self.player_id}
        path = f"{self.url}/api/campaigns/{quote(campaign_id, safe='')}/{call}"
        return f"{path}?{encoded(known)}"


class Host(Protocol):
    """The client that a carrier serves."""

    replica: Replica

    def take(self, frame: str) -> None:
        """Take one message of the server's."""
        ...

    def confirm(self, position: str | None) -> None:
        """Take it that the head is at `position`."""
        ...


class Carrier(ABC):
    """One connection.

    Attributes:
        way: how it is made.
        acknowledge_every: seconds between two words of which version is held; None: it says so
            itself.
    """

    way: Way
    acknowledge_every: float | None = None

    def __init__(self, session: aiohttp.ClientSession, target: Target, host: Host) -> None:
        self.outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._session = session
        self._target = target
        self._host = host

    def reply(self, text: str) -> None:
        """Send what the replica wants sent: a resync."""
        self.outgoing.put_nowait(text)

    @abstractmethod
    async def run(self, campaign_id: str | None, table: str) -> int | None:
        """Connect, and take and send messages to the end; returns the close code, if there is one.

        Raises:
            ClosedError: the server will not have this client as it is.
            MissedError: this way seems not to lead to the server.
        """


class SocketCarrier(Carrier):
    """A WebSocket."""

    way: Way = "socket"
    acknowledge_every = 1.0

    async def run(self, campaign_id: str | None, table: str) -> int | None:
        """See `Carrier.run`."""
        try:
            async with self._connected(campaign_id, table) as socket:
                # Asked where it stands, a table says whether it is empty, a campaign its digest.
                self.outgoing.put_nowait(self._host.replica.heartbeat(digest=True).text)
                await self._take(socket)
                code = socket.close_code
                if self._host.replica.status == "connecting" and not is_ours(code):
                    raise MissedError
                return code
        except aiohttp.WSServerHandshakeError as error:
            if error.status >= FIRST_SERVER_ERROR:
                raise MissedError from error
            sentence = f"The server refused the connection: HTTP {error.status}."
            raise MissedError(ClosedError("forbidden", sentence)) from error
        except ClosedError:
            raise
        except UNUSABLE as error:
            raise unusable(self._target, error) from error
        except TimeoutError as error:
            raise MissedError from error
        except (aiohttp.ClientError, OSError):
            return None

    async def leads_there(self, campaign_id: str | None, table: str) -> bool:
        """Return whether a socket gets through: one is opened, and the first message awaited."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT), self._open(campaign_id, table) as socket:
                return (await socket.receive()).type is aiohttp.WSMsgType.TEXT
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    @asynccontextmanager
    async def _connected(
        self, campaign_id: str | None, table: str
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with asyncio.timeout(CONNECT_TIMEOUT) as patience:
            async with self._open(campaign_id, table) as socket:
                patience.reschedule(None)
                sender = asyncio.create_task(self._send_all(socket), name="campaign-client-sender")
                try:
                    yield socket
                finally:
                    sender.cancel()
                    await asyncio.wait([sender])

    def _open(self, campaign_id: str | None, table: str) -> Any:
        target = self._target
        query = {
            "campaign_id": campaign_id,
            "table": table if campaign_id is None else None,
            "player_id": target.player_id,
            "mode": target.mode,
            "since": self._host.replica.position,
        }
        return self._session.ws_connect(
            f"{target.url}/ws/campaign/{target.role}?{encoded(query)}",
            protocols=protocols_with(target.token),
            compress=15,
            max_msg_size=MAX_MESSAGE,
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )

    async def _take(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take messages until the socket ends, or says nothing even when it is asked."""
        asked = False
        while True:
            try:
                patience = GIVE_UP_AFTER - ASK_AFTER if asked else ASK_AFTER
                message = await socket.receive(timeout=patience)
            except TimeoutError:
                if asked:
                    await socket.close(code=CloseCode.SILENT)
                    return
                asked = True
                self.outgoing.put_nowait(self._host.replica.heartbeat(digest=True).text)
                continue
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            asked = False
            take(self._host, message.data)

    async def _send_all(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Send frames one after the other; a failure ends the connection: the reader notices."""
        try:
            while True:
                await socket.send_str(await self.outgoing.get())
        except (aiohttp.ClientError, OSError):
            await socket.close()


def take(host: Host, frame: str) -> None:
    """Give a client a message.

    Raises:
        ClosedError: it is none of this protocol's.
    """
    try:
        host.take(frame)
    except msgspec.DecodeError as error:
        raise ClosedError("bad_json", f"The server does not speak {SUBPROTOCOL}.") from error


def unusable(target: Target, error: BaseException) -> ClosedError:
    return ClosedError("invalid", f"No server to use: {target.url} ({error}).")


def encoded(query: dict[str, Any]) -> str:
    return urlencode({name: value for name, value in query.items() if value is not None})
