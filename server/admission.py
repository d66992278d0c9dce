"""Who is let in: the one door that every HTTP call and every socket comes through.

Deny by default: every call names an act, an act that nobody may do is done by nobody, and a caller
without a seat at a campaign is told no more than that, be there such a campaign or not.
"""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from questlog.campaign.authority import Act, require
from questlog.campaign.errors import Forbidden, Unauthenticated
from questlog.campaign.visibility import Viewer
from server.access.authenticator import Authenticator
from server.access.identity import Identity, OpenIdentity, OwnIdentity
from server.addresses import Addresses, counted_as
from server.audit import LABEL
from server.clock import Clock
from server.config import Config
from server.limits import BURST_SECONDS, Buckets, Throttled

BEARER = "bearer"
OPEN_DM = OpenIdentity(Viewer("dm"))
MINUTE = 60


class Caller(Struct, frozen=True):
    """Who makes a call, and who looks when they do.

    Attributes:
        viewer: at the campaign in the path; None where the path names none.
        address: where they call from.
    """

    identity: Identity | None
    viewer: Viewer | None
    address: str

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
        self._players = Buckets(config.player_rate, config.player_rate * BURST_SECONDS)
        self._dms = Buckets(config.dm_rate, config.dm_rate * BURST_SECONDS)
        self._failures = Buckets(config.failed_tokens / MINUTE, config.failed_tokens)

    async def admit(self, request: web.Request, act: Act | None) -> Caller:
        """Return who makes this request, having made sure that they may do `act`.

        Args:
            act: None: whoever comes.

        Raises:
            Unauthenticated, Forbidden, RateLimited, StoreUnavailable: they are turned away.
        """
        address = self.addresses.of(request)
        if act is None:
            self._throttle(self._players, counted_as(address), "player_rate")
            return Caller(None, None, address)
        if act is Act.METRICS and self.addresses.is_local(request):
            return Caller(None, None, address)
        identity = await self.identify(bearer_of(request), address)
        request[LABEL] = identity.label
        if act is Act.METRICS:
            if not (isinstance(identity, OwnIdentity) and identity.metrics):
                raise Forbidden("Metrics are for this machine, or for a token made for them.")
            return Caller(identity, None, address)
        campaign_id = request.match_info.get("id")
        # A link may be shared by many, who are then told apart by where they are.
        key = f"{identity.key} {address}"
        if campaign_id is None:
            self._throttle(self._players, key, "player_rate")
            return Caller(identity, None, address)
        viewer = await self.authenticator.viewer(identity, campaign_id)
        if viewer.role == "dm":
            self._throttle(self._dms, f"{campaign_id} {key}", "dm_rate")
        else:
            self._throttle(self._players, key, "player_rate")
        require(viewer.role, act)
        return Caller(identity, viewer, address)

    async def identify(self, token: str | None, address: str) -> Identity:
        """Return who shows this token.

        Raises:
            Unauthenticated: there is none, or it is not valid.
            RateLimited: too many from this address were not.
        """
        if self._open:
            return OPEN_DM
        if token is None:
            self._throttle(self._players, counted_as(address), "player_rate")
            raise Unauthenticated("This needs a token: Authorization: Bearer TOKEN.")
        try:
            return await self.authenticator.identify(token)
        except Unauthenticated:
            self.failed(address)
            raise

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
