"""The stage: a server with tokens over a store in a folder that is thrown away."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from eventstore.sqlite.store import SqliteStore
from questlog.campaign.events import Role
from server.access.file import AccessFile
from server.access.tokens import mint
from server.config import Config
from tools.canary.relay import Relay
from tools.canary.watch import Watch
from tools.serve import Listener, listening

LOOPBACK = "127.0.0.1"
HOUR = 3600.0
MANY = 1_000_000
LARGE = 128 * 1024 * 1024
# So little that who naps falls behind.
OUTBOX = 32 * 1024


class Stage:
    """A running server, as those meet it who have a seat somewhere on it.

    Attributes:
        access: the access file as another process holds it: what is written here, the server has
            to find out.
        session: what calls and sockets are made with.
    """

    def __init__(
        self, folder: Path, watch: Watch, access: AccessFile, session: aiohttp.ClientSession
    ) -> None:
        self.watch = watch
        self.access = access
        self.session = session
        self.campaigns: list[str] = []
        self._store_url = f"sqlite:////{(folder / 'canary.db').as_posix().lstrip('/')}"
        self._running = AsyncExitStack()
        self._port = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, watch: Watch) -> AsyncIterator[Stage]:
        """Serve an empty store until the context is left, and then throw it away."""
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-")))
            handler = _Handler(watch)
            logging.getLogger().addHandler(handler)
            stack.callback(logging.getLogger().removeHandler, handler)
            url = f"sqlite:////{(folder / 'canary.db').as_posix().lstrip('/')}"
            access = await AccessFile.open(url)
            stack.push_async_callback(access.close)
            # No compression of HTTP, no cookies: what comes is what the relay saw.
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
            )
            await stack.enter_async_context(session)
            stage = cls(folder, watch, access, session)
            stack.push_async_callback(stage._stop)
            await stage._start()
            yield stage

    async def restart(self) -> None:
        """Stop the server in good order, and start another on the same store."""
        await self._stop()
        await self._start()
        self.watch.tally.restarts += 1

    async def token(self, campaign_id: str, role: Role, player_id: str | None = None) -> str:
        """Return a token for a seat at a campaign."""
        return mint(
            (await self.access.keys())[0],
            self.access.audience,
            campaign_id=campaign_id,
            role=role,
            player_id=player_id,
            now_ms=time.time_ns() // 1_000_000,
            lasts=HOUR,
        )

    def relay(self, heard: Callable[[bytes, int], None], *, narrow: bool) -> Relay:
        """Return a relay to this server, wherever it listens."""
        return Relay(lambda: (LOOPBACK, self._port), heard, narrow=narrow)

    async def check_metrics(self) -> None:
        """Look through what the server tells this machine in numbers."""
        url = f"http://{LOOPBACK}:{self._port}/metrics"
        async with self.session.get(url) as answer:
            self.watch.logged(await answer.text(), "metrics")

    async def _start(self) -> None:
        stack = AsyncExitStack()
        async with stack:
            store = await SqliteStore.open(self._store_url)
            stack.push_async_callback(store.close)
            access = await AccessFile.open(self._store_url)
            stack.push_async_callback(access.close)
            log = structlog.wrap_logger(_Lines(self.watch), processors=_processors())
            listener = Listener(host=LOOPBACK, port=0)
            url = await stack.enter_async_context(
                listening(_config(), listener, store, log, access)
            )
            self._port = int(url.rpartition(":")[2])
            self._running = stack.pop_all()

    async def _stop(self) -> None:
        await self._running.aclose()


class _Lines:
    """What structlog writes to: every line is looked through."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def msg(self, line: str) -> None:
        """Take a line."""
        self._watch.logged(line, "log")

    debug = info = warning = error = exception = critical = msg


class _Handler(logging.Handler):
    """Takes what the libraries log."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self._watch.logged(self.format(record), f"log of {record.name}")


def _processors() -> list[Any]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=repr),
    ]


def _config() -> Config:
    """Return settings under which a crowd on one machine that never rests is not turned away."""
    return Config(
        player_rate=MANY,
        dm_rate=MANY,
        failed_tokens=MANY,
        max_member_connections=MANY,
        max_campaign_connections=MANY,
        max_address_connections=MANY,
        max_document=LARGE,
        max_body=LARGE,
        outbox=OUTBOX,
        # However long a nap is.
        silence_timeout=HOUR,
        slow_timeout=HOUR,
        signal_rate=MANY,
        max_suggestions=MANY,
        max_replays=MANY,
        # So little that who goes is gone.
        leave_grace=0.1,
        poll_gap=1.0,
        narration_idle=HOUR,
    )
