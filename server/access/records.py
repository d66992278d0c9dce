"""What the access file holds, as values."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from questlog.campaign.errors import Invalid
from questlog.campaign.events import Role
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer

ROLES: tuple[Role, ...] = ("dm", "player", "spectator")


class SigningKey(Struct, frozen=True):
    """A key of the server's own: 32 bytes, and the id its tokens name it by."""

    key_id: str
    secret: bytes
    created_at: str


class Member(Struct, frozen=True, kw_only=True):
    """Somebody's seat at a campaign.

    Attributes:
        member: the opaque id the log names them by; for a player, its player id.
        role: None: removed.
        name: what people call them; in no log.
        issuer, subject: whom an OpenID provider calls so; None for the server's own tokens.
        valid_from: Unix milliseconds; tokens issued before are not honoured.
    """

    campaign_id: str
    member: str
    role: Role | None
    name: str | None = None
    issuer: str | None = None
    subject: str | None = None
    valid_from: int = 0
    changed_at: str = ""

    def viewer(self) -> Viewer | None:
        """Return who looks from this seat, None where it was removed."""
        return None if self.role is None else viewer_at(self.role, self.member)


class Invite(Struct, frozen=True, kw_only=True):
    """A link that seats whoever holds its secret, which is kept nowhere.

    Attributes:
        max_uses: how many may join by it; None: any number.
        uses: how many have.
        expires_at: Unix milliseconds.
        lasts: seconds the token of who joins is valid.
    """

    invite_id: str
    campaign_id: str
    member: str
    role: Role
    max_uses: int | None
    uses: int
    expires_at: int
    lasts: int
    revoked: bool
    created_at: str

    def open_at(self, now_ms: int) -> bool:
        """Return whether somebody new may still join by it."""
        spent = self.max_uses is not None and self.uses >= self.max_uses
        return not (self.revoked or spent or now_ms >= self.expires_at)


def member_of(role: Role, player_id: str | None) -> str:
    """Return the id of a seat: the player's, else the role.

    Raises:
        Invalid: the id is none, or is the name of a role, which is another's seat.
    """
    if player_id is None:
        return role
    check_name(player_id, "player id")
    if player_id in ROLES:
        raise Invalid(f"{player_id} is the name of a role, and cannot be a player's id.")
    return player_id


def viewer_at(role: Role, member: str) -> Viewer:
    """Return who looks from the seat of this id."""
    return Viewer(role, None if member in ROLES else member)


def member_from(row: tuple[Any, ...]) -> Member:
    """Return the member in a row of `member`, its columns in the order of the schema."""
    campaign_id, member, role, name, issuer, subject, valid_from, changed_at = row
    return Member(
        campaign_id=campaign_id,
        member=member,
        role=role,
        name=name,
        issuer=issuer,
        subject=subject,
        valid_from=valid_from,
        changed_at=changed_at,
    )
