"""Tokens of an OpenID provider: whose a token is, proved by the keys the provider publishes.

The token is the only thing a stranger sends, and nothing in it says where keys come from. Its `kid`
is looked up among the provider's keys and is nothing else; its `alg` must be the key's.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import aiohttp
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import UNSET, Struct
from yarl import URL

from questlog.campaign.errors import StoreUnavailable, Unauthenticated
from server.clock import Clock
from server.guards import is_loopback

ALGORITHMS = ("RS256", "ES256")
# Each of these would let the token choose its own key, or change what it means to be signed.
FORBIDDEN_HEADERS = ("jku", "x5u", "jwk", "crit", "b64")
TYPES = ("jwt", "at+jwt")
REQUIRED = ("exp", "aud", "iss", "sub")
MAX_TOKEN = 8192  # characters
# The compact form (RFC 7515, 7.1): three parts in base64url, none empty, none padded.
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
MAX_SUBJECT = 255  # characters: OpenID Connect Core 1.0, section 2
MAX_BODY = 256 * 1024  # bytes of a document of the provider's
MAX_KEYS = 50
# Below, a key can be broken; above, checking a signature takes long.
RSA_BITS = range(2048, 8192 + 1)
FRESH = 3600.0  # seconds for which keys are used without asking again
STALE = 24 * 3600.0  # seconds for which they are used while asking fails
FIRST_PAUSE = 30.0  # seconds from one fetch to the next, at the least
LAST_PAUSE = 600.0  # and at the most, after fetches that brought nothing

T = TypeVar("T")
# A key's `kid` and the algorithm it is for: keys of two types may share a `kid` (RFC 7517, 4.5).
Name = tuple[str, str]


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


class Discovery(Struct, frozen=True):
    """What we need of a provider's metadata (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    jwks_uri: str


class KeyDocument(Struct, frozen=True):
    """A JWK Set (RFC 7517, section 5); its keys are looked at one by one, as some may be odd."""

    keys: list[Any]


class RsaKey(Struct, frozen=True, tag_field="kty", tag="RSA"):
    """A public RSA key for signatures (RFC 7518, 6.3.1)."""

    kid: str
    n: str
    e: str
    use: Literal["sig"] = "sig"
    alg: Literal["RS256"] = "RS256"
    key_ops: tuple[str, ...] = ("verify",)
    d: Any = UNSET

    def public(self) -> dict[str, str]:
        """Return the members that make the public key."""
        return {"kty": "RSA", "n": self.n, "e": self.e}


class EcKey(Struct, frozen=True, tag_field="kty", tag="EC"):
    """A public key on the curve P-256 for signatures (RFC 7518, 6.2.1)."""

    kid: str
    crv: Literal["P-256"]
    x: str
    y: str
    use: Literal["sig"] = "sig"
    alg: Literal["ES256"] = "ES256"
    key_ops: tuple[str, ...] = ("verify",)
    d: Any = UNSET

    def public(self) -> dict[str, str]:
        """Return the members that make the public key."""
        return {"kty": "EC", "crv": self.crv, "x": self.x, "y": self.y}


class UnusableError(Exception):
    """A fetch brought no keys; the text says why, in a sentence that quotes nothing fetched."""


