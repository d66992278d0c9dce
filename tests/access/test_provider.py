"""Which tokens of a provider are believed: every rule, and every way round it that is known."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.access.provider import MAX_TOKEN, Provider, ProviderIdentity
from tests.access.issuer import (
    AUDIENCE,
    SUBJECT,
    HandClock,
    Issuer,
    Signer,
    b64,
    compact,
    issuing,
    refusal,
    verifying,
)

NOW = 4_000_000_000
FORM = "signature or form"
CLAIM = "lacks a claim"
DATE = "no number of seconds"


@pytest.fixture(scope="module")
def rsa() -> Signer:
    """Make the provider's RSA key."""
    return Signer.rsa("rsa-key")


@pytest.fixture(scope="module")
def ec() -> Signer:
    """Make the provider's key on P-256."""
    return Signer.ec("ec-key")


@pytest.fixture
def clock() -> HandClock:
    """Make the clock of a test."""
    return HandClock()


@pytest.fixture
async def issuer(rsa: Signer, ec: Signer) -> AsyncIterator[Issuer]:
    """Run a provider with both keys."""
    async with issuing() as issuer:
        issuer.keys = [rsa.jwk(), ec.jwk()]
        yield issuer


@pytest.fixture
async def provider(issuer: Issuer, clock: HandClock) -> AsyncIterator[Provider]:
    """Run our side of it."""
    async with verifying(issuer.url, clock) as provider:
        yield provider


@pytest.mark.parametrize("key", ["rsa", "ec"])
async def test_a_token_says_whose_it_is(
    provider: Provider, issuer: Issuer, key: str, request: pytest.FixtureRequest
) -> None:
    signer: Signer = request.getfixturevalue(key)
    claims = issuer.claims(scope="play", azp="a-page")
    identity = await provider.verify(signer.token(claims))
    assert identity == ProviderIdentity(issuer.url, SUBJECT, 4_000_000_600.0, claims)
    assert isinstance(identity.expires, float)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"aud": ["another", AUDIENCE]},
        {"iat": None},
        {"nbf": NOW},
        {"exp": NOW + 0.5},
        {"exp": NOW - 59},
        {"nbf": NOW + 59},
        {"iat": NOW + 59},
        {"sub": "m"},
        {"sub": "m" * 255},
    ],
    ids=repr,
)
async def test_claims_that_hold_are_believed(
    provider: Provider, issuer: Issuer, rsa: Signer, changes: dict[str, Any]
) -> None:
    claims = issuer.claims(**changes)
    assert (await provider.verify(rsa.token(claims))).claims == claims


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": None}, CLAIM),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": "4000000600"}, DATE),
        ({"exp": True}, DATE),
        ({"exp": float("nan")}, DATE),
        ({"exp": float("inf")}, DATE),
        ({"exp": 10**400}, DATE),
        ({"exp": [NOW]}, DATE),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nbf": str(NOW)}, DATE),
        ({"iat": NOW + 61}, "not valid yet"),
        ({"iat": {}}, DATE),
        ({"aud": None}, CLAIM),
        ({"aud": ""}, CLAIM),
        ({"aud": []}, CLAIM),
        ({"aud": "another"}, "another audience"),
        ({"aud": AUDIENCE.upper()}, "another audience"),
        ({"aud": ["another", AUDIENCE + "2"]}, "another audience"),
        ({"aud": [AUDIENCE, 7]}, "another audience"),
        ({"aud": {AUDIENCE: 1}}, "another audience"),
        ({"iss": None}, CLAIM),
        ({"iss": "https://elsewhere.example"}, "another issuer"),
        ({"iss": 7}, "another issuer"),
        ({"sub": None}, CLAIM),
        ({"sub": ""}, "subject"),
        ({"sub": "m" * 256}, "subject"),
        ({"sub": 7}, FORM),
        ({"sub": "mira\n"}, "subject"),
        ({"sub": "mira\udc80"}, "subject"),
    ],
    ids=repr,
)
async def test_claims_that_do_not_hold_are_refused(
    provider: Provider, issuer: Issuer, rsa: Signer, changes: dict[str, Any], sentence: str
) -> None:
    assert sentence in await refusal(provider, rsa.token(issuer.claims(**changes)))


