"""Where a request comes from: the peer, or whom a proxy we trust says it speaks for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"
FORWARDING = ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via")
# One household or server has a whole IPv6 network of this length to itself.
IPV6_PREFIX = 64


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks written as `10.0.0.0/8` or `::1`.

    Raises:
        ValueError: one is no network.
    """
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


class Addresses:
    """Finds the address and the scheme of requests.

    Args:
        trusted: the networks of proxies whose `X-Forwarded-…` is believed; nobody else's is.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)

    def of(self, request: web.BaseRequest) -> str:
        """Return the client's address: the last in the chain that is no proxy of ours."""
        peer = request.remote or UNKNOWN
        if not self._trusted or not self._is_trusted(peer):
            return peer
        chain = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for hop in reversed([part.strip() for part in chain if part.strip()]):
            if _address(hop) is None:
                return peer
            peer = hop
            if not self._is_trusted(hop):
                return hop
        return peer

    def scheme(self, request: web.BaseRequest) -> str:
        """Return `https` or `http`, as the client sees it."""
        if self._trusted and self._is_trusted(request.remote or UNKNOWN):
            said = request.headers.get("X-Forwarded-Proto", "").lower()
            if said in ("http", "https"):
                return said
        return "https" if request.secure else "http"

    def is_local(self, request: web.BaseRequest) -> bool:
        """Return whether a request comes from this machine, and not through a proxy on it."""
        found = _address(request.remote or UNKNOWN)
        forwarded = any(name in request.headers for name in FORWARDING)
        return found is not None and found.is_loopback and not forwarded

    def _is_trusted(self, text: str) -> bool:
        found = _address(text)
        return found is not None and any(
            found in network for network in self._trusted if network.version == found.version
        )


@lru_cache(maxsize=4096)
def counted_as(text: str) -> str:
    """Return what an address is counted under: itself, or the network it may change within."""
    found = _address(text)
    if found is None or found.version == 4:
        return text if found is None else str(found)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    # A socket that takes both kinds calls an IPv4 peer by an IPv6 name.
    mapped = found.ipv4_mapped if found.version == 6 else None
    return mapped or found
