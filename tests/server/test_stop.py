"""Stopping: what was accepted is answered, what was answered is in the log, and nobody waits."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aiohttp import WSMsgType

from eventstore.proof.verifier import verify
from eventstore.sqlite.store import SqliteReader
from tests.support.peer import calling, put
from tests.support.server import serving


async def test_a_server_under_full_load_stops_and_keeps_what_it_answered(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    answered: list[str] = []
    enough = asyncio.Event()
    async with calling("") as call:
        async with serving(path) as url:
            call.url = url
            await call.create("c", {"n": 0})
            socket = await call.session.ws_connect(f"{url}/ws/campaign/dm?campaign_id=c")

            async def write() -> None:
                for number in range(1_000_000):
                    if socket.closed:
                        return
                    patch = [put("/n", number)]
                    commit = {"type": "commit", "id": str(number), "patch": patch}
                    await socket.send_str(json.dumps(commit))

            async def read() -> int | None:
                while True:
                    message = await socket.receive()
                    if message.type is not WSMsgType.TEXT:
                        return socket.close_code
                    value = json.loads(message.data)
                    if value["type"] == "committed":
                        answered.append(value["id"])
                    if len(answered) == 300:
                        enough.set()

            reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
            await enough.wait()
        writing.cancel()
        assert await reading == 1012
    reader = await SqliteReader.open(f"sqlite:///{path}")
    logged = {event.id for event in await reader.read("c")}
    assert set(answered) <= logged
    assert [finding async for finding in verify(reader)] == []
    await reader.close()
