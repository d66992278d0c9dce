"""The configurations in deploy/, run by the real nginx and the real Caddy before a real server.

What is changed in them for this machine (ports, files, where they listen) is listed in `NGINX` and
`CADDY`, word for word: a test fails where the shipped file no longer has such a word.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct

from questlog.campaign.events import Role
from questlog.client import CampaignClient
from questlog.sync.backoff import Backoff
from server.config import Config
from server.guards import STRICT_TRANSPORT
from tests.support.access import store_url, token
from tests.support.certificates import NAME, Certificate, certify
from tests.support.peer import Caller, put
from tests.support.server import READY_TIMEOUT, ROOT, bearer, command

# The proxy is at 127.0.0.1, and is believed; macOS has no other address.
VISITOR, FORGED = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1", "203.0.113.66"


class Site(Struct, frozen=True):
    """What a configuration is adapted to: files, and the ports of the proxy and the server."""

    folder: Path
    certificate: Certificate
    http: int
    https: int
    server: int


class Proxy(Struct, frozen=True, kw_only=True):
    """A proxy that Questlog has a configuration for.

    Attributes:
        shipped: its file in deploy/.
        changes: what in that file is replaced by what.
        around: makes of the changed file what the program is given, where that is more.
        arguments: the program's, before the file.
        ready: what the program says once it listens.
    """

    program: str
    shipped: str
    changes: Callable[[Site], dict[str, str]]
    around: Callable[[Site, Path], str] | None = None
    arguments: tuple[str, ...]
    ready: str


def nginx_changes(site: Site) -> dict[str, str]:
    """Return what is changed in deploy/nginx.conf."""
    live, logs = f"/etc/letsencrypt/live/{NAME}", "/var/log/nginx"
    return {
        "listen 80;": f"listen 127.0.0.1:{site.http};",
        "listen [::]:80;": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{site.https} ssl;",
        "listen [::]:443 ssl;": "",
        f"{live}/fullchain.pem": str(site.certificate.chain),
        f"{live}/privkey.pem": str(site.certificate.key),
        f"{logs}/questlog.access.log": str(site.folder / "access.log"),
        f"{logs}/questlog.error.log": str(site.folder / "error.log"),
        "proxy_pass http://127.0.0.1:8765;": f"proxy_pass http://127.0.0.1:{site.server};",
    }


def nginx_around(site: Site, file: Path) -> str:
    """Return a main configuration that includes `file`, as /etc/nginx/nginx.conf does."""
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{name}_temp_path {site.folder}/{name};" for name in temporary)
    # One process, so that none has to give up the rights to these files.
    return f"""
        daemon off; master_process off; pid {site.folder}/nginx.pid; error_log stderr notice;
        events {{ }}
        http {{ {paths} access_log {site.folder}/other.log; include {file}; }}
    """


def caddy_changes(site: Site) -> dict[str, str]:
    """Return what is changed in deploy/Caddyfile."""
    files = f"{site.certificate.chain} {site.certificate.key}"
    ports = f"http_port {site.http}\n\thttps_port {site.https}"
    return {
        "\tlog default {": f"\tadmin off\n\t{ports}\n\tlog default {{",
        "\t# tls internal": f"\tbind 127.0.0.1\n\ttls {files}",
        "reverse_proxy 127.0.0.1:8765": f"reverse_proxy 127.0.0.1:{site.server}",
    }


NGINX = Proxy(
    program="nginx",
    shipped="nginx.conf",
    changes=nginx_changes,
    around=nginx_around,
    arguments=("-e", "stderr", "-c"),
    ready="using the",
)
CADDY = Proxy(
    program="caddy",
    shipped="Caddyfile",
    changes=caddy_changes,
    arguments=("run", "--adapter", "caddyfile", "--config"),
    ready="serving initial configuration",
)


def adapted(proxy: Proxy, site: Site) -> Path:
    """Write the shipped configuration, changed for this site, and return the file to start with."""
    text = (ROOT / "deploy" / proxy.shipped).read_text("utf-8")
    for old, new in proxy.changes(site).items():
        assert old in text, f"deploy/{proxy.shipped} no longer has: {old}"
        text = text.replace(old, new)
    file = site.folder / proxy.shipped
    file.write_text(text, "utf-8")
    if proxy.around is None:
        return file
    main = site.folder / "main.conf"
    main.write_text(proxy.around(site, file), "utf-8")
    return main


class Process:
    """A program whose standard error is kept as it comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said = ""
        self.process = process
        self._more = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def says(self, text: str) -> None:
        """Wait until it has said `text`."""
        async with asyncio.timeout(READY_TIMEOUT):
            while text not in self.said:
                assert not self._reading.done(), self.said
                self._more.clear()
                await self._more.wait()

    async def stop(self) -> int:
        """Ask it to end, and return its status."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        await self._reading
        return await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.said += line.decode(errors="replace")
            self._more.set()
        self._more.set()


async def start(folder: Path, *arguments: str) -> Process:
    """Start a program that keeps what it keeps in `folder`."""
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    return Process(
        await asyncio.create_subprocess_exec(
            *arguments, env={**os.environ, **homes}, stdout=nothing, stderr=pipe
        )
    )


class Here(AbstractResolver):
    """Finds every name on this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return 127.0.0.1."""
        found: Any = {"hostname": host, "host": "127.0.0.1", "port": port}
        return [found | {"family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Hold nothing."""


