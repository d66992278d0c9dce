"""The keys an OpenID provider publishes: fetched when they are needed, and never often.

Whatever a stranger sends, at most one fetch is under way and one begins in half a minute. Keys that
are known go on being used while the provider is away.
"""

from __future__ import annotations

import asyncio
import math
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

MAX_BODY = 256 * 1024  # bytes of a document of the provider's
MAX_KEYS = 50
# Below, a key can be broken; above, checking a signature takes long.
RSA_BITS = range(2048, 8192 + 1)
FRESH = 3600.0  # seconds for which keys are used without asking again
STALE = 24 * 3600.0  # seconds for which they are used while asking fails
# Seconds from one fetch to the next, at the least. It does not grow: a stranger with made-up keys
# could otherwise put off the day on which a new key of the provider's is found.
PAUSE = 30.0

T = TypeVar("T")
# A key's `kid` and the algorithm it is for: keys of two types may share a `kid` (RFC 7517, 4.5).
Name = tuple[str, str]


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
                self._fetch_soon()
            return key
        fetching = self._fetch_soon()
        if fetching is not None:
            # Not awaited itself: a caller that goes away must not take the others' fetch along.
            await asyncio.wait([fetching])
        key = self._keys.get(name)
        if key is not None:
            return key
        if not self._keys:
            raise StoreUnavailable("The identity provider cannot be reached.")
        raise Unauthenticated("The token is signed with a key its issuer does not have.")

    def _fetch_soon(self) -> asyncio.Task[None] | None:
        """Return the fetch under way, or a new one, or None where it is too early for one."""
        assert self._session is not None, "start() comes first"
        if self._fetching is not None:
            return self._fetching
        now = self._clock.monotonic()
        if now < self._not_before or self._session.closed:
            return None
        # Set before the fetch, so that however it ends the next one waits.
        self._not_before = now + PAUSE
        self._fetching = asyncio.create_task(self._fetch(self._session), name="provider keys")
        return self._fetching

    async def _fetch(self, session: aiohttp.ClientSession) -> None:
        try:
            self._keys = await self._published(session)
        except UnusableError as error:
            self.failure = str(error)
        else:
            self.failure = None if self._keys else "The provider has no key for RS256 or ES256."
            self._fetched = self._clock.monotonic()
        finally:
            self._fetching = None

    async def _published(self, session: aiohttp.ClientSession) -> Mapping[Name, jwt.PyJWK]:
        """Fetch and return the provider's usable keys (OpenID Connect Discovery 1.0, section 4)."""
        where = self._issuer.removesuffix("/") + "/.well-known/openid-configuration"
        found = _read(await _get(session, where), Discovery)
        if found.issuer != self._issuer:
            raise UnusableError("The provider's configuration names another issuer.")
        if not is_safe(found.jwks_uri):
            raise UnusableError("The provider's jwks_uri is neither https nor on the loopback.")
        return _usable(_read(await _get(session, found.jwks_uri), KeyDocument).keys)


def is_safe(address: str) -> bool:
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
