"""The composition root: a configuration, a store and a clock become an application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import structlog
from aiohttp import web
from msgspec import Struct

from eventstore.port import EventStore
from questlog.campaign.errors import Rejection
from server import routes
from server.access.authenticator import Authenticator
from server.access.file import AccessFile
from server.access.provider import Provider
from server.addresses import Addresses, networks
from server.admission import Admission
from server.attendance import Attendance
from server.attendant import Attendant
from server.audit import Audit
from server.background import Background
from server.clock import Clock
from server.config import Config
from server.guards import Guards
from server.hardening import QuietRunner
from server.hub import Hub
from server.metrics import Metrics
from server.overview import Overview
from server.polling import Polls
from server.problems import problem_middleware
from server.registry import Registry
from server.replays import Replays
from server.services import SERVICES, Services
from server.standing import Standing
from server.tables import Tables

SHUTDOWN_TIMEOUT = 5.0


class Frame(Struct, frozen=True):
    """What of a server there is before its files are open."""

    config: Config
    clock: Clock
    metrics: Metrics
    audit: Audit
    addresses: Addresses
    log: Any


FRAME: web.AppKey[Frame] = web.AppKey("questlog.frame", Frame)


def make_app(
    config: Config,
    store: EventStore,
    clock: Clock,
    log: Any = None,
    *,
    access: AccessFile | None = None,
) -> web.Application:
    """Return the server as an aiohttp application. The caller opens and closes both files.

    Args:
        log: a structlog logger; None: the process's own, as structlog is configured.
        access: who may come in; without it a server that is not open lets nobody in but a
            provider's users whose claims give them seats.

    Raises:
        ValueError: a proxy's network is none.
    """
    app = make_frame(config, clock, log)
    furnish(app, store, access)
    return app


def make_frame(config: Config, clock: Clock, log: Any = None) -> web.Application:
    """Return the application without what needs its files: `furnish` adds that, before it starts.

    Raises:
        ValueError: a proxy's network is none.
    """
    log = structlog.get_logger() if log is None else log
    metrics = Metrics()
    audit = Audit(log, clock.monotonic, metrics)
    addresses = Addresses(networks(config.trusted_proxy))
    guards = Guards(config, addresses)
    app = web.Application(
        middlewares=[problem_middleware(log, audit, addresses), guards.middleware],
        client_max_size=config.max_body,
    )
    app[FRAME] = Frame(config, clock, metrics, audit, addresses, log)
    app.on_response_prepare.append(guards.dress)
    app.cleanup_ctx.append(_background)
    app.on_shutdown.append(_say_goodbye)
    routes.add_to(app)
    return app


def furnish(app: web.Application, store: EventStore, access: AccessFile | None = None) -> None:
    """Give the application of `make_frame` what it works with; `make_app` says what these are."""
    frame = app[FRAME]
    config, clock, log = frame.config, frame.clock, frame.log
    metrics, audit = frame.metrics, frame.audit
    background = Background(log)
    authenticator = Authenticator(
        access, clock, _provider(config, clock), config.oidc_claim or None
    )
    admission = Admission(config, clock, authenticator, frame.addresses)
    standing = Standing(authenticator)
    attendance = Attendance(access, store, clock, log)
    registry = Registry(store, clock, config, background, attendance, metrics, log)
    tables = Tables(store, registry, standing)
    hub = Hub(
        config,
        clock,
        registry,
        tables,
        standing,
        admission,
        background,
        store.secret,
        metrics,
        audit,
        log,
    )
    attendant = Attendant(config, clock, hub, admission, background, log)
    overview = Overview(hub, registry, store, clock)
    metrics.watch(overview)
    app[SERVICES] = Services(
        config,
        clock,
        store,
        background,
        registry,
        tables,
        hub,
        attendant,
        attendance,
        Polls(config, clock, hub, registry, background),
        Replays(config.max_replays),
        admission,
        metrics,
        overview,
        audit,
        log,
    )


def make_runner(app: web.Application) -> web.AppRunner:
    """Return the runner that serves `app` on sites of the caller's choice."""
    config, audit = app[FRAME].config, app[FRAME].audit

    def refused(refusal: Rejection, address: str) -> None:
        audit.refused(refusal, who="(nobody)", where=address, what="(an unreadable request)")

    return QuietRunner(
        app,
        refused=refused,
        handle_signals=False,
        access_log=None,
        # A request whose body never comes must not hold up the end for longer.
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        max_line_size=config.max_header,
        max_field_size=config.max_header,
        keepalive_timeout=75.0,
    )


async def _background(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    authenticator = services.admission.authenticator
    await authenticator.start()
    await services.background.start()
    services.background.spawn_endless(services.hub.watch())
    services.background.spawn_endless(services.attendance.watch())
    if not services.config.open:
        services.background.spawn_endless(services.hub.renewal.watch())
    yield
    await services.background.stop()
    await services.attendance.write(last=True)
    await authenticator.close()


def _provider(config: Config, clock: Clock) -> Provider | None:
    if not config.oidc_issuer:
        return None
    return Provider(config.oidc_issuer, config.oidc_audience, clock)


async def _say_goodbye(app: web.Application) -> None:
    """Answer what was accepted, then tell the sockets; runs once new connections are refused."""
    if SERVICES not in app:
        # Its files could not be opened, so it never started.
        return
    hub = app[SERVICES].hub
    app[SERVICES].replays.stopping.set()
    await hub.drain_requests()
    await hub.stop()
