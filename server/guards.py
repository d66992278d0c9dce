"""Who is let in to an open server: callers on this machine, whose browser is on a page of ours.

A page elsewhere can make a visitor's browser call 127.0.0.1, and DNS can be made to lead a name of
theirs there. So the Host header must name the loopback, and a foreign Origin is turned away, for
writes and sockets as much as for reads.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from questlog.campaign.errors import Forbidden


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


def check_origin(request: web.BaseRequest) -> None:
    """Refuse a request from a page of another origin; no Origin at all is not a browser's.

    Raises:
        Forbidden: the Origin is not this server's own.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return
    scheme = "https" if request.secure else "http"
    if origin.lower() != f"{scheme}://{request.headers.get('Host', '')}".lower():
        raise Forbidden("Requests from pages of another origin are not answered.")


def guard(request: web.BaseRequest, **_: Any) -> None:
    """Apply both checks.

    Raises:
        Forbidden: either fails.
    """
    check_host(request)
    check_origin(request)
