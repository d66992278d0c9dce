"""HTTP: whether the server lives, and whether it can do its work."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from server.bodies import answer
from server.services import services_of


class Health(Struct, frozen=True):
    """What a probe is told."""

    status: str


async def healthz(_request: web.Request) -> web.Response:
    """GET /healthz"""
    return answer(Health("alive"))


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics"""
    services = services_of(request)
    await services.overview.measure()
    body = services.metrics.text()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def live(request: web.Request) -> web.Response:
    """GET /api/live"""
    return answer(services_of(request).overview.live())


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz"""
    await services_of(request).store.check_writable()
    return answer(Health("ready"))
