"""The browser's side: origins, CORS, and the headers on everything served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from server.config import Config
from server.guards import HEADERS, check_origins
from tests.support.access import Guarded, guarded

APP = "https://app.example"
FOREIGN = [
    "https://evil.example",
    "null",
    "",
    "https://app.example.evil.example",
    "http://app.example",
]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c` that one other origin may call."""
    async with guarded(tmp_path, config=Config(allow_origin=(APP,))) as served:
        async with served.calling("dm") as dm:
            await dm.create("c", {"hp": 7})
        yield served


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_origin_is_refused_for_calls_and_sockets(
    served: Guarded, origin: str
) -> None:
    headers = {"Origin": origin}
    async with served.calling("dm") as call:
        for method in ("GET", "PUT", "PATCH"):
            status, problem = await call(
                method, "/api/campaigns/c/state", headers=headers, json={"hp": 1}
            )
            assert (status, problem["code"]) == (403, "forbidden")
        for role in ("player", "dm"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with call.socket(role, options={"headers": headers}, campaign_id="c"):
                    pass
            assert refused.value.status == 403
        _, state = await call("GET", "/api/campaigns/c/state")
        assert state["structured_data"] == {"hp": 7}


async def test_its_own_origin_and_the_one_allowed_are_answered(served: Guarded) -> None:
    async with served.calling("dm") as call:
        for origin in (served.url, APP, APP.upper()):
            headers = {"Origin": origin}
            assert (await call("GET", "/api/campaigns/c/state", headers=headers))[0] == 200
            async with call.socket(options={"headers": headers}, campaign_id="c") as peer:
                assert (await peer.next())["type"] == "campaign_active"


async def test_two_origins_are_none(served: Guarded) -> None:
    head = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
    answer = await raw(served, f"{head}Origin: {APP}\r\nOrigin: {APP}\r\n\r\n")
    assert answer.startswith("HTTP/1.1 403")


async def raw(served: Guarded, text: str) -> str:
    """Send bytes as they are; returns the head of the answer."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    return head.decode()


async def test_cors_is_for_the_origin_allowed_and_nobody_else(served: Guarded) -> None:
    async with served.calling("dm") as call:
        url = f"{call.url}/api/campaigns/c/state"
        asks = {"Access-Control-Request-Method": "PATCH", "Origin": APP}
        async with call.session.options(url, headers=asks) as preflight:
            assert preflight.status == 204
            assert preflight.headers["Access-Control-Allow-Origin"] == APP
            assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
            assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
            assert "Access-Control-Allow-Credentials" not in preflight.headers
        for path, status in (("state", 200), ("events?limit=0", 422)):
            where = f"{call.url}/api/campaigns/c/{path}"
            async with call.session.get(where, headers={"Origin": APP}) as answer:
                assert answer.status == status, "an error must be readable too"
                assert answer.headers["Access-Control-Allow-Origin"] == APP
                assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
                assert "Origin" in answer.headers["Vary"]
        async with call.session.get(url) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Origin" in answer.headers["Vary"], "or a cache would mix the two up"
        foreign = {**asks, "Origin": "https://evil.example"}
        async with call.session.options(url, headers=foreign) as refused:
            assert refused.status == 403
            assert "Access-Control-Allow-Origin" not in refused.headers


async def test_without_a_setting_there_is_no_cors(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served, served.calling("dm") as call:
        asks = {"Access-Control-Request-Method": "GET", "Origin": served.url}
        async with call.session.options(f"{call.url}/healthz", headers=asks) as answer:
            assert answer.status == 405
            assert not [name for name in answer.headers if name.startswith("Access-Control")]
            assert "Vary" not in answer.headers


async def test_every_answer_has_the_headers_and_none_sets_a_cookie(served: Guarded) -> None:
    async with served.calling("dm") as call:
        paths = ["/healthz", "/metrics", "/play", "/api/campaigns", "/nowhere"]
        for path in paths:
            async with call.session.get(call.url + path) as answer:
                missing = [name for name in HEADERS if name not in answer.headers]
                assert not missing, path
                assert "Set-Cookie" not in answer.headers
                assert answer.headers["Server"] == "questlog"
                assert "Strict-Transport-Security" not in answer.headers, "this is plain http"
        async with call.session.ws_connect(f"{call.url}/ws/campaign/dm?campaign_id=c") as socket:
            assert socket._response.headers["X-Content-Type-Options"] == "nosniff"
    head = await raw(served, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + "y" * 20_000 + "\r\n\r\n")
    assert " 400 " in head.partition("\r\n")[0]
    assert all(name in head for name in HEADERS)


async def test_https_at_a_trusted_proxy_is_https_here(tmp_path: Path) -> None:
    seen = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "Host": "q.example"}
    for trusted, status in ((("127.0.0.1",), 200), ((), 403)):
        folder = tmp_path / str(status)
        folder.mkdir()
        config = Config(trusted_proxy=trusted)
        async with guarded(folder, config=config) as served, served.calling() as call:
            headers = {**seen, "Origin": "https://q.example"}
            async with call.session.get(f"{call.url}/healthz", headers=headers) as answer:
                assert answer.status == status
                assert ("Strict-Transport-Security" in answer.headers) == bool(trusted)


@pytest.mark.parametrize(
    "origin",
    ["app.example", "https://app.example/", "https://*", "https://a@b", "ftp://x", "https://", "*"],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        check_origins([origin])


def test_what_is_one_is_taken() -> None:
    check_origins(["https://app.example", "http://localhost:5173", "http://[::1]:8080"])
