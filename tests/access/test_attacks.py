"""Tokens as an attacker would make them, over HTTP and sockets: each gets its code, and no more.

Own tokens are signed by this server's key, a provider's by its RSA or EC key; every row is a way to
pass for one without having the key, or with a key or a claim that does not count here.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from server.access.file import AccessFile
from server.access.records import Member, SigningKey
from server.config import Config
from tests.access.issuer import AUDIENCE, SUBJECT, Issuer, Signer, b64, compact, issuing
from tests.support.access import Guarded, guarded, mint_for, store_url
from tests.support.logs import Lines, lines_logger
from tests.support.peer import put

CANARY = "CANARY-OF-THE-DM"


class World(Struct):
    """What an attacker may have in hand: everything but the private keys."""

    table: Guarded
    issuer: Issuer
    rsa: Signer
    ec: Signer
    stranger: Signer
    key: SigningKey
    other_store: str
    good: str

    @property
    def now(self) -> float:
        return time.time()

    def own(self, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return a token signed with the real key, its claims and its header changed."""
        claims = {
            "iss": "questlog",
            "aud": self.table.access.audience,
            "sub": "dm",
            "campaign": "c",
            "role": "dm",
            "iat": self.now,
            "exp": self.now + 600,
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        members = {"alg": "HS256", "kid": self.key.key_id, "typ": "JWT"} | (header or {})
        members = {name: value for name, value in members.items() if value is not None}
        return compact(members, kept, lambda data: hs256(self.key.secret, data))

    def theirs(self, signer: Signer | None = None, **changes: Any) -> str:
        """Return a token of the provider's, its claims changed."""
        claims = self.issuer.claims(iat=self.now, exp=self.now + 600) | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        return (signer or self.rsa).token(kept)

    def forged(self, algorithm: str, secret: bytes, kid: str) -> str:
        """Return the provider's claims signed by HMAC with something that is public."""
        claims = self.issuer.claims(iat=self.now, exp=self.now + 600)
        header = {"alg": algorithm, "kid": kid, "typ": "JWT"}
        return compact(header, claims, lambda data: hs256(secret, data))

    def public(self, encoding: Encoding, form: PublicFormat) -> bytes:
        return self.rsa.key.public_key().public_bytes(encoding, form)


def hs256(secret: bytes, data: bytes) -> bytes:
    """Return the signature of HS256 (RFC 7518, 3.2)."""
    return hmac.digest(secret, data, "sha256")


def unsigned(token: str, algorithm: str) -> str:
    """Return the token's claims under a header that asks for no signature."""
    header = b64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    return f"{header}.{token.split('.')[1]}."


def resigned(token: str, **changes: Any) -> str:
    """Return a token whose claims were changed under the signature of the others."""
    header, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | changes
    return f"{header}.{b64(json.dumps(claims).encode())}.{signature}"


PEM, DER = Encoding.PEM, Encoding.DER
SPKI, PKCS1 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1
URL = "http://127.0.0.1:9/keys"

ATTACKS: dict[str, Callable[[World], str]] = {
    "alg none": lambda w: unsigned(w.good, "none"),
    "alg None": lambda w: unsigned(w.good, "None"),
    "alg NONE": lambda w: unsigned(w.good, "NONE"),
    "alg none with a signature": lambda w: w.own(header={"alg": "none"}),
    "alg missing": lambda w: w.own(header={"alg": None}),
    "alg empty": lambda w: w.own(header={"alg": ""}),
    "alg a list": lambda w: w.own(header={"alg": ["HS256", "none"]}),
    "alg HS512 with our kid": lambda w: w.own(header={"alg": "HS512"}),
    "alg HS384 with our kid": lambda w: w.own(header={"alg": "HS384"}),
    "alg RS256 with our kid": lambda w: w.own(header={"alg": "RS256"}),
    "HS256 with the RSA key as PEM": lambda w: w.forged("HS256", w.public(PEM, SPKI), "rsa"),
    "HS256 with the RSA key as PKCS1": lambda w: w.forged("HS256", w.public(PEM, PKCS1), "rsa"),
    "HS256 with the RSA key as DER": lambda w: w.forged("HS256", w.public(DER, SPKI), "rsa"),
    "HS256 with the RSA key as JWK": lambda w: w.forged(
        "HS256", json.dumps(w.rsa.jwk()).encode(), "rsa"
    ),
    "HS256 with an empty secret": lambda w: w.forged("HS256", b"", w.key.key_id),
    "HS256 with the kid as secret": lambda w: w.forged(
        "HS256", w.key.key_id.encode(), w.key.key_id
    ),
    "RS256 signed by EC": lambda w: w.ec.token(w.issuer.claims(exp=w.now + 600), alg="RS256"),
    "ES256 signed by RSA": lambda w: w.rsa.token(w.issuer.claims(exp=w.now + 600), alg="ES256"),
    "ES256 with a zero signature": lambda w: w.ec.token(
        w.issuer.claims(exp=w.now + 600), lambda data: bytes(64)
    ),
    "PS256": lambda w: w.rsa.token(w.issuer.claims(exp=w.now + 600), alg="PS256"),
    "kid a path": lambda w: w.own(header={"kid": "../../../../dev/null"}),
    "kid a file": lambda w: w.own(header={"kid": "/etc/passwd"}),
    "kid a URL": lambda w: w.own(header={"kid": URL}),
    "kid with SQL": lambda w: w.own(header={"kid": "x' UNION SELECT 'a'--"}),
    "kid empty": lambda w: w.own(header={"kid": ""}),
    "kid missing": lambda w: w.own(header={"kid": None}),
    "kid a number": lambda w: w.own(header={"kid": 7}),
    "kid an object": lambda w: w.own(header={"kid": {"a": 1}}),
    "kid with a zero byte": lambda w: w.own(header={"kid": f"{w.key.key_id}\0"}),
    "kid of the provider for our key": lambda w: w.own(header={"kid": "rsa"}),
    "provider kid a path": lambda w: w.rsa.token(w.issuer.claims(), kid="../keys"),
    "jku": lambda w: w.rsa.token(w.issuer.claims(exp=w.now + 600), jku=URL),
    "x5u": lambda w: w.rsa.token(w.issuer.claims(exp=w.now + 600), x5u=URL),
    "jwk of its own": lambda w: w.stranger.token(
        w.issuer.claims(exp=w.now + 600), kid="rsa", jwk=w.stranger.jwk()
    ),
    "crit": lambda w: w.own(header={"crit": ["exp"], "exp": 1}),
    "b64 false": lambda w: w.own(header={"b64": False, "crit": ["b64"]}),
    "cty JWT": lambda w: w.own(header={"cty": "JWT"}),
    "a key of another issuer": lambda w: w.theirs(w.stranger),
    "a key of another issuer under this kid": lambda w: w.stranger.token(
        w.issuer.claims(exp=w.now + 600), kid="rsa"
    ),
    "another issuer": lambda w: w.theirs(iss="https://id.example/"),
    "no issuer": lambda w: w.theirs(iss=None),
    "another audience": lambda w: w.theirs(aud="another"),
    "no audience": lambda w: w.theirs(aud=None),
    "no subject": lambda w: w.theirs(sub=None),
    "expired at the provider": lambda w: w.theirs(exp=w.now - 61),
    "no expiry at the provider": lambda w: w.theirs(exp=None),
    "not yet valid at the provider": lambda w: w.theirs(nbf=w.now + 120),
    "own, expired": lambda w: w.own(iat=w.now - 20, exp=w.now - 1),
    "own, no expiry": lambda w: w.own(exp=None),
    "own, expiry a text": lambda w: w.own(exp="tomorrow"),
    "own, not yet valid": lambda w: w.own(nbf=w.now + 120),
    "own, from the future": lambda w: w.own(iat=w.now + 120),
    "own, no iat": lambda w: w.own(iat=None),
    "own, another audience": lambda w: w.own(aud="questlog:0000"),
    "own, no audience": lambda w: w.own(aud=None),
    "own, another issuer": lambda w: w.own(iss="someone"),
    "own, of another store": lambda w: w.other_store,
    "own, role of none": lambda w: w.own(role="admin"),
    "own, role a list": lambda w: w.own(role=["dm"]),
    "own, a player called dm": lambda w: w.own(role="player", sub="dm"),
    "own, no campaign": lambda w: w.own(campaign=None),
    "own, campaign a path": lambda w: w.own(campaign="../c"),
    "claims changed": lambda w: resigned(w.good, role="dm", sub="dm"),
    "signature cut off": lambda w: w.good.rpartition(".")[0] + ".",
    "signature missing": lambda w: w.good.rpartition(".")[0],
    "signature cut short": lambda w: w.good[:-6],
    "truncated in the claims": lambda w: w.good[:60],
    "four parts": lambda w: w.good + ".AAAA",
    "five parts, as if encrypted": lambda w: ".".join(["eyJhbGciOiJkaXIifQ", "", "a", "b", "c"]),
    "claims a list": lambda w: compact(
        {"alg": "HS256", "kid": w.key.key_id, "typ": "JWT"},
        b"[1]",
        lambda data: hs256(w.key.secret, data),
    ),
    "claims no JSON": lambda w: compact(
        {"alg": "HS256", "kid": w.key.key_id, "typ": "JWT"},
        b"\xff\xfe",
        lambda data: hs256(w.key.secret, data),
    ),
    "header no JSON": lambda w: f"{b64(b'nonsense')}.{b64(b'{}')}.{b64(b'x')}",
    "header nested deep": lambda w: f"{b64(b'[' * 5000)}.{b64(b'{}')}.{b64(b'x')}",
    "not base64": lambda w: "a%b.c!d.e*f",
    "dots": lambda w: "...",
    "a word": lambda w: "password",
    "9,000 characters": lambda w: w.own(note="x" * 9_000),
}


@asynccontextmanager
async def attacked(folder: Path, log: Any) -> AsyncIterator[World]:
    """Serve a campaign with a secret to a provider's users and to our own."""
    rsa, ec, stranger = Signer.rsa("rsa"), Signer.ec("ec"), Signer.rsa("stranger")
    async with issuing() as issuer:
        issuer.keys = [rsa.jwk(), ec.jwk()]
        config = Config(
            oidc_issuer=issuer.url, oidc_audience=AUDIENCE, failed_tokens=1_000_000, auth_timeout=30
        )
        async with guarded(folder, config=config, log=log) as table:
            await table.access.add_member(
                Member(
                    campaign_id="c", member="mira", role="dm", issuer=issuer.url, subject=SUBJECT
                )
            )
            async with table.calling("dm") as dm:
                await dm.create("c", {"dm": {"plan": CANARY}})
            (folder / "other").mkdir()
            other = await AccessFile.open(store_url(folder / "other" / "q.db"))
            foreign = await mint_for(other, "c", "dm")
            await other.close()
            key = (await table.access.keys())[0]
            good = await table.token("player", "mira")
            yield World(table, issuer, rsa, ec, stranger, key, foreign, good)


def test_the_table_is_long_enough() -> None:
    assert len(ATTACKS) >= 40


async def test_every_attack_gets_its_code_over_http_and_over_each_way_into_a_socket(
    tmp_path: Path,
) -> None:
    lines = Lines()
    async with attacked(tmp_path, lines_logger(lines)) as world:
        tokens = {name: make(world) for name, make in ATTACKS.items()}
        for name, token in tokens.items():
            async with world.table.calling(token=token) as call:
                status, problem = await call("GET", "/api/campaigns/c/state")
                assert (status, problem["code"]) == (401, "unauthenticated"), name
                assert token not in str(problem), name
        for name, token in tokens.items():
            await refused_on_a_socket(world, name, token)
        whole = lines.text()
        for name, token in tokens.items():
            assert CANARY not in whole
            assert len(token) < 12 or token not in whole, name
        # Whoever has a key is still let in, after all of that.
        for good in (world.good, world.own(), world.theirs(), world.theirs(world.ec)):
            async with world.table.calling(token=good) as call:
                assert (await call("GET", "/api/campaigns/c/state"))[0] == 200
        assert world.issuer.jwks_fetches <= 2


async def refused_on_a_socket(world: World, name: str, token: str) -> None:
    """Show a token in the first message and in the query; each is answered 4401."""
    async with world.table.calling() as call:
        async with call.socket(campaign_id="c") as peer:
            await peer.say(type="authenticate", token=token)
            error = await peer.next()
            assert (error["type"], error["code"]) == ("error", "unauthenticated"), name
            assert await peer.closed() == 4401, name
        async with call.socket(campaign_id="c", token=token) as peer:
            assert (await peer.next())["code"] == "unauthenticated", name
            assert await peer.closed() == 4401, name


async def test_a_megabyte_of_token_is_refused_and_slows_nobody(tmp_path: Path) -> None:
    lines = Lines()
    async with attacked(tmp_path, lines_logger(lines)) as world:
        huge = "CANARY-HUGE." + "A" * 1_000_000 + "." + "B" * 100
        async with world.table.calling("dm") as dm, world.table.calling() as stranger:
            async with dm.socket("dm", campaign_id="c") as witness:
                await witness.next()
                roles = ("player", "dm") * 4
                attacks = asyncio.gather(*[megabyte(stranger, huge, role) for role in roles])
                for number in range(20):
                    await dm.commit("c", put("/n", number))
                    assert (await witness.until("campaign_updated"))["version"] == number + 2
                await attacks
            async with world.table.calling(token=huge) as call:
                status, problem = await call("GET", "/api/campaigns/c/state")
                # aiohttp reads no header of that length; nothing of it comes back.
                assert (status, problem["code"]) == (400, "invalid")
                assert "AAAA" not in str(problem)
        assert "CANARY-HUGE" not in lines.text()


async def megabyte(call: Any, token: str, role: str) -> None:
    async with call.socket(role, campaign_id="c") as peer:
        await peer.say(type="authenticate", token=token)
        assert (await peer.next())["code"] == "too_large"
        assert await peer.closed() == 4413
