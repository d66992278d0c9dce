"""Tokens of the server's own: JSON Web Tokens (RFC 7519) signed with a key only the server has.

A token names a campaign, a role and, for a player, the player; `iss` is always `questlog` and `aud`
the store's own audience, so that a token for one store opens no other. What a token says of its
holder is beaten by the membership table: see `server.access.authenticator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt

from questlog.campaign.errors import Invalid, Rejection, Unauthenticated
from questlog.campaign.events import Role
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer
from server.access.identity import OwnIdentity
from server.access.provider import COMPACT, MAX_TOKEN
from server.access.records import ROLES, SigningKey, member_of, viewer_at

ISSUER = "questlog"
ALGORITHM = "HS256"
LEEWAY = 60
REQUIRED = ("iss", "aud", "sub", "iat", "exp")


def mint(
    key: SigningKey,
    audience: str,
    *,
    campaign_id: str,
    role: Role,
    player_id: str | None,
    now_ms: int,
    lasts: float,
) -> str:
    """Return a token for a seat at a campaign.

    Args:
        player_id: the seat's player; for a DM or spectator, who they are in the log.
        lasts: seconds it is valid.

    Raises:
        Invalid: the campaign's or the player's id is none.
    """
    claims = {
        "sub": member_of(role, player_id),
        "campaign": check_name(campaign_id, "campaign id"),
        "role": role,
    }
    return _sign(key, audience, claims, now_ms, lasts)


def mint_for_metrics(key: SigningKey, audience: str, *, now_ms: int, lasts: float) -> str:
    """Return a token that opens `GET /metrics` and `GET /api/live`, and nothing else."""
    return _sign(key, audience, {"sub": "metrics", "metrics": True}, now_ms, lasts)


def read_own(token: str, keys: Sequence[SigningKey], audience: str) -> OwnIdentity:
    """Return who a token of the server's own says its holder is.

    Raises:
        Unauthenticated: it is none, or is not valid now. Never says a word of what it holds.
    """
    header = header_of(token)
    if set(header) != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM:
        raise Unauthenticated("The token is not one of this server's.")
    # A kid is looked up in a table, and no more.
    key = {key.key_id: key for key in keys}.get(str(header["kid"]))
    if key is None:
        raise Unauthenticated("The token is signed with a key this server does not know.")
    try:
        claims = jwt.decode(
            token,
            key.secret,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": list(REQUIRED), "verify_exp": False},
        )
        return _identity(claims, key.key_id)
    except (jwt.PyJWTError, Rejection, ValueError, TypeError, KeyError, OverflowError) as error:
        raise Unauthenticated("The token is not valid.") from error


def header_of(token: str) -> dict[str, Any]:
    """Return a token's header, which nobody vouches for.

    Raises:
        Unauthenticated: it is too long, or no token at all.
    """
    if len(token) > MAX_TOKEN or COMPACT.fullmatch(token) is None:
        raise Unauthenticated("This is no token.")
    try:
        return dict(jwt.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Unauthenticated("This is no token.") from error


def _sign(key: SigningKey, audience: str, claims: dict[str, Any], now_ms: int, lasts: float) -> str:
    now = now_ms / 1000
    stamped = {"iss": ISSUER, "aud": audience, "iat": now, "exp": now + lasts, **claims}
    return jwt.encode(stamped, key.secret, algorithm=ALGORITHM, headers={"kid": key.key_id})


def _identity(claims: dict[str, Any], key_id: str) -> OwnIdentity:
    """Return the identity in verified claims; whatever is odd about them raises."""
    issued_ms, expires = round(float(claims["iat"]) * 1000), float(claims["exp"])
    if claims.get("metrics") is True:
        return OwnIdentity(key_id, expires, issued_ms, "", "", None, metrics=True)
    role, member = claims["role"], str(claims["sub"])
    if role not in ROLES:
        raise Invalid
    viewer = viewer_at(role, member)
    # A seat named after a role is that role's own: no player is called dm.
    if viewer.player_id is None and member != role:
        raise Invalid
    check_name(member, "member")
    campaign_id = check_name(str(claims["campaign"]), "campaign id")
    return OwnIdentity(
        key_id, expires, issued_ms, campaign_id, member, Viewer(role, viewer.player_id)
    )