class Evening:
    """A server behind a proxy.

    Attributes:
        url: the proxy's.
        proxy: its process.
        server: the server's process; None while it is stopped.
    """

    def __init__(self, site: Site, proxy: Process) -> None:
        self.url = f"https://{NAME}:{site.https}"
        self.site = site
        self.proxy = proxy
        self.server: Process | None = None
        self.store = site.folder / "store" / "questlog.db"

    async def open(self) -> None:
        """Start the server."""
        where = ("--store", store_url(self.store), "--port", str(self.site.server))
        how = ("--trusted-proxy", "127.0.0.1", "--log-format", "json")
        process = await command("serve", *where, *how)
        assert process.stdout is not None
        self.server = Process(process)
        line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT)
        assert line, self.server.said

    async def close(self) -> str:
        """Stop the server (SIGTERM), and return what it has logged."""
        server, self.server = self.server, None
        if server is None:
            return ""
        assert await server.stop() == 0, server.said
        return server.said

    async def token(self, role: Role, player_id: str | None = None) -> str:
        """Return a token for campaign `c`."""
        return await token(self.store, "c", role, player_id)

    @asynccontextmanager
    async def visiting(self, token: str | None = None) -> AsyncIterator[Caller]:
        """Give a visitor from another address than the proxy's."""
        connector = aiohttp.TCPConnector(
            ssl=self.site.certificate.context(), resolver=Here(), local_addr=(VISITOR, 0)
        )
        async with aiohttp.ClientSession(connector=connector, headers=bearer(token)) as session:
            yield Caller(session, self.url)

    async def logs(self) -> str:
        """Stop the proxy, and return everything it has logged."""
        await self.proxy.stop()
        files = self.site.folder.glob("*.log")
        return self.proxy.said + "".join(file.read_text("utf-8") for file in files)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports


@pytest.fixture(params=[NGINX, CADDY], ids=lambda proxy: proxy.program)
async def evening(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Evening]:
    proxy: Proxy = request.param
    program = shutil.which(proxy.program)
    if program is None:
        pytest.skip(f"{proxy.program} is not on PATH")
    (tmp_path / "store").mkdir()
    site = Site(tmp_path, certify(tmp_path), *free_ports(3))
    running = await start(tmp_path, program, *proxy.arguments, str(adapted(proxy, site)))
    found = Evening(site, running)
    try:
        await asyncio.gather(running.says(proxy.ready), found.open())
        yield found
    finally:
        await found.close()
        await running.stop()


def refusals(logged: str) -> list[tuple[str, str]]:
    """Return the address and the code of every refusal in a server's log."""
    lines = map(json.loads, logged.splitlines())
    return [(line["remote"], line["code"]) for line in lines if line["event"] == "refused"]


async def test_calls_and_pages_come_through(evening: Evening) -> None:
    book = json.dumps({"book": "x" * 10_000_000}).encode()
    jacket: dict[str, Any] = {"headers": {"Content-Type": "application/json"}}
    async with evening.visiting(await evening.token("dm")) as dm:
        await dm.create("c", {"hp": 7})
        path = "/api/campaigns/c/state"
        status, answer = await dm("PUT", path, data=io.BytesIO(book), **jacket)
        assert (status, answer["version"]) == (200, 2)
        async with dm.session.get(evening.url + path) as whole:
            assert len(await whole.read()) > len(book)
            held = {"If-None-Match": whole.headers["ETag"]}
        async with dm.session.get(evening.url + path, headers=held) as same:
            assert same.status == 304
        too_much = io.BytesIO(bytes(Config().max_body + 1))
        status, answer = await dm("PUT", path, data=too_much, **jacket)
        assert (status, answer["code"]) == (413, "too_large")
        long = {"Idempotency-Key": "i" * 60, "X-Padding": "x" * 12_000}
        status, answer = await dm("PUT", path, json={"hp": 6}, headers=long)
        assert (status, answer["version"]) == (200, 3)
    async with evening.visiting() as stranger:
        status, answer = await stranger("PUT", path, data=io.BytesIO(book), **jacket)
        assert (status, answer["code"]) == (401, "unauthenticated")
        for page in ("/play", "/readyz", "/api/openapi.json"):
            async with stranger.session.get(evening.url + page) as shown:
                assert shown.status == 200
                assert shown.headers["Strict-Transport-Security"] == STRICT_TRANSPORT
                # Compressed is what was so when it was built: its tag says so.
                assert shown.headers.get("Content-Encoding", "") in shown.headers.get("ETag", "")
        plain = f"http://{NAME}:{evening.site.http}/play?campaign_id=c"
        async with stranger.session.post(plain, allow_redirects=False) as led:
            assert led.status == 308
            assert led.headers["Location"] == f"https://{NAME}/play?campaign_id=c"


