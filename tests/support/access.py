"""Servers that ask for tokens, and the tokens they take.

async with guarded(tmp_path) as table:
    async with table.calling("dm") as dm: ...
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector, web

from eventstore.sqlite.store import SqliteStore
from questlog.campaign.events import Role
from server.access.file import AccessFile
from server.access.tokens import mint
from server.app import make_app, make_runner
from server.clock import Clock, SystemClock
from server.config import Config
from server.services import SERVICES, Services
from tests.support.peer import Caller
from tests.support.server import bearer, silent_log

HOUR = 3600.0


def store_url(path: Path) -> str:
    """Return the URL of the store at `path`."""
    return f"sqlite:////{path.as_posix().lstrip('/')}"


async def mint_for(
    access: AccessFile,
    campaign_id: str,
    role: Role,
    player_id: str | None = None,
    *,
    lasts: float = HOUR,
) -> str:
    """Return a token of the key in force."""
    return mint(
        (await access.keys())[0],
        access.audience,
        campaign_id=campaign_id,
        role=role,
        player_id=player_id,
        now_ms=time.time_ns() // 1_000_000,
        lasts=lasts,
    )


async def token(path: Path, campaign_id: str, role: Role, player_id: str | None = None) -> str:
    """Return a token for the store at `path`, as `questlog token` would."""
    access = await AccessFile.open(store_url(path))
    try:
        return await mint_for(access, campaign_id, role, player_id)
    finally:
        await access.close()


class Guarded:
    """A running server that asks for tokens.

    Attributes:
        access: the access file as another process holds it: what is written here, the server has
            to find out.
    """

    def __init__(self, url: str, path: Path, access: AccessFile, services: Services) -> None:
        self.url = url
        self.path = path
        self.access = access
        self.services = services

    async def token(
        self,
        role: Role,
        player_id: str | None = None,
        *,
        campaign_id: str = "c",
        lasts: float = HOUR,
    ) -> str:
        """Return a token for a seat at campaign `c`, or another."""
        return await mint_for(self.access, campaign_id, role, player_id, lasts=lasts)

    @asynccontextmanager
    async def calling(
        self, role: Role | None = None, player_id: str | None = None, *, token: str | None = None
    ) -> AsyncIterator[Caller]:
        """Give a caller with a token of this seat, or with the token given, or with none."""
        if role is not None:
            token = await self.token(role, player_id)
        headers = bearer(token)
        async with ClientSession(connector=TCPConnector(limit=0), headers=headers) as session:
            yield Caller(session, self.url)


@asynccontextmanager
async def guarded(
    folder: Path, *, config: Config | None = None, clock: Clock | None = None, log: Any = None
) -> AsyncIterator[Guarded]:
    """Serve a fresh store in `folder` in this process, asking for tokens."""
    path = folder / "questlog.db"
    url = store_url(path)
    store = await SqliteStore.open(url)
    access, others = await AccessFile.open(url), await AccessFile.open(url)
    app = make_app(
        config or Config(), store, clock or SystemClock(), log or silent_log(), access=access
    )
    runner = make_runner(app)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        where = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield Guarded(where, path, others, app[SERVICES])
    finally:
        await runner.cleanup()
        await others.close()
        await access.close()
        await store.close()
