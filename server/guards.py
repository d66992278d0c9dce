"""What browsers are let do: the Host and Origin checks, CORS, and the headers on everything served.

A page elsewhere can make a visitor's browser call this server, and DNS can be made to lead a name
of theirs to 127.0.0.1. Nothing here rests on cookies, so on a server with tokens such a page has
nothing to show; but on an open one anybody on the machine is believed. So an open server answers to
loopback host names alone, and a foreign Origin is turned away everywhere, for reads too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, MutableMapping
from types import MappingProxyType
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from questlog.campaign.errors import Forbidden
from server.addresses import Addresses
from server.config import Config

# Nothing an API answers is a page: it may load nothing, be framed by nobody, be sniffed into none.
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
)
STRICT_TRANSPORT = "max-age=31536000"
METHODS = "GET, PUT, PATCH, POST"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match"
RESPONSE_HEADERS = "ETag, Retry-After"
PREFLIGHT_SECONDS = "600"
SOFTWARE = "questlog"


class Guards:
    """Checks requests before anything else does, and dresses responses after everything else.

    Args:
        addresses: knows the scheme a client sees through a proxy of ours.
    """

    def __init__(self, config: Config, addresses: Addresses) -> None:
        self._open = config.open
        self._max_body = config.max_body
        self._allowed = frozenset(origin.lower() for origin in config.allow_origin)
        self._addresses = addresses

    def check(self, request: web.BaseRequest) -> None:
        """Refuse a request that a page of another origin has made, or that names another host.

        Raises:
            Forbidden: it is such a one.
        """
        if self._open:
            check_host(request)
        origins = request.headers.getall("Origin", ())
        if not origins:
            # No browser: browsers send one with every write and every socket.
            return
        origin = origins[0].lower()
        own = f"{self._addresses.scheme(request)}://{request.headers.get('Host', '')}".lower()
        if len(origins) > 1 or (origin != own and origin not in self._allowed):
            raise Forbidden(
                "Requests from pages of this origin are not answered; --allow-origin lets them in."
            )

    @property
    def middleware(self) -> Middleware:
        """The checks as aiohttp's middleware; answers what browsers ask before a call."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.check(request)
            if request.client_max_size < self._max_body:
                # Within another's application it is that one's, whose pages need less.
                request = request.clone(client_max_size=self._max_body)
            asks = "Access-Control-Request-Method" in request.headers
            if request.method == "OPTIONS" and asks and self._foreign(request):
                return web.Response(status=204)
            return await handler(request)

        return guard

    async def dress(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Add the security headers, and CORS for an origin that is allowed."""
        dress(response.headers, secure=self._addresses.scheme(request) == "https")
        if not self._allowed:
            return
        response.headers.add("Vary", "Origin")
        origin = self._foreign(request)
        if origin is None:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = RESPONSE_HEADERS
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS

    def _foreign(self, request: web.BaseRequest) -> str | None:
        """Return the Origin of a request where it is one of those let in by name."""
        origin = request.headers.get("Origin")
        return origin if origin is not None and origin.lower() in self._allowed else None


def dress(headers: MutableMapping[str, str], *, secure: bool) -> None:
    """Add the headers that everything served has, where it does not say better itself."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers["Server"] = SOFTWARE
    if secure:
        headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)


def check_origins(origins: Iterable[str]) -> None:
    """Refuse what no browser would send as an Origin.

    Raises:
        ValueError: one has no scheme or host, or has more than these and a port; says which.
    """
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin} is no origin: https://app.example, with a port or without.")
        if not parts.hostname or "@" in parts.netloc or "*" in parts.netloc:
            raise ValueError(f"{origin} is no origin: it names one host, and no more.")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address, without a port, is this machine's loopback."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_host(request: web.BaseRequest) -> None:
    """Refuse a request whose Host header does not name the loopback.

    Raises:
        Forbidden: the header is missing or names another host.
    """
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        name = None
    if name is None or not is_loopback(name):
        raise Forbidden("This server answers only to a loopback host name.")