async def test_a_visitor_is_known_by_the_address_the_proxy_sees(evening: Evening) -> None:
    forged = {"X-Forwarded-For": FORGED, "X-Forwarded-Proto": "http", "X-Real-IP": FORGED}
    async with evening.visiting() as stranger:
        # The server's own machine is asked for no token; the proxy on it is not that.
        status, answer = await stranger("GET", "/metrics")
        assert (status, answer["code"]) == (401, "unauthenticated")
        status, _ = await stranger("GET", "/metrics", headers=forged)
        assert status == 401
        own = {**forged, "Origin": evening.url}
        async with stranger.session.get(evening.url + "/readyz", headers=own) as ready:
            assert ready.status == 200, "the forged scheme was believed"
        async with stranger.socket(options={"headers": forged}, token="none.of.ours") as peer:
            assert await peer.closed() == 4401
    assert refusals(await evening.close()) == [(VISITOR, "unauthenticated")] * 3


async def test_pages_of_the_same_host_may_call_and_others_may_not(evening: Evening) -> None:
    async with evening.visiting(await evening.token("dm")) as dm:
        await dm.create("c", {"hp": 7})
        own = {"Origin": evening.url}
        assert (await dm("GET", "/api/campaigns", headers=own))[0] == 200
        async with dm.socket(campaign_id="c", options={"headers": own}) as peer:
            assert (await peer.next())["type"] == "campaign_active"
        for origin in ("https://elsewhere.example", evening.url.replace("https", "http"), "null"):
            foreign = {"Origin": origin}
            status, answer = await dm("GET", "/api/campaigns", headers=foreign)
            assert (status, answer["code"]) == (403, "forbidden")
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with dm.socket(campaign_id="c", options={"headers": foreign}):
                    pass
            assert refused.value.status == 403


async def test_sockets_come_through_and_come_back_after_a_restart(evening: Evening) -> None:
    page = [f"Page {number}: the river rises. " for number in range(1000)]
    mira = await evening.token("player", "mira")
    async with (
        evening.visiting(await evening.token("dm")) as dm,
        evening.visiting() as visitor,
        evening.visiting(mira) as third,
    ):
        await dm.create("c", {"hp": 7, "dm": {"plan": "a trap"}})
        client = CampaignClient(
            evening.url, "c", token=mira, session=visitor.session, backoff=Backoff(cap=0.5)
        )
        async with (
            client as player,
            third.socket(campaign_id="c", options={"compress": 15}) as peer,
            dm.socket("dm", campaign_id="c", options={"compress": 15}) as screen,
        ):
            assert peer.socket.compress == screen.socket.compress == 15
            assert (await peer.next())["structured_data"] == {"hp": 7}
            for number in range(20):
                patch = [put("/hp", number), put("/dm/plan", "changed"), put("/page", page)]
                answer = await screen.ask(type="commit", id=str(number), patch=patch)
                assert answer["type"] == "committed", answer
            heard = 1
            while heard < 21:
                update = await peer.until("campaign_updated")
                assert update["base"] == heard, "deltas come one after the other"
                heard = update["version"]
            await player.reached(21)
            assert player.document == {"hp": 19, "page": page}
            player_code, dm_code, _ = await asyncio.gather(
                peer.closed(), screen.closed(), evening.close()
            )
            assert (player_code, dm_code) == (1012, 1012)
            # While the server is away, the proxy has something to complain of in its log.
            with pytest.raises(aiohttp.WSServerHandshakeError) as away:
                async with visitor.socket(campaign_id="c", token=mira):
                    pass
            assert away.value.status == 502
            await evening.open()
            await dm.commit("c", put("/hp", 99))
            await player.reached(22)
            assert player.document == {"hp": 99, "page": page}
            async with visitor.socket(campaign_id="c", token=mira) as again:
                assert (await again.next())["version"] == 22
    logged = await evening.logs()
    assert "/ws/campaign/player" in logged
    assert "502" in logged
    assert mira not in logged
    assert "token" not in logged