class KeySet:
    """The keys a provider publishes: fetched when needed, and never often.

    Attributes:
        failure: why the last fetch brought nothing, for the operator; None where it did not fail.
    """

    def __init__(self, issuer: str, clock: Clock, timeout: float) -> None:
        self.failure: str | None = None
        self._issuer = issuer
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._keys: Mapping[Name, jwt.PyJWK] = {}
        self._fetched = -math.inf
        self._not_before = -math.inf
        self._pause = FIRST_PAUSE
        self._fetching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the HTTP session; nothing is fetched yet."""
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            # What was deflated could be larger than what was counted.
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Break off a fetch under way and close the session."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        if self._session is not None:
            await self._session.close()

    async def find(self, kid: str, algorithm: str) -> jwt.PyJWK:
        """Return a key; one not known is asked for, where the last fetch is long enough ago.

        Raises:
            Unauthenticated: the provider has no such key.
            StoreUnavailable: no key of the provider's is known.
        """
        name = (kid, algorithm)
        age = self._clock.monotonic() - self._fetched
        if age > STALE:
            self._keys = {}
        key = self._keys.get(name)
        if key is not None:
            if age >= FRESH:
                self._fetch_for(name)
            return key
        fetching = self._fetch_for(name)
        if fetching is not None:
            # Not awaited itself: a caller that goes away must not take the others' fetch along.
            await asyncio.wait([fetching])
        key = self._keys.get(name)
        if key is not None:
            return key
        if not self._keys:
            raise StoreUnavailable("The identity provider cannot be reached.")
        raise Unauthenticated("The token is signed with a key its issuer does not have.")

    def _fetch_for(self, name: Name) -> asyncio.Task[None] | None:
        """Return the fetch under way, or a new one, or None where it is too early for one."""
        assert self._session is not None, "start() comes first"
        if self._fetching is not None:
            return self._fetching
        now = self._clock.monotonic()
        if now < self._not_before or self._session.closed:
            return None
        # Set before the fetch, so that however it ends the next one waits.
        self._not_before = now + self._pause
        self._pause = min(2 * self._pause, LAST_PAUSE)
        self._fetching = asyncio.create_task(self._fetch(self._session, name), name="provider keys")
        return self._fetching

    async def _fetch(self, session: aiohttp.ClientSession, name: Name) -> None:
        try:
            self._keys = await self._published(session)
        except UnusableError as error:
            self.failure = str(error)
        else:
            self.failure = None if self._keys else "The provider has no key for RS256 or ES256."
            self._fetched = self._clock.monotonic()
            if name in self._keys:
                self._pause = FIRST_PAUSE
                self._not_before = self._fetched + FIRST_PAUSE
        finally:
            self._fetching = None

    async def _published(self, session: aiohttp.ClientSession) -> Mapping[Name, jwt.PyJWK]:
        """Fetch and return the provider's usable keys (OpenID Connect Discovery 1.0, section 4)."""
        where = self._issuer.removesuffix("/") + "/.well-known/openid-configuration"
        found = _read(await _get(session, where), Discovery)
        if found.issuer != self._issuer:
            raise UnusableError("The provider's configuration names another issuer.")
        if not _is_safe(found.jwks_uri):
            raise UnusableError("The provider's jwks_uri is neither https nor on the loopback.")
        return _usable(_read(await _get(session, found.jwks_uri), KeyDocument).keys)


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
        if not _is_safe(issuer) or "?" in issuer or "#" in issuer:
            raise ValueError("An issuer is an https address without a query, or http on loopback.")
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


def _is_safe(address: str) -> bool:
    """Return whether what comes from an address can be believed: https, or this machine's."""
    try:
        url = URL(address)
    except ValueError:
        return False
    if url.host is None or url.raw_user is not None or url.raw_password is not None:
        return False
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))


async def _get(session: aiohttp.ClientSession, address: str) -> bytes:
    """Return the body found at an address, at most MAX_BODY bytes."""
    body = bytearray()
    try:
        async with session.get(address, allow_redirects=False) as answer:
            if answer.status != 200:
                raise UnusableError("The provider answered with another status than 200.")
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise UnusableError("The provider's document is over the limit.")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UnusableError("The provider cannot be reached.") from error
    return bytes(body)


def _read(body: bytes, kind: type[T]) -> T:
    """Decode a document of the provider's."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UnusableError("The provider's document is not the JSON it should be.") from error


def _usable(published: list[Any]) -> dict[Name, jwt.PyJWK]:
    """Return those of the first MAX_KEYS keys that are good for verifying; the rest is ignored."""
    keys: dict[Name, jwt.PyJWK] = {}
    for published_key in published[:MAX_KEYS]:
        try:
            form = msgspec.convert(published_key, RsaKey | EcKey)
            key = jwt.PyJWK(form.public(), form.alg)
        except (msgspec.ValidationError, jwt.PyJWTError):
            continue
        # Whoever publishes a private key has lost it.
        if form.d is not UNSET or "verify" not in form.key_ops:
            continue
        if isinstance(key.key, RSAPublicKey) and key.key.key_size not in RSA_BITS:
            continue
        keys[form.kid, form.alg] = key
    return keys
