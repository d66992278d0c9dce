"""Questlog within another aiohttp application, under a prefix, and to be talked to in process.

questlog = embedded("sqlite:///questlog.db", Config(open=True))
app.add_subapp("/questlog", questlog)
broadcaster = CampaignBroadcaster(LocalServer(questlog))

The store is opened when the application starts, and closed when it is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import msgspec
from aiohttp import web

from eventstore.errors import StoreError
from eventstore.port import EventStore
from eventstore.sqlite.store import SqliteStore
from questlog.broadcast.port import Change, Held, Logged, Made
from questlog.campaign.commands import Activate, Command, Commit, Create, Request
from questlog.campaign.errors import StoreUnavailable, UnknownVersion
from questlog.campaign.events import Actor, Event
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.ids import check_name
from server.access.file import AccessFile
from server.app import furnish, make_frame
from server.clock import Clock, SystemClock
from server.config import Config
from server.live import Done
from server.services import SERVICES, Services

THE_DM = Actor("dm", "dm")


def embedded(
    store_url: str,
    config: Config | None = None,
    *,
    clock: Clock | None = None,
    log: Any = None,
) -> web.Application:
    """Return the server as an application that opens and closes its own files.

    Args:
        store_url: the store, `sqlite:///FILE` (relative) or `sqlite:////PATH`.
        config: None: the defaults, which ask everybody for a token.
        log: a structlog logger; None: the process's own.

    Starting it fails with a StoreError where the store cannot be opened.

    Raises:
        ValueError: a proxy's network is none.
    """
    config = config or Config()
    app = make_frame(config, clock or SystemClock(), log)

    async def files(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            store: EventStore = await SqliteStore.open(store_url)
            stack.push_async_callback(store.close)
            access = None
            if not config.open:
                access = await AccessFile.open(store_url)
                stack.push_async_callback(access.close)
            furnish(app, store, access)
            yield

    # Opened before anything else starts, closed after everything else has stopped.
    app.cleanup_ctx.insert(0, files)
    return app


class LocalServer:
    """The server of this process, for `questlog.CampaignBroadcaster`. It needs no token.

    Args:
        app: what `embedded` or `make_app` gave. Before it has started, and after it has stopped,
            it is a server that is away.
        actor: whom the log names for what is committed.
    """

    def __init__(self, app: web.Application, actor: Actor = THE_DM) -> None:
        self._app = app
        self._actor = actor

    async def open(self) -> None:
        """See `CampaignServer.open`."""

    async def close(self) -> None:
        """See `CampaignServer.close`; the application goes on."""

    def authenticate(self, token: str) -> None:
        """See `CampaignServer.authenticate`; here nobody asks."""

    async def state(
        self, campaign_id: str, held: Held | None = None, version: int | None = None
    ) -> Held:
        """See `CampaignServer.state`."""
        with self._running() as services:
            async with services.registry.holding(campaign_id) as seat:
                entry = seat.live.feed.head
                if version is not None and version != entry.version:
                    found = await seat.live.memory.recall(version)
                    if found is None:
                        raise UnknownVersion(version=entry.version)
                    entry = found
                if held is not None and held.version == entry.version:
                    return held
                return Held(entry.version, entry.state.document)

    async def create(self, campaign_id: str, document: dict[str, Any], key: str) -> Made:
        """See `CampaignServer.create`."""
        check_name(campaign_id, "campaign id")
        with self._running() as services:
            request = self._request(Create(document), key)
            return _made(await services.registry.create(campaign_id, request))

    async def commit(self, campaign_id: str, change: Change) -> Made:
        """See `CampaignServer.commit`."""
        command = Commit(
            patch=change.patch,
            kind=change.kind,
            meta=change.meta,
            expected_version=change.expected_version,
        )
        with self._running() as services:
            async with services.registry.holding(campaign_id) as seat:
                return _made(await seat.live.submit(self._request(command, change.id)))

    async def activate(self, campaign_id: str, table: str, key: str) -> Made:
        """See `CampaignServer.activate`."""
        with self._running() as services:
            request = self._request(Activate(table), key)
            return _made(await services.tables.activate(campaign_id, request))

    async def deactivate(self, campaign_id: str, key: str) -> Made:
        """See `CampaignServer.deactivate`."""
        with self._running() as services:
            return _made(await services.tables.deactivate(campaign_id, self._actor, key))

    async def find(self, campaign_id: str, identifier: str) -> Logged | None:
        """See `CampaignServer.find`."""
        with self._running() as services:
            event = await services.store.find(campaign_id, self._actor, identifier)
            return None if event is None else _logged(event)

    async def events(self, campaign_id: str, after: int, limit: int) -> list[Logged]:
        """See `CampaignServer.events`."""
        with self._running() as services:
            events = await services.store.read(campaign_id, after=after, limit=limit)
            return [_logged(event) for event in events]

    def _request(self, command: Command, identifier: str) -> Request:
        return Request(self._actor, command, identifier)

    @contextmanager
    def _running(self) -> Iterator[Services]:
        """Give the running server; what its store cannot do is a server that is away."""
        services = self._app.get(SERVICES)
        if services is None or not services.background.running:
            raise StoreUnavailable("The server does not run.")
        try:
            yield services
        except (StoreError, DamagedLogError) as error:
            raise StoreUnavailable(str(error)) from error


def _made(done: Done) -> Made:
    return Made(done.version, done.duplicate)


def _logged(event: Event) -> Logged:
    meta = msgspec.json.decode(event.meta, type=dict[str, Any])
    return Logged(event.version, event.id, event.kind, meta)
