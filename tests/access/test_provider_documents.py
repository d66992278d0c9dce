"""Where a provider's keys may come from, and which of those it publishes are used."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from questlog.campaign.errors import StoreUnavailable
from server.access.keyset import MAX_BODY
from server.access.provider import Provider
from tests.access.issuer import (
    AUDIENCE,
    DISCOVERY,
    JWKS,
    SUBJECT,
    HandClock,
    Issuer,
    Signer,
    b64,
    issuing,
    number,
    refusal,
    verifying,
)

NO_KEY = "a key its issuer does not have"
NOT_SAFE = "The provider's jwks_uri is neither https nor on the loopback."
UNREACHABLE = "The provider cannot be reached."


@pytest.fixture(scope="module")
def good() -> Signer:
    """Make a key like those that providers have."""
    return Signer.rsa("good")


@pytest.fixture
async def issuer(good: Signer) -> AsyncIterator[Issuer]:
    """Run a provider with that key."""
    async with issuing() as issuer:
        issuer.keys = [good.jwk()]
        yield issuer


@pytest.fixture
async def provider(issuer: Issuer) -> AsyncIterator[Provider]:
    """Run our side of it."""
    async with verifying(issuer.url, HandClock()) as provider:
        yield provider


async def failure(provider: Provider, token: str) -> str | None:
    """Check that no token can be checked for want of keys; returns why there are none."""
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await provider.verify(token)
    return provider.failure


@pytest.mark.parametrize("path", [DISCOVERY, JWKS])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(
    provider: Provider, issuer: Issuer, good: Signer, path: str, status: int
) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere" + path})

    issuer.answers[path] = elsewhere
    why = await failure(provider, good.token(issuer.claims()))
    assert why == "The provider answered with another status than 200."
    assert issuer.fetches[path] == 1
    assert "/elsewhere" + path not in issuer.fetches


@pytest.mark.parametrize("path", [DISCOVERY, JWKS])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{" + b" " * MAX_BODY + b"}", "over the limit"),
        (b"<html>", "not the JSON"),
        (b"", "not the JSON"),
        (b"[]", "not the JSON"),
        (b"{}", "not the JSON"),
        (b'{"issuer": 1, "jwks_uri": 2, "keys": 3}', "not the JSON"),
        (b'{"keys": ["\xff"], "issuer": "\xff", "jwks_uri": ""}', "not the JSON"),
        (b'{"a":' + b"[" * 50_000, "not the JSON"),
    ],
    ids=lambda value: value[:20],
)
async def test_a_document_that_is_not_what_it_should_be_brings_no_keys(
    provider: Provider, issuer: Issuer, good: Signer, path: str, body: bytes, why: str
) -> None:
    async def odd(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(body)
        return response

    issuer.answers[path] = odd
    assert why in (await failure(provider, good.token(issuer.claims())) or "")
    assert issuer.fetches[path] == 1


async def test_an_answer_that_is_broken_off_brings_no_keys(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"keys": [')
        assert request.transport is not None
        request.transport.close()
        return response

    issuer.answers[JWKS] = broken
    assert await failure(provider, good.token(issuer.claims())) == UNREACHABLE


async def test_a_document_may_be_as_large_as_the_limit(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    async def padded(request: web.Request) -> web.StreamResponse:
        response = web.json_response({"keys": issuer.keys})
        assert isinstance(response.body, bytes)
        return web.Response(body=response.body.ljust(MAX_BODY))

    issuer.answers[JWKS] = padded
    assert (await provider.verify(good.token(issuer.claims()))).subject == SUBJECT


async def test_a_document_that_was_deflated_unasked_is_not_inflated(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    async def deflated(request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept-Encoding"] == "identity"
        response = web.json_response({"keys": issuer.keys})
        response.enable_compression(web.ContentCoding.gzip)
        return response

    issuer.answers[JWKS] = deflated
    why = await failure(provider, good.token(issuer.claims()))
    assert why == "The provider's document is not the JSON it should be."


@pytest.mark.parametrize("other", ["/", "x", ""])
async def test_the_configuration_of_another_issuer_brings_no_keys(
    provider: Provider, issuer: Issuer, good: Signer, other: str
) -> None:
    issuer.metadata["issuer"] = issuer.url + other if other else "https://elsewhere.example"
    why = await failure(provider, good.token(issuer.claims()))
    assert why == "The provider's configuration names another issuer."
    assert issuer.jwks_fetches == 0


@pytest.mark.parametrize("path", ["/", "/tenant", "/tenant/"])
async def test_an_issuer_may_end_in_a_slash_and_have_a_path(good: Signer, path: str) -> None:
    async with issuing(path) as issuer, verifying(issuer.url, HandClock()) as provider:
        issuer.keys = [good.jwk()]
        identity = await provider.verify(good.token(issuer.claims()))
        assert identity.issuer == issuer.url
        assert issuer.url.endswith(path)
        assert issuer.fetches[path.rstrip("/") + DISCOVERY] == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.example/keys",
        "http://127.0.0.1.elsewhere.example/keys",
        "http://localhost.elsewhere.example/keys",
        "http://127.0.0.1@elsewhere.example/keys",
        "https://somebody@elsewhere.example/keys",
        "http://10.0.0.1/keys",
        "http://0.0.0.0/keys",
        "http://[::]/keys",
        "ftp://127.0.0.1/keys",
        "ws://127.0.0.1/keys",
        "file:///etc/hosts",
        "https:///keys",
        "https://elsewhere.example:port/keys",
        "//127.0.0.1/keys",
        "/keys",
        "",
    ],
)
async def test_keys_come_over_tls_or_from_this_machine(
    provider: Provider, issuer: Issuer, good: Signer, address: str
) -> None:
    issuer.metadata["jwks_uri"] = address
    assert await failure(provider, good.token(issuer.claims())) == NOT_SAFE


async def test_an_address_that_leads_nowhere_brings_no_keys(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    issuer.metadata["jwks_uri"] = f"https://{'a' * 64}.example/keys"
    assert await failure(provider, good.token(issuer.claims())) == UNREACHABLE


async def test_a_name_of_this_machine_will_do_for_http(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    issuer.metadata["jwks_uri"] = issuer.url.replace("127.0.0.1", "LocalHost") + JWKS
    assert (await provider.verify(good.token(issuer.claims()))).subject == SUBJECT


@pytest.mark.parametrize(
    "issuer",
    [
        "http://elsewhere.example",
        "elsewhere.example",
        "ftp://127.0.0.1",
        "https://",
        "https://elsewhere.example/?tenant=1",
        "https://elsewhere.example/#tenant",
        "",
    ],
)
def test_an_issuer_that_could_not_be_believed_is_refused_at_once(issuer: str) -> None:
    with pytest.raises(ValueError, match="https address"):
        Provider(issuer, AUDIENCE, HandClock())
    assert Provider("https://elsewhere.example/", AUDIENCE, HandClock()).failure is None


def self_signed(folder: Path) -> ssl.SSLContext:
    """Make a certificate for 127.0.0.1 that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    path = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_that_nobody_vouches_for_brings_no_keys(
    provider: Provider, issuer: Issuer, good: Signer, tmp_path: Path
) -> None:
    async with issuing(tls=self_signed(tmp_path)) as secure:
        secure.keys = [good.jwk()]
        issuer.metadata["jwks_uri"] = secure.url + JWKS
        assert secure.url.startswith("https:")
        assert await failure(provider, good.token(issuer.claims())) == UNREACHABLE
        assert secure.fetches.total() == 0


