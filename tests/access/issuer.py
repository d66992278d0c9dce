"""An OpenID provider of the tests' own: it publishes keys over real HTTP and signs tokens.

async with issuing() as issuer: ...
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from questlog.campaign.errors import Unauthenticated
from server.access.provider import Provider

AUDIENCE = "questlog"
SUBJECT = "auth0|mira"
DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def b64(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    """Return a whole number as a JWK has it."""
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def compact(
    header: dict[str, Any], payload: dict[str, Any] | bytes, sign: Callable[[bytes], bytes]
) -> str:
    """Return a token of these parts, whatever they are (RFC 7515, 7.1)."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{b64(json.dumps(header).encode())}.{b64(body)}"
    return f"{signed}.{b64(sign(signed.encode()))}"


class Signer:
    """A key pair under a `kid`: an RSA key for RS256 or an EC key for ES256."""

    def __init__(self, kid: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self.kid = kid
        self.key = key
        self.algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"

    @classmethod
    def rsa(cls, kid: str, bits: int = 2048) -> Signer:
        """Make an RSA key."""
        return cls(kid, rsa.generate_private_key(65537, bits))

    @classmethod
    def ec(cls, kid: str) -> Signer:
        """Make a key on P-256."""
        return cls(kid, ec.generate_private_key(ec.SECP256R1()))

    def sign(self, data: bytes) -> bytes:
        """Return the signature as a JWS has it (RFC 7518, 3.3 and 3.4)."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), SHA256())
        size = (self.key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Return the public key as a provider publishes it; a change to None leaves one out."""
        members: dict[str, Any] = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        if isinstance(self.key, rsa.RSAPrivateKey):
            public = self.key.public_key().public_numbers()
            members |= {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
        else:
            point = self.key.public_key().public_numbers()
            size = (self.key.curve.key_size + 7) // 8
            members |= {"kty": "EC", "crv": {32: "P-256", 48: "P-384"}[size]}
            members |= {"x": b64(point.x.to_bytes(size)), "y": b64(point.y.to_bytes(size))}
        return {name: value for name, value in (members | changes).items() if value is not None}

    def token(
        self,
        claims: dict[str, Any] | bytes,
        sign: Callable[[bytes], bytes] | None = None,
        **more: Any,
    ) -> str:
        """Return a token of these claims; `more` adds to its header, a None leaves one out."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | more
        kept = {name: value for name, value in header.items() if value is not None}
        return compact(kept, claims, sign or self.sign)


class HandClock:
    """A clock that stands still until a test moves it; its date is not the machine's."""

    def __init__(self) -> None:
        self.seconds = 4_000_000_000.0
        self.uptime = 7.0

    def now_ms(self) -> int:
        """Return the Unix time in milliseconds."""
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return self.uptime

    def pass_by(self, seconds: float) -> None:
        """Let time pass, on the timer alone: tokens do not end by it."""
        self.uptime += seconds


class Issuer:
    """What the provider publishes and how it behaves.

    Attributes:
        url: the issuer's address; its discovery document stands below.
        keys: the JWKs it publishes.
        metadata: its discovery document, but for what `answers` says.
        answers: for a path, an answer in place of the document.
        fetches: how often each path was asked for.
        asked: set once a path was asked for.
        gate: nothing is answered while it is clear.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[Any] = []
        self.metadata: dict[str, Any] = {"issuer": url, "jwks_uri": url.rstrip("/") + JWKS}
        self.answers: dict[str, Answer] = {}
        self.fetches: Counter[str] = Counter()
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.fetches[request.path] += 1
        self.asked.set()
        await self.gate.wait()
        if answer := self.answers.get(request.path):
            return await answer(request)
        if request.path.endswith(DISCOVERY):
            return web.json_response(self.metadata)
        if request.path.endswith(JWKS):
            return web.json_response({"keys": self.keys})
        raise web.HTTPNotFound

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a token in force on the hand clock; None leaves one out."""
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "exp": 4_000_000_600,
            "iat": 4_000_000_000,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    @property
    def jwks_fetches(self) -> int:
        """How often the keys were asked for."""
        return sum(count for path, count in self.fetches.items() if path.endswith(JWKS))


@asynccontextmanager
async def issuing(
    path: str = "", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Issuer]:
    """Run a provider on the loopback; its issuer is `http://127.0.0.1:PORT` and `path`."""
    listener = socket.create_server(("127.0.0.1", port))
    scheme = "https" if tls else "http"
    issuer = Issuer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}{path}")
    app = web.Application()
    app.router.add_get("/{path:.*}", issuer.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=tls).start()
        yield issuer
    finally:
        issuer.gate.set()
        await runner.cleanup()
        listener.close()


@asynccontextmanager
async def verifying(url: str, clock: HandClock, **options: Any) -> AsyncIterator[Provider]:
    """Run our side: what verifies the tokens of the provider at `url`."""
    provider = Provider(url, AUDIENCE, clock, **options)
    try:
        await provider.start()
        yield provider
    finally:
        await provider.close()


async def refusal(provider: Provider, token: str) -> str:
    """Return the sentence a token is refused with; neither it nor a traceback quotes the token."""
    with pytest.raises(Unauthenticated) as caught:
        await provider.verify(token)
    told = "".join(traceback.format_exception(caught.value)) + caught.value.message
    words = [SUBJECT, *(word for word in token.split(".") if len(word) > 8)]
    assert not [word for word in words if word in told]
    return caught.value.message
