"""A real OpenID provider, `oidc-provider` on Node: its tokens, got over HTTP, are believed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import jwt
import pytest

from questlog.campaign.errors import StoreUnavailable, Unauthenticated
from server.access.provider import Provider
from server.clock import SystemClock
from tests.support.node import Node, find_node

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent / "oidc"
INSTALL_TIMEOUT = 240.0
READY_TIMEOUT = 30.0
CLIENT = ("orchestrator", "a secret of the test")
# What npm says where no registry can be reached; anything else it says is a failure.
OFFLINE = (
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTCACHED",
    "ENOTFOUND",
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
)


def install(node: Node) -> Path:
    """Return the folder in which the provider is installed; done once for each lock file."""
    lock = (HERE / "package-lock.json").read_bytes()
    store = ROOT / ".venv" / "oidc-provider"
    home = store / hashlib.sha256(lock).hexdigest()[:16]
    if home.exists():
        return home
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store, prefix="new-") as folder:
        made = Path(folder) / "made"
        made.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, made)
        call = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        try:
            done = subprocess.run(
                call, cwd=made, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm could not install oidc-provider in time")
        if done.returncode and any(code in done.stderr for code in OFFLINE):
            pytest.skip("npm reaches no registry to install oidc-provider from")
        assert done.returncode == 0, done.stderr
        try:
            # As a whole or not at all; another run may have been faster.
            made.rename(home)
        except OSError:
            assert home.exists()
    return home


@pytest.fixture(scope="module")
def node() -> Node:
    """Return Node, or skip where there is none."""
    return find_node()


@pytest.fixture(scope="module")
def home(node: Node) -> Path:
    """Return where the provider is installed, or skip where it cannot be."""
    return install(node)


@pytest.fixture
async def issuer(node: Node, home: Path, tmp_path: Path) -> AsyncIterator[str]:
    """Run the provider; yields its issuer."""
    with (tmp_path / "errors.txt").open("w+b") as errors:
        process = await asyncio.create_subprocess_exec(
            node.node,
            str(HERE / "provider.mjs"),
            str(home),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            # What is called node may be a script that starts it: all of it is to end.
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(READY_TIMEOUT):
                while not (line := await process.stdout.readline()).startswith(b"issuer "):
                    assert line, (tmp_path / "errors.txt").read_text("utf-8")
            yield line.decode().split()[1]
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def token_for(issuer: str, resource: str) -> str:
    """Get an access token for a resource (RFC 6749, 4.4; RFC 8707, section 2)."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{issuer}/.well-known/openid-configuration") as answer:
            endpoint = (await answer.json())["token_endpoint"]
        form = {"grant_type": "client_credentials", "resource": resource, "scope": "play"}
        headers = {"Authorization": aiohttp.encode_basic_auth(*CLIENT)}
        async with session.post(endpoint, data=form, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            token: str = (await answer.json())["access_token"]
            return token


async def refused(provider: Provider, token: str, why: str) -> None:
    """Check that a token is refused with these words."""
    with pytest.raises(Unauthenticated, match=why):
        await provider.verify(token)


@pytest.mark.timeout(300)
async def test_tokens_of_a_real_provider_are_believed(issuer: str) -> None:
    provider = Provider(issuer, "questlog", SystemClock())
    await provider.start()
    try:
        for algorithm in ("RS256", "ES256"):
            token = await token_for(issuer, f"urn:questlog:{algorithm}")
            header = jwt.get_unverified_header(token)
            assert (header["alg"], header["typ"]) == (algorithm, "at+jwt")
            identity = await provider.verify(token)
            assert (identity.issuer, identity.subject) == (issuer, "orchestrator")
            assert time.time() < identity.expires < time.time() + 24 * 3600
            assert identity.claims["scope"] == "play"
            await refused(provider, token[:-9] + "AAAAAAAAA", "signature or form")
            other = await token_for(issuer, f"urn:another:{algorithm}")
            await refused(provider, other, "another audience")
        assert provider.failure is None
    finally:
        await provider.close()


@pytest.mark.timeout(300)
async def test_the_provider_by_another_of_its_names_is_another_issuer(issuer: str) -> None:
    token = await token_for(issuer, "urn:questlog:RS256")
    provider = Provider(issuer.replace("127.0.0.1", "localhost"), "questlog", SystemClock())
    await provider.start()
    try:
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await provider.verify(token)
        assert provider.failure == "The provider's configuration names another issuer."
    finally:
        await provider.close()
