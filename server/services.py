"""What the handlers work with, made once by `make_app` and found through the application."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import Struct

from eventstore.port import EventStore
from questlog.campaign.position import seal
from questlog.campaign.visibility import Viewer
from server.admission import Admission
from server.attendance import Attendance
from server.attendant import Attendant
from server.audit import Audit
from server.background import Background
from server.clock import Clock
from server.config import Config
from server.hub import Hub
from server.metrics import Metrics
from server.overview import Overview
from server.polling import Polls
from server.registry import Registry
from server.replays import Replays
from server.tables import Tables


class Services(Struct, frozen=True):
    """The parts of a running server."""

    config: Config
    clock: Clock
    store: EventStore
    background: Background
    registry: Registry
    tables: Tables
    hub: Hub
    attendant: Attendant
    attendance: Attendance
    polls: Polls
    replays: Replays
    admission: Admission
    metrics: Metrics
    overview: Overview
    audit: Audit
    log: Any

    def position(self, version: int, chain_hash: str, viewer: Viewer) -> str:
        """Return the position of a version for a viewer whose view is named by its role."""
        return str(seal(self.store.secret, version, chain_hash, viewer.role))


SERVICES: web.AppKey[Services] = web.AppKey("questlog.services", Services)


def services_of(request: web.Request) -> Services:
    """Return the services of the server a request came to."""
    return request.app[SERVICES]
