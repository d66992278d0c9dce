"""Tokens of an OpenID provider: whose a token is, proved by the keys the provider publishes.

The token is the only thing a stranger sends, and nothing in it says where keys come from. Its `kid`
is looked up among the provider's keys and is nothing else; its `alg` must be the key's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import jwt
from msgspec import Struct

from questlog.campaign.errors import Unauthenticated
from server.access.keyset import KeySet, Name, is_safe
from server.clock import Clock

ALGORITHMS = ("RS256", "ES256")
# Each of these would let the token choose its own key, or change what it means to be signed.
FORBIDDEN_HEADERS = ("jku", "x5u", "jwk", "crit", "b64")
TYPES = ("jwt", "at+jwt")
REQUIRED = ("exp", "aud", "iss", "sub")
MAX_TOKEN = 8192  # characters
# The compact form (RFC 7515, 7.1): three parts in base64url, none empty, none padded.
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
MAX_SUBJECT = 255  # characters: OpenID Connect Core 1.0, section 2


class ProviderIdentity(Struct, frozen=True):
    """Whom a provider vouches for.

    Attributes:
        issuer: the provider, as configured.
        subject: who it is, in the provider's own terms: printable, 1 to 255 characters.
        expires: when the token ends, in Unix seconds; the leeway is not in it.
        claims: every claim of the token, verified, as the provider wrote it.
    """

    issuer: str
    subject: str
    expires: float
    claims: dict[str, Any]


def check_issuer(issuer: str) -> None:
    """Refuse what can be no provider's address.

    Raises:
        ValueError: it is neither https nor http on the loopback, or has a query.
    """
    if not is_safe(issuer) or "?" in issuer or "#" in issuer:
        raise ValueError("An issuer is an https address without a query, or http on loopback.")


class Provider:
    """Verifies the tokens that one OpenID provider issues for one audience.

    Args:
        issuer: the provider's address, as it stands in its tokens: https, or http on the loopback.
        audience: what a token's `aud` must name.
        leeway: seconds by which the provider's clock may differ from ours.
        timeout: seconds one request to the provider may take.

    Raises:
        ValueError: the issuer is no such address.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        clock: Clock,
        *,
        leeway: float = 60.0,
        timeout: float = 5.0,
    ) -> None:
        check_issuer(issuer)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._leeway = leeway
        self._keys = KeySet(issuer, clock, timeout)

    @property
    def failure(self) -> str | None:
        """Why the last fetch of keys brought none, for the operator; None where it did not fail."""
        return self._keys.failure

    async def start(self) -> None:
        """Open the HTTP session; the keys are fetched with the first token."""
        await self._keys.start()

    async def close(self) -> None:
        """Break off a fetch under way and close the session."""
        await self._keys.close()

    async def verify(self, token: str) -> ProviderIdentity:
        """Return whom a token is of (RFC 7519, 7.2; RFC 8725; RFC 9068, section 4).

        `exp`, `aud`, `iss` and `sub` must be there; `nbf` and `iat` are heeded where they are.

        Raises:
            Unauthenticated: the token does not hold; nothing of it is quoted.
            StoreUnavailable: no key of the provider's is known, so no token can be checked.
        """
        kid, algorithm = _header(token)
        key = await self._keys.find(kid, algorithm)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                # PyJWT knows only the machine's clock; `_expiry` asks ours.
                options={
                    "require": list(REQUIRED),
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, RecursionError) as error:
            raise Unauthenticated(_sentence(error)) from None
        subject = claims["sub"]
        if not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
            raise Unauthenticated("The token's subject is empty, too long or not printable.")
        return ProviderIdentity(self._issuer, subject, self._expiry(claims), claims)

    def _expiry(self, claims: Mapping[str, Any]) -> float:
        """Return `exp`; raises Unauthenticated where the token is not in force now."""
        now = self._clock.now_ms() / 1000
        expires = _date(claims["exp"])
        if expires <= now - self._leeway:
            raise Unauthenticated("The token has expired.")
        for claim in ("nbf", "iat"):
            if claim in claims and _date(claims[claim]) > now + self._leeway:
                raise Unauthenticated("The token is not valid yet.")
        return expires


def _header(token: str) -> Name:
    """Return a token's `kid` and `alg`; raises Unauthenticated where its header is not allowed."""
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("The token is too long.")
    if COMPACT.fullmatch(token) is None:
        raise Unauthenticated("The token is not a signed JWT.")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Unauthenticated("The token is not a signed JWT.") from None
    if any(name in header for name in FORBIDDEN_HEADERS):
        raise Unauthenticated("The token's header has a member that is not allowed.")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise Unauthenticated("The token's header names a type that is not allowed.")
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(kid, str) or not kid or algorithm not in ALGORITHMS:
        raise Unauthenticated("The token's header names no key, or not RS256 or ES256.")
    return kid, algorithm


def _sentence(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return "The token lacks a claim: exp, aud, iss and sub are needed."
    if isinstance(error, jwt.InvalidAudienceError):
        return "The token is for another audience."
    if isinstance(error, jwt.InvalidIssuerError):
        return "The token is of another issuer."
    return "The token's signature or form is not valid."


def _date(value: Any) -> float:
    """Return a NumericDate (RFC 7519, section 2) in Unix seconds."""
    try:
        seconds = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise Unauthenticated("The token has a date that is no number of seconds.")
    return seconds
