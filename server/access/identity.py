"""Who a caller is, as far as what it showed goes: not yet what it may do anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from questlog.campaign.visibility import Viewer

NO_SEATS: Mapping[str, Viewer] = MappingProxyType({})
FOREVER = float("inf")


class OpenIdentity(Struct, frozen=True):
    """Anybody on this machine, whom an open server believes what they say."""

    viewer: Viewer
    expires: float = FOREVER

    @property
    def label(self) -> str:
        """How logs name this caller."""
        return self.viewer.member

    @property
    def key(self) -> str:
        """What tells this caller from others, for counting."""
        return self.viewer.member


class OwnIdentity(Struct, frozen=True):
    """The holder of a token of the server's own.

    Attributes:
        key_id: the key it is signed with; rotated out, the token counts no more.
        expires: Unix seconds from which it counts no more.
        issued_ms: Unix milliseconds it was made.
        viewer: who the token says looks; None where it opens no campaign.
        metrics: whether it opens `GET /metrics` and `GET /api/live`.
    """

    key_id: str
    expires: float
    issued_ms: int
    campaign_id: str
    member: str
    viewer: Viewer | None
    metrics: bool = False

    @property
    def label(self) -> str:
        """How logs name this caller."""
        return f"{self.member} of {self.campaign_id}" if self.campaign_id else self.member

    @property
    def key(self) -> str:
        """What tells this caller from others, for counting."""
        return f"{self.campaign_id} {self.member}"


class UserIdentity(Struct, frozen=True):
    """A user of the OpenID provider.

    Attributes:
        expires: Unix seconds from which the token counts no more, the leeway included.
        seats: the seats the token itself claims, by campaign; the table beats them.
    """

    issuer: str
    subject: str
    expires: float
    seats: Mapping[str, Viewer] = NO_SEATS

    @property
    def label(self) -> str:
        """How logs name this caller: a subject is a person, and stays out of them."""
        return "(provider)"

    @property
    def key(self) -> str:
        """What tells this caller from others, for counting."""
        return f"{self.issuer} {self.subject}"


Identity = OpenIdentity | OwnIdentity | UserIdentity