ODD = (
    {"kid": None},
    {"kid": ""},
    {"kid": 7},
    {"use": "enc"},
    {"use": ["sig"]},
    {"alg": "RS512"},
    {"alg": "PS256"},
    {"alg": "HS256"},
    {"alg": "none"},
    {"key_ops": ["sign"]},
    {"kty": "oct", "k": b64(b"0" * 32)},
    {"kty": "OKP", "crv": "Ed25519", "x": b64(b"0" * 32)},
    {"kty": "rsa"},
    {"kty": None},
    {"n": None},
    {"n": 7},
    {"n": ""},
    {"n": "!"},
    {"n": number(2**8192 + 1)},
    {"n": "\ud83d\ude00"},
    {"e": b64(b"\2")},
    {"d": "AQAB"},
    {"kty": "EC", "crv": "P-256", "x": b64(b"0" * 32), "y": b64(b"0" * 32)},
)


@pytest.mark.parametrize("changes", ODD, ids=repr)
async def test_a_key_that_is_not_for_this_is_ignored_and_those_beside_it_are_used(
    provider: Provider, issuer: Issuer, good: Signer, changes: dict[str, Any]
) -> None:
    odd = Signer("odd", good.key)
    issuer.keys = [odd.jwk(**changes), good.jwk()]
    assert (await provider.verify(good.token(issuer.claims()))).subject == SUBJECT
    for alg in ("RS256", "ES256"):
        assert NO_KEY in await refusal(provider, odd.token(issuer.claims(), alg=alg))
    assert provider.failure is None


@pytest.mark.parametrize("odd", [7, None, "key", [], {}], ids=repr)
async def test_what_is_no_key_at_all_is_ignored(
    provider: Provider, issuer: Issuer, good: Signer, odd: Any
) -> None:
    issuer.keys = [odd, good.jwk()]
    assert (await provider.verify(good.token(issuer.claims()))).subject == SUBJECT


async def test_keys_that_are_weak_or_on_another_curve_are_ignored(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    weak = [Signer.rsa("short", 1024), Signer.rsa("nearly", 2047)]
    weak.append(Signer("curve", ec.generate_private_key(ec.SECP384R1())))
    issuer.keys = [*(signer.jwk() for signer in weak), good.jwk()]
    assert (await provider.verify(good.token(issuer.claims()))).subject == SUBJECT
    for signer in weak:
        assert NO_KEY in await refusal(provider, signer.token(issuer.claims()))


async def test_a_key_may_leave_out_what_it_is_for(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    issuer.keys = [good.jwk(use=None, alg=None, key_ops=["verify"], x5t="of no use to us")]
    assert (await provider.verify(good.token(issuer.claims()))).subject == SUBJECT


async def test_keys_of_two_types_may_share_a_kid(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    other = Signer.ec("good")
    issuer.keys = [good.jwk(), other.jwk()]
    for signer in (good, other):
        assert (await provider.verify(signer.token(issuer.claims()))).subject == SUBJECT


async def test_only_so_many_keys_are_looked_at(
    provider: Provider, issuer: Issuer, good: Signer
) -> None:
    many = [Signer(f"key {number}", good.key) for number in range(51)]
    issuer.keys = [signer.jwk() for signer in many]
    for signer in many[:-1]:
        assert (await provider.verify(signer.token(issuer.claims()))).subject == SUBJECT
    assert NO_KEY in await refusal(provider, many[-1].token(issuer.claims()))


@pytest.mark.parametrize("keys", [[], [{"kty": "oct", "kid": "good", "k": "AAAA"}]])
async def test_a_set_without_a_usable_key_leaves_nothing_to_check_with(
    provider: Provider, issuer: Issuer, good: Signer, keys: list[Any]
) -> None:
    issuer.keys = keys
    why = await failure(provider, good.token(issuer.claims()))
    assert why == "The provider has no key for RS256 or ES256."
