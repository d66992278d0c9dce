"""A real server as the broadcaster sees it, over the network or in process, and ways to lose it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from questlog import Backoff, CampaignBroadcaster
from questlog.broadcast.http import HttpServer
from questlog.broadcast.port import CampaignServer
from questlog.campaign.errors import StoreUnavailable
from server.config import Config
from server.embedding import LocalServer, embedded
from tests.support.server import silent_log

QUICK = Backoff(base=0.01, cap=0.05)
WAYS = ("http", "local")
SLOW = 20.0


class Place:
    """A running server under the prefix `/questlog` of another's application."""

    def __init__(self, url: str, questlog: web.Application) -> None:
        self.url = url
        self.questlog = questlog

    def server(self, way: str) -> CampaignServer:
        """Return the server as it is talked to in one of the WAYS."""
        return HttpServer(self.url) if way == "http" else LocalServer(self.questlog)

    def broadcaster(self, way: str = "http", **options: Any) -> CampaignBroadcaster:
        """Return a broadcaster to it."""
        return CampaignBroadcaster(self.server(way), **{"backoff": QUICK, **options})


@asynccontextmanager
async def place(path: Path, port: int = 0, config: Config | None = None) -> AsyncIterator[Place]:
    """Serve the store at `path` within an application that has another page."""
    questlog = embedded(
        f"sqlite:////{path.as_posix().lstrip('/')}", config or Config(open=True), log=silent_log()
    )
    app = web.Application()
    app.add_subapp("/questlog", questlog)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield Place(f"http://127.0.0.1:{runner.addresses[0][1]}/questlog", questlog)
    finally:
        await runner.cleanup()


class Unreliable:
    """A server that loses calls before they are made, and answers after.

    Attributes:
        calls: the names of the calls that were made of it.
        lost: how many of them failed.
        down: whether none gets through.
    """

    def __init__(self, server: CampaignServer, rng: random.Random, share: float) -> None:
        self._server = server
        self._rng = rng
        self._share = share
        self.calls: list[str] = []
        self.lost = 0
        self.down = False
        self.tried = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._server, name)
        if name in ("open", "close", "authenticate"):
            return call

        async def unreliable(*arguments: Any) -> Any:
            self.calls.append(name)
            self.tried.set()
            before, after = self._rng.random() < self._share, self._rng.random() < self._share
            if self.down or before:
                self.lost += 1
                raise StoreUnavailable("Lost on the way.")
            answer = await call(*arguments)
            if after:
                self.lost += 1
                raise StoreUnavailable("The answer was lost.")
            return answer

        return unreliable


async def log_of(place: Place, campaign_id: str) -> list[dict[str, Any]]:
    """Return the events of a campaign as the store has them."""
    from server.services import SERVICES

    events = await place.questlog[SERVICES].store.read(campaign_id)
    found: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(events))
    return found
