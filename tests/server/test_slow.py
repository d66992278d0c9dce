"""Slow players: they cost the room nothing, the server a bounded amount, and still converge."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from server.config import Config
from tests.support.follower import Follower
from tests.support.peer import calling, put
from tests.support.server import serving


async def test_a_player_that_stops_reading_costs_little_and_converges(tmp_path: Path) -> None:
    config = Config(open=True, outbox=64 * 1024)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {"n": 0, "text": ""})
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(
            b"GET /ws/campaign/player?campaign_id=c HTTP/1.1\r\nHost: " + host.encode() + b"\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        async with call.socket("dm", campaign_id="c") as dm:
            await dm.next()
            for number in range(1, 601):
                await dm.say(type="commit", patch=[put("/n", number), put("/text", "z" * 20_000)])
                await dm.until("committed")
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        follower = Follower()
        received = 0
        await reader.readuntil(b"\r\n\r\n")
        while follower.version < 601:
            first, length = await reader.readexactly(2)
            assert first == 0x81 or first == 0x89
            size = length & 0x7F
            if size >= 126:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            payload = await reader.readexactly(size)
            received += size
            if first == 0x81:
                message = json.loads(payload)
                if message["type"] != "heartbeat":
                    follower.take(message)
        writer.close()
        assert follower.document == {"n": 600, "text": "z" * 20_000}
        assert received < 600 * 20_000, "what a slow player missed is sent as its net change"


async def test_a_player_that_stays_slow_is_closed(tmp_path: Path) -> None:
    config = Config(open=True, outbox=16 * 1024, slow_timeout=0.5)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {"text": ""})
        async with call.socket(campaign_id="c") as player:
            await player.next()
            transport = player.socket._writer.transport
            transport.pause_reading()
            number = 0
            async with call.socket("dm", campaign_id="c") as dm:
                await dm.next()
                while not transport.is_closing() and number < 400:
                    number += 1
                    text = f"{number}" + "z" * 60_000
                    await dm.ask(type="commit", patch=[put("/text", text)])
                await asyncio.sleep(0.8)
            transport.resume_reading()
            assert await player.closed() in (4001, 1006)