async def test_an_issuer_but_for_its_slash_is_another(
    provider: Provider, issuer: Issuer, rsa: Signer
) -> None:
    token = rsa.token(issuer.claims(iss=issuer.url + "/"))
    assert "another issuer" in await refusal(provider, token)


async def test_a_token_ends_by_our_clock_and_the_leeway_asked_for(
    issuer: Issuer, clock: HandClock, rsa: Signer
) -> None:
    token = rsa.token(issuer.claims())
    async with verifying(issuer.url, clock, leeway=5.0) as provider:
        clock.seconds = 4_000_000_604.9
        await provider.verify(token)
        clock.seconds = 4_000_000_605.0
        assert "expired" in await refusal(provider, token)


@pytest.mark.parametrize(
    "payload", [b"[]", b"no json", b"[" * 3000, b'"' + SUBJECT.encode() + b'"']
)
async def test_a_signed_payload_that_is_no_object_is_refused(
    provider: Provider, rsa: Signer, payload: bytes
) -> None:
    assert FORM in await refusal(provider, rsa.token(payload))


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "AT+JWT", None])
async def test_a_header_may_name_these_types(
    provider: Provider, issuer: Issuer, rsa: Signer, kind: str | None
) -> None:
    assert (await provider.verify(rsa.token(issuer.claims(), typ=kind))).subject == SUBJECT


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"jku": "https://elsewhere.example/keys"}, "not allowed"),
        ({"x5u": "https://elsewhere.example/cert"}, "not allowed"),
        ({"jwk": {"kty": "oct", "k": "AAAA"}}, "not allowed"),
        ({"crit": ["exp"], "exp": 1}, "not a signed JWT"),
        ({"crit": [SUBJECT], SUBJECT: 1}, "not a signed JWT"),
        ({"crit": ["b64"], "b64": True}, "not allowed"),
        ({"b64": True}, "not allowed"),
        ({"typ": "JOSE"}, "type"),
        ({"typ": "dpop+jwt"}, "type"),
        ({"typ": ["JWT"]}, "type"),
        ({"kid": None}, "names no key"),
        ({"kid": ""}, "names no key"),
        ({"kid": 7}, "not a signed JWT"),
        ({"alg": None}, "names no key"),
        ({"alg": ["RS256"]}, "names no key"),
        ({"alg": "rs256"}, "names no key"),
        ({"alg": "none"}, "names no key"),
        ({"alg": "NONE"}, "names no key"),
        ({"alg": "ES256"}, "a key its issuer does not have"),
    ],
    ids=repr,
)
async def test_a_header_that_is_not_allowed_is_refused_however_well_signed(
    provider: Provider, issuer: Issuer, rsa: Signer, header: dict[str, Any], sentence: str
) -> None:
    assert sentence in await refusal(provider, rsa.token(issuer.claims(), **header))


async def test_a_key_of_the_tokens_own_is_not_used(provider: Provider, issuer: Issuer) -> None:
    thief = Signer.ec("ec-key")
    token = thief.token(issuer.claims())
    assert FORM in await refusal(provider, token), "signed under a known kid by another key"
    token = thief.token(issuer.claims(), jwk=thief.jwk())
    assert "not allowed" in await refusal(provider, token)


async def test_a_token_without_signature_is_refused(provider: Provider, issuer: Issuer) -> None:
    claims = issuer.claims()
    for alg in ("none", "RS256"):
        token = compact({"alg": alg, "kid": "rsa-key"}, claims, lambda _: b"")
        assert token.endswith(".")
        assert "not a signed JWT" in await refusal(provider, token)


def secrets_of(signer: Signer) -> list[bytes]:
    """Return the bytes a public key is known by, which a confused verifier takes for a secret."""
    public = signer.key.public_key()
    encodings = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        json.dumps(signer.jwk()).encode(),
        json.dumps(signer.jwk(), separators=(",", ":")).encode(),
    ]
    if isinstance(signer.key, RSAPrivateKey):
        encodings.append(signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1))
    return encodings


