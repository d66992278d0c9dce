"""Entrances: how a viewer begins to follow, by a socket, a stream or polls."""

from __future__ import annotations

import aiohttp
import msgspec
from msgspec import Struct

from questlog.sync.messages import SUBPROTOCOL
from tools.canary.cast import Part
from tools.canary.lines import Caller, Line, LineKind, PollLine, SocketLine, StreamLine


class Entrance(Struct, frozen=True):
    """Where a viewer comes in, and with what.

    Attributes:
        url: of the server, for this viewer.
        token: the one it shows.
    """

    session: aiohttp.ClientSession
    url: str
    campaign_id: str
    part: Part
    token: str

    async def open(self, kind: LineKind, since: str | None, *, odd: bool) -> Line:
        """Open a line from a position on.

        Args:
            odd: every other time it is done in another one of the ways there are.
        """
        query = {"mode": "full" if self.part.full else "delta"}
        if kind == "socket":
            return await self._socket(query if since is None else {**query, "since": since})
        url = f"{self.url}/api/campaigns/{self.campaign_id}"
        headers = {"Authorization": f"Bearer {self.token}"}
        caller = Caller(self.session, url, headers, query)
        if kind == "stream":
            return StreamLine(caller, since, as_header=odd)
        return PollLine(caller, since, introduce=odd)

    async def _socket(self, query: dict[str, str]) -> SocketLine:
        part = self.part
        query |= {"table": part.table} if part.table else {"campaign_id": self.campaign_id}
        query |= {"token": self.token} if part.door == "query" else {}
        offered = [SUBPROTOCOL, f"bearer.{self.token}"] if part.door == "subprotocol" else []
        shown = {"Authorization": f"Bearer {self.token}"} if part.door == "header" else None
        socket = await self.session.ws_connect(
            f"{self.url}/ws/campaign/{part.endpoint}",
            params=query,
            headers=shown,
            protocols=offered,
            compress=15 if part.deflates else 0,
            max_msg_size=0,
        )
        line = SocketLine(socket)
        if part.door == "message":
            message = {"type": "authenticate", "token": self.token}
            await line.say(msgspec.json.encode(message).decode())
        return line
