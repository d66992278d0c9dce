"""`questlog serve --tls-cert --tls-key`: https and wss of the server's own, and nothing older."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from questlog.client import CampaignClient
from questlog.sync.closing import ClosedError
from server.guards import STRICT_TRANSPORT
from tests.support.access import store_url, token
from tests.support.certificates import Certificate, certify
from tests.support.peer import Caller, put
from tests.support.server import READY_TIMEOUT, bearer, command

PATIENCE = 10.0


class Secured:
    """`questlog serve` with a certificate, as a process.

    Attributes:
        url: where it listens.
        said: what it has said on standard error; known once it has ended.
    """

    def __init__(self, url: str, process: asyncio.subprocess.Process) -> None:
        self.url = url
        self.said = ""
        self._process = process

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    async def stop(self) -> int:
        """Ask it to stop, and return its status."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        _, errors = await self._process.communicate()
        self.said += errors.decode()
        return await self._process.wait()


@asynccontextmanager
async def secured(store: Path, *options: str) -> AsyncIterator[Secured]:
    """Serve the store at `store` with these options."""
    arguments = ("--store", store_url(store), "--port", "0", *options)
    process = await command("serve", *arguments)
    assert process.stdout is not None
    served = Secured("", process)
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT)
        served.url = line.decode().split()[-1] if line else ""
        yield served
    finally:
        await served.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certify(tmp_path_factory.mktemp("certificate"))


def files(certificate: Certificate) -> tuple[str, ...]:
    """Return the options that name a certificate's files."""
    return ("--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key))


async def greet(port: int, context: ssl.SSLContext | None, greeting: bytes = b"") -> bytes:
    """Connect, say something, and return what comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(greeting)
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def at_most(version: ssl.TLSVersion, certificate: Certificate) -> ssl.SSLContext:
    """Return a client that speaks no newer TLS than this."""
    context = certificate.context()
    # By itself OpenSSL offers nothing older than 1.2, and the server would have nothing to refuse.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


async def test_calls_and_sockets_are_served_over_tls(
    tmp_path: Path, certificate: Certificate
) -> None:
    store = tmp_path / "q.db"
    async with secured(store, *files(certificate)) as served:
        assert served.url == f"https://127.0.0.1:{served.port}"
        connector = aiohttp.TCPConnector(ssl=certificate.context())
        headers = bearer(await token(store, "c", "dm"))
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            dm = Caller(session, served.url)
            await dm.create("c", {"hp": 7})
            async with dm.socket("dm", campaign_id="c", options={"compress": 15}) as peer:
                assert (await peer.next())["structured_data"] == {"hp": 7}
                page = "A page of the story. " * 1000
                answer = await peer.ask(type="commit", id="1", patch=[put("/page", page)])
                assert answer["type"] == "committed"
                # aiohttp tells the code only to whom it finds reading.
                code, status = await asyncio.gather(peer.closed(), served.stop())
                assert (code, status) == (1012, 0)
    assert "Traceback" not in served.said


async def test_browsers_are_told_to_come_back_over_tls_alone(
    tmp_path: Path, certificate: Certificate
) -> None:
    async with secured(tmp_path / "q.db", "--open", *files(certificate)) as served:
        connector = aiohttp.TCPConnector(ssl=certificate.context())
        async with aiohttp.ClientSession(connector=connector) as session:
            for path in ("/healthz", "/play", "/nowhere"):
                async with session.get(served.url + path) as answer:
                    assert answer.headers["Strict-Transport-Security"] == STRICT_TRANSPORT
            for scheme, status in (("https", 200), ("http", 403)):
                own = {"Origin": f"{scheme}://127.0.0.1:{served.port}"}
                async with session.get(f"{served.url}/api/campaigns", headers=own) as answer:
                    assert answer.status == status


async def test_a_certificate_and_its_key_may_stand_in_one_file(
    tmp_path: Path, certificate: Certificate
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.key.read_bytes() + certificate.chain.read_bytes())
    async with secured(tmp_path / "q.db", "--open", "--tls-cert", str(both)) as served:
        connector = aiohttp.TCPConnector(ssl=certificate.context())
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"{served.url}/healthz") as answer,
        ):
            assert answer.status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
async def test_the_sdk_gives_up_on_a_certificate_it_does_not_trust(
    tmp_path: Path, certificate: Certificate
) -> None:
    store = tmp_path / "q.db"
    async with (
        secured(store, *files(certificate)) as served,
        CampaignClient(served.url, "c") as client,
    ):
        with pytest.raises(ClosedError, match="certificate"):
            await asyncio.wait_for(client.live(), PATIENCE)


async def test_tls_older_than_1_2_is_refused(tmp_path: Path, certificate: Certificate) -> None:
    async with secured(tmp_path / "q.db", "--open", *files(certificate)) as served:
        request = f"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            said = await greet(served.port, at_most(version, certificate), request)
            assert said.startswith(b"HTTP/1.0 200 ")
        # The same client, one version older: only the version can be what is not liked.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await greet(served.port, at_most(ssl.TLSVersion.TLSv1_1, certificate), request)
    assert "Traceback" not in served.said


async def test_who_does_not_speak_tls_is_hung_up_on_in_silence(
    tmp_path: Path, certificate: Certificate
) -> None:
    async with secured(tmp_path / "q.db", "--open", *files(certificate)) as served:
        host = f"Host: 127.0.0.1:{served.port}"
        said = await greet(served.port, None, f"GET / HTTP/1.1\r\n{host}\r\n\r\n".encode())
        assert not said.startswith(b"HTTP/")
        with suppress(ConnectionError):
            await greet(served.port, None, bytes(range(256)) * 16)
        # One that comes and goes, and one that knows nothing of the authority.
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await greet(served.port, ssl.create_default_context())
        context = certificate.context()
        assert (await greet(served.port, context, b"\x00\r\n\r\n")).startswith(b"HTTP/1.0 400 ")
        assert await served.stop() == 0
    assert "Traceback" not in served.said
    assert "GET /" not in served.said
