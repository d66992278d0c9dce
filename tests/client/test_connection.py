"""How the SDK keeps its connection: silence, closes that ask it back, tokens, whole documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from questlog.client import CampaignClient
from questlog.client import carriers as sdk
from questlog.sync.backoff import Backoff
from questlog.sync.closing import ClosedError
from tests.client.proxy import Proxy
from tests.support.server import create, serving

SNAPSHOT = {
    "type": "campaign_active",
    "campaign_id": "c",
    "version": 1,
    "position": "1.00",
    "structured_data": {},
    "reason": "connected",
    "timestamp": "2026-03-14T18:30:00.000Z",
}


@asynccontextmanager
async def answering(
    serve: Callable[[web.WebSocketResponse], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve every player's socket with `serve`; yields the URL."""

    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("questlog.v1",))
        await socket.prepare(request)
        await socket.send_json({"offered": request.headers["Sec-WebSocket-Protocol"], "type": "x"})
        await serve(socket)
        return socket

    app = web.Application()
    app.router.add_get("/ws/campaign/player", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def waits_before_coming_back(url: str, count: int) -> list[float]:
    """Return the first waits of a client whose jitter is the whole span."""
    waits: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == count:
            enough.set()
            await asyncio.Event().wait()

    backoff = Backoff(random=lambda: 1.0)
    async with CampaignClient(url, "c", backoff=backoff, sleep=sleep):
        await asyncio.wait_for(enough.wait(), 20)
    return waits


@pytest.mark.parametrize(
    ("code", "waits"), [(1012, [0.25, 0.25, 0.25, 0.25]), (4029, [0.25, 0.5, 1.0, 2.0])]
)
async def test_a_server_that_asks_to_come_back_later_is_left_alone_for_longer(
    code: int, waits: list[float]
) -> None:
    async def welcome_and_close(socket: web.WebSocketResponse) -> None:
        await socket.send_json(SNAPSHOT)
        await socket.close(code=code)

    async with answering(welcome_and_close) as url:
        assert await waits_before_coming_back(url, 4) == waits


async def test_a_final_close_without_a_reason_still_ends_the_client() -> None:
    async def close(socket: web.WebSocketResponse) -> None:
        await socket.close(code=4499)

    async with answering(close) as url, CampaignClient(url, "c") as client:
        with pytest.raises(ClosedError, match="4499") as closed:
            await asyncio.wait_for(client.live(), 20)
        assert closed.value.close_code == 4499


async def test_a_server_of_another_protocol_ends_the_client() -> None:
    async def babble(socket: web.WebSocketResponse) -> None:
        await socket.send_str("hello?")
        await socket.receive()

    async with answering(babble) as url, CampaignClient(url, "c") as client:
        with pytest.raises(ClosedError, match=r"questlog\.v1"):
            await asyncio.wait_for(client.live(), 20)


async def test_a_token_is_offered_as_a_subprotocol_and_never_in_the_url() -> None:
    seen: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers["Sec-WebSocket-Protocol"], str(request.url)))
        raise web.HTTPForbidden

    app = web.Application()
    app.router.add_get("/ws/campaign/dm", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with CampaignClient(url, "c", role="dm", token="s3cret") as client:
            with pytest.raises(ClosedError, match="HTTP 403"):
                await asyncio.wait_for(client.live(), 20)
    finally:
        await runner.cleanup()
    ((protocols, address),) = seen
    assert protocols.replace(" ", "") == "questlog.v1,bearer.s3cret"
    assert "s3cret" not in address


async def test_a_server_that_falls_silent_is_asked_and_then_left_for_a_new_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "ASK_AFTER", 0.1)
    monkeypatch.setattr(sdk, "GIVE_UP_AFTER", 0.3)
    lost = asyncio.Event()
    async with serving(tmp_path / "q.db") as url, Proxy.before(url) as proxy:
        await create(url, "c", {"hp": 7})
        async with CampaignClient(
            proxy.url,
            "c",
            backoff=Backoff(base=0.01),
            on_status=lambda status, delay: lost.set() if delay is not None else None,
        ) as client:
            await client.live()
            await asyncio.sleep(0.5)
            # At rest nothing is said but what the client asks for, and that is enough.
            assert not lost.is_set()
            assert proxy.accepted == 1
            proxy.deaf = True
            await asyncio.wait_for(lost.wait(), 20)
            proxy.deaf = False
            await asyncio.wait_for(client.live(), 20)
            assert proxy.accepted >= 2
            assert client.document == {"hp": 7}


async def test_silence_is_closed_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "ASK_AFTER", 0.05)
    monkeypatch.setattr(sdk, "GIVE_UP_AFTER", 0.1)
    closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def say_no_more(socket: web.WebSocketResponse) -> None:
        await socket.send_json(SNAPSHOT)
        async for _ in socket:
            pass
        if not closed.done():
            closed.set_result(socket.close_code)

    async with answering(say_no_more) as url, CampaignClient(url, "c"):
        assert await asyncio.wait_for(closed, 20) == 4008


async def test_in_full_mode_every_update_replaces_the_document(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7})
        async with (
            CampaignClient(url, "c", role="dm") as dm,
            CampaignClient(url, "c", mode="full") as player,
        ):
            await player.live()
            await dm.commit(structured_data={"hp": 6})
            await player.reached(2)
            assert player.document == {"hp": 6}


def test_the_package_exports_its_names_and_loads_the_network_only_for_the_client() -> None:
    import subprocess
    import sys

    program = (
        "import sys, questlog; questlog.apply({}, []); questlog.Replica();"
        "assert 'aiohttp' not in sys.modules and 'asyncio' not in sys.modules;"
        "assert all(getattr(questlog, name) for name in questlog.__all__);"
        "assert 'aiohttp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
