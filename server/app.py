"""The composition root: a configuration, a store and a clock become an application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from eventstore.port import EventStore
from server import routes
from server.background import Background
from server.clock import Clock
from server.config import Config
from server.guards import guard
from server.hardening import QuietRunner
from server.hub import Hub
from server.problems import problem_middleware
from server.registry import Registry
from server.services import SERVICES, Services
from server.tables import Tables

SHUTDOWN_TIMEOUT = 5.0


def make_app(config: Config, store: EventStore, clock: Clock, log: Any = None) -> web.Application:
    """Return the server as an aiohttp application. The caller opens and closes `store`.

    Args:
        log: a structlog logger; None: the process's own, as structlog is configured.
    """
    log = structlog.get_logger() if log is None else log
    background = Background(log)
    registry = Registry(store, clock, config, background, log)
    tables = Tables(store, registry)
    hub = Hub(config, clock, registry, tables, background, store.secret, log)
    app = web.Application(
        middlewares=[problem_middleware(log), _guard_middleware],
        client_max_size=config.max_body,
    )
    app[SERVICES] = Services(config, clock, store, background, registry, tables, hub, log)
    app.cleanup_ctx.append(_background)
    app.on_shutdown.append(_say_goodbye)
    routes.add_to(app)
    return app


def make_runner(app: web.Application) -> web.AppRunner:
    """Return the runner that serves `app` on sites of the caller's choice."""
    config = app[SERVICES].config
    return QuietRunner(
        app,
        handle_signals=False,
        access_log=None,
        # A request whose body never comes must not hold up the end for longer.
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        max_line_size=config.max_header,
        max_field_size=config.max_header,
        keepalive_timeout=75.0,
    )


@web.middleware
async def _guard_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    guard(request)
    return await handler(request)


async def _background(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    await services.background.start()
    services.background.spawn_endless(services.hub.watch())
    yield
    await services.background.stop()


async def _say_goodbye(app: web.Application) -> None:
    """Answer what was accepted, then tell the sockets; runs once new connections are refused."""
    hub = app[SERVICES].hub
    await hub.drain_requests()
    await hub.stop()
