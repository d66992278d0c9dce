"""Who is let in: the one door that every HTTP call and every socket comes through.

Deny by default: every call names an act, an act that nobody may do is done by nobody, and a caller
without a seat at a campaign is told no more than that, be there such a campaign or not.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from questlog.campaign.authority import Act, require
from questlog.campaign.errors import Forbidden, Invalid, Unauthenticated
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer
from server.access.authenticator import Authenticator
from server.access.identity import Identity, OpenIdentity, OwnIdentity
from server.addresses import Addresses, counted_as
from server.audit import LABEL
from server.clock import Clock
from server.config import Config
from server.guards import check_host
from server.limits import BURST_SECONDS, Buckets, Throttled

BEARER = "bearer"
MINUTE = 60

TokenReader = Callable[[web.Request], str | None]


def bearer_of(request: web.BaseRequest) -> str | None:
    """Return the token in the Authorization header (RFC 6750, 2.1), None where there is none.

    Raises:
        Unauthenticated: the header holds something else, or there are two.
    """
    headers = request.headers.getall("Authorization", ())
    if not headers:
        return None
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != BEARER or not token.strip():
        raise Unauthenticated("The Authorization header is: Bearer TOKEN.")
    return token.strip()


class Caller(Struct, frozen=True):
    """Who makes a call, and who looks when they do.

    Attributes:
        viewer: at the campaign in the path; None where the path names none.
        address: where they call from.
        act: what they have been let in to do; None: whoever comes may.
    """

    identity: Identity | None
    viewer: Viewer | None
    address: str
    act: Act | None

    @property
    def known(self) -> Identity:
        """Who the caller is, where the call asks for a token."""
        assert self.identity is not None, "the call asks for a token"
        return self.identity


class Admission:
    """Turns a request into a caller, or turns it away."""

    def __init__(
        self, config: Config, clock: Clock, authenticator: Authenticator, addresses: Addresses
    ) -> None:
        self.authenticator = authenticator
        self.addresses = addresses
        self._open = config.open
        self._clock = clock
        self._pages = Buckets(config.player_rate, config.player_rate * BURST_SECONDS)
        self._strangers = Buckets(config.player_rate, config.player_rate * BURST_SECONDS)
        self._players = Buckets(config.player_rate, config.player_rate * BURST_SECONDS)
        self._dms = Buckets(config.dm_rate, config.dm_rate * BURST_SECONDS)
        self._failures = Buckets(config.failed_tokens / MINUTE, config.failed_tokens)

    async def admit(
        self, request: web.Request, act: Act | None, as_socket: TokenReader | None = None
    ) -> Caller:
        """Return who makes this request, having made sure that they may do `act`.

        Args:
            act: None: whoever comes.
            as_socket: finds the token of a call that does what sockets do; None: it does not, and
                shows its token in the header.

        Raises:
            Unauthenticated, Forbidden, RateLimited, StoreUnavailable: they are turned away.
            Invalid: they say, of an open server, to be a player whose id is none.
        """
        address = self.addresses.of(request)
        if act is None:
            self._throttle(self._pages, counted_as(address), "player_rate")
            return Caller(None, None, address, act)
        if act is Act.METRICS and self.addresses.is_local(request):
            # A browser on this machine may have been led here under a name of somebody else's.
            check_host(request)
            return Caller(None, None, address, act)
        identity = await self.identify_by(as_socket or bearer_of, request)
        request[LABEL] = identity.label
        if act is Act.METRICS:
            if not (isinstance(identity, OwnIdentity) and identity.metrics):
                raise Forbidden("Metrics are for this machine, or for a token made for them.")
            return Caller(identity, None, address, act)
        campaign_id = request.match_info.get("id")
        viewer = None
        if campaign_id is not None:
            viewer = await self.authenticator.viewer(identity, campaign_id)
        self._throttle_caller(identity, viewer, address)
        if viewer is not None:
            require(viewer.role, act)
        return Caller(identity, viewer, address, act)

    async def confirm(self, caller: Caller, campaign_id: str | None) -> Caller:
        """Return a caller as they stand now: a body may have been long on its way.

        Raises:
            Unauthenticated, Forbidden: their token has run out, or their seat is another.
        """
        if caller.identity is None or caller.act is None or campaign_id is None:
            return caller
        self.authenticator.check(caller.identity)
        viewer = await self.authenticator.viewer(caller.identity, campaign_id)
        require(viewer.role, caller.act)
        return Caller(caller.identity, viewer, caller.address, caller.act)

    async def identify_by(self, read: TokenReader, request: web.Request) -> Identity:
        """Return who shows the token that `read` finds; on an open server, who they say they are.

        Raises:
            Invalid: what they say is nobody.
            Unauthenticated: there is none, or it is not valid.
            RateLimited: too many from this address were not.
        """
        address = self.addresses.of(request)
        if self._open:
            return OpenIdentity(_believed(request))
        try:
            token = read(request)
        except Unauthenticated:
            self.failed(address)
            raise
        if token is None:
            self._throttle(self._strangers, counted_as(address), "player_rate")
            raise Unauthenticated("This needs a token: Authorization: Bearer TOKEN.")
        return await self.identify(token, address)

    async def identify(self, token: str, address: str) -> Identity:
        """Return who shows this token.

        Raises:
            Unauthenticated: it is not valid.
            RateLimited: too many from this address were not.
        """
        try:
            return await self.authenticator.identify(token)
        except Unauthenticated:
            self.failed(address)
            raise

    def _throttle_caller(self, identity: Identity, viewer: Viewer | None, address: str) -> None:
        """Count a call under who makes it; who shares a link with many, by where they are too."""
        dm = viewer is not None and viewer.role == "dm"
        known = dm or (viewer is not None and viewer.player_id is not None)
        key = identity.key if known and not self._open else f"{identity.key} {counted_as(address)}"
        if dm:
            self._throttle(self._dms, key, "dm_rate")
        else:
            self._throttle(self._players, key, "player_rate")

    def failed(self, address: str) -> None:
        """Note a token or an invite that was not valid.

        Raises:
            RateLimited: too many from this address were not.
        """
        self._throttle(self._failures, counted_as(address), "failed_tokens")

    def _throttle(self, buckets: Buckets, key: str, setting: str) -> None:
        wait = buckets.take(key, self._clock.monotonic())
        if wait:
            refusal = Throttled("Too many requests: come back later.", wait)
            refusal.limit = setting
            raise refusal


def _believed(request: web.Request) -> Viewer:
    """Return who an open server believes to make a call: a DM, if not a player.

    Raises:
        Invalid: a player's id is none, or a role is another.
    """
    player_id = request.query.get("player_id")
    if player_id is not None:
        return Viewer("player", check_name(player_id, "player id"))
    role = request.query.get("role", "dm")
    if role not in ("dm", "player"):
        raise Invalid("role is player or dm.")
    return Viewer("player" if role == "player" else "dm")
