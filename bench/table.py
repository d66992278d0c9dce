"""A table in a process of its own, and a hall of players: what two benches have in common.

The server is `questlog serve` as it is installed: it asks for tokens, and its CPU time is the
system's figure. What it sent, and to how many, is read from its metrics. The players are in the
bench's process: they answer pings, and otherwise only count bytes.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from aiohttp import ClientSession
from msgspec import Struct

from bench.fanout import UPGRADE, Counter
from questlog.campaign.events import Role
from server.access.file import AccessFile
from tests.support.access import mint_for, store_url
from tests.support.metrics import scrape
from tests.support.peer import Caller
from tests.support.server import Served

CAMPAIGN = "table"
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
# All come from one address here, and a line for each of them would cost as much as they do.
OPTIONS = ("--max-address-connections", "5000", "--log-level", "error")


class Sent(Struct, frozen=True):
    """Messages of one sort: how many were handed to connections, and their bytes."""

    deliveries: float = 0.0
    size: float = 0.0

    def __sub__(self, other: Sent) -> Sent:
        return Sent(self.deliveries - other.deliveries, self.size - other.size)


class Peer(asyncio.Protocol):
    """A player that answers pings and counts what it is sent, without reading it.

    Args:
        hello: a message to send first, none where empty.
    """

    def __init__(self, path: str, counter: Counter, hello: str, gone: list[Peer]) -> None:
        text = hello.encode()
        frame = b"\x81" + bytes((0x80 | len(text),)) + b"\0\0\0\0" + text if text else b""
        self._hello = UPGRADE.format(path=path).encode() + frame
        self._counter = counter
        self._gone = gone
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade, and the first message."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        """Count what came; show that this player lives where that may be asked."""
        self._counter.count(len(data))
        # No text has these bytes. The head of a longer frame may: a pong too many harms nobody.
        if PING in data:
            assert self._transport is not None
            self._transport.write(PONG)

    def connection_lost(self, error: Exception | None) -> None:
        """Note that this player costs nothing any more."""
        self._gone.append(self)


class Hall:
    """A server with one campaign, and those who follow it.

    Attributes:
        counter: of the bytes that all players have received.
    """

    def __init__(self, served: Served, session: ClientSession, access: AccessFile) -> None:
        self.url = served.url
        self.session = session
        self.counter = Counter()
        self._access = access
        self._gone: list[Peer] = []
        assert served._process is not None
        self._process = served._process.pid

    def cpu(self) -> float:
        """Return the CPU seconds that the server has used (Linux)."""
        fields = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def sent(self) -> dict[str, Sent]:
        """Return what the server has sent so far, by sort."""
        found = await scrape(Caller(self.session, self.url))
        sorts = {labels["message"] for _, labels, _ in found.samples if "message" in labels}
        return {
            sort: Sent(
                found("questlog_deliveries_total", message=sort),
                found("questlog_delivered_bytes_total", message=sort),
            )
            for sort in sorts
        }

    async def token(self, role: Role, player_id: str | None = None) -> str:
        """Return a token for a seat at the campaign."""
        return await mint_for(self._access, CAMPAIGN, role, player_id)

    async def seat(self, tokens: Iterable[str], hello: str = "") -> float:
        """Seat a player for each token; returns the seconds until all had what they came for."""
        loop, begun = asyncio.get_running_loop(), time.monotonic()
        port = int(self.url.rpartition(":")[2])
        for token in tokens:
            query = urlencode({"campaign_id": CAMPAIGN, "token": token})
            path = f"/ws/campaign/player?{query}"
            player = partial(Peer, path, self.counter, hello, self._gone)
            await loop.create_connection(player, "127.0.0.1", port)
        await self.counter.quiet()
        return time.monotonic() - begun

    def check(self) -> None:
        """See that nobody has left: they would be missing from the figures."""
        assert not self._gone, f"{len(self._gone)} players were disconnected"


@asynccontextmanager
async def hall(document: dict[str, Any]) -> AsyncIterator[Hall]:
    """Serve a campaign that nobody follows yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.db"
        async with Served.start(path, OPTIONS) as served, ClientSession() as session:
            access = await AccessFile.open(store_url(path))
            try:
                found = Hall(served, session, access)
                headers = {"Authorization": f"Bearer {await found.token('dm')}"}
                url, body = f"{found.url}/api/campaigns/{CAMPAIGN}", {"structured_data": document}
                async with session.put(url, json=body, headers=headers) as answer:
                    assert answer.status == 201, await answer.text()
                yield found
            finally:
                await access.close()


def spent(before: dict[str, Sent], after: dict[str, Sent]) -> dict[str, Sent]:
    """Return what was sent in between, by sort; nothing of what was not."""
    changes = {sort: after[sort] - before.get(sort, Sent()) for sort in after}
    return {sort: change for sort, change in sorted(changes.items()) if change.deliveries}