def keyed(secret: bytes) -> Callable[[bytes], bytes]:
    """Return the signature of HS256 under a secret."""
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


@pytest.mark.parametrize("key", ["rsa", "ec"])
async def test_a_public_key_is_nobodys_secret(
    provider: Provider, issuer: Issuer, key: str, request: pytest.FixtureRequest
) -> None:
    signer: Signer = request.getfixturevalue(key)
    claims = issuer.claims()
    for secret in secrets_of(signer):
        token = signer.token(claims, keyed(secret), alg="HS256")
        assert "names no key" in await refusal(provider, token)
        assert FORM in await refusal(provider, signer.token(claims, keyed(secret)))


async def test_a_key_serves_its_own_algorithm_only(
    provider: Provider, issuer: Issuer, rsa: Signer, ec: Signer
) -> None:
    claims = issuer.claims()
    key = rsa.key
    assert isinstance(key, RSAPrivateKey)
    pss = padding.PSS(padding.MGF1(SHA256()), 32)

    def in_pss(data: bytes) -> bytes:
        return key.sign(data, pss, SHA256())

    def in_512(data: bytes) -> bytes:
        return key.sign(data, padding.PKCS1v15(), SHA512())

    assert "names no key" in await refusal(provider, rsa.token(claims, in_pss, alg="PS256"))
    assert "names no key" in await refusal(provider, rsa.token(claims, in_512, alg="RS512"))
    assert FORM in await refusal(provider, rsa.token(claims, in_pss))
    for kid, alg in (("ec-key", "RS256"), ("rsa-key", "ES256")):
        for signer in (rsa, ec):
            token = signer.token(claims, kid=kid, alg=alg)
            assert "a key its issuer does not have" in await refusal(provider, token)


async def test_a_token_that_is_cut_short_or_changed_is_refused(
    provider: Provider, issuer: Issuer, ec: Signer
) -> None:
    token = ec.token(issuer.claims())
    assert (await provider.verify(token)).subject == SUBJECT
    for end in range(len(token)):
        await refusal(provider, token[:end])
    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        await refusal(provider, token[:at] + other + token[at + 1 :])
    for more in (" ", "\n", "=", "==", ".", "A", f".{token}"):
        await refusal(provider, token + more)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "Bearer",
        "\udce4\udcb8\udcad",
        "中.文.字",
        "\0" * 100,
        b64(b"[" * 6000) + ".e30.AAAA",
        b64(b'{"alg":"RS256"' + b',"kid":"x"' * 500 + b"}") + "..",
        b64(b'{"alg":"RS256","kid":"rsa-key","alg":"none"}') + ".e30.",
        b64(b"\xff\xfe") + ".e30.AAAA",
        b64(b'"RS256"') + ".e30.AAAA",
    ],
    ids=lambda text: ascii(text[:24]),
)
async def test_what_is_no_token_is_refused(provider: Provider, text: str) -> None:
    await refusal(provider, text)


async def test_a_token_of_any_length_is_answered_and_a_long_one_is_refused(
    provider: Provider, issuer: Issuer, rsa: Signer
) -> None:
    longest = issuer.claims(note="")
    longest["note"] = "x" * ((MAX_TOKEN - len(rsa.token(longest))) * 3 // 4 - 3)
    assert MAX_TOKEN - 8 <= len(rsa.token(longest)) <= MAX_TOKEN
    assert (await provider.verify(rsa.token(longest))).claims == longest
    for token in (
        rsa.token(longest | {"more": "x" * 20}),
        rsa.token(issuer.claims(x="x" * 1_000_000)),
    ):
        assert len(token) > MAX_TOKEN
        assert "too long" in await refusal(provider, token)
    for text in ("x" * 1_000_000, "." * 1_000_000, "é" * 1_000_000):
        assert "too long" in await refusal(provider, text)
