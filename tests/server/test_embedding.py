"""The server within another's application: under a prefix, in another's runner, to the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from eventstore.errors import NotAStoreError
from questlog import Rejection
from server.access.file import AccessFile
from server.config import Config
from server.embedding import embedded
from tests.broadcast.servers import place
from tests.examples.processes import Example, post
from tests.support.access import mint_for, store_url
from tests.support.peer import calling, put
from tests.support.server import Served, activate, silent_log, state

MEBIBYTE = 1024 * 1024


async def test_calls_sockets_and_errors_are_those_of_a_server_of_its_own(tmp_path: Path) -> None:
    async with place(tmp_path / "questlog.db") as here, calling(here.url) as caller:
        await caller.create("c", {"turn": 1})
        await activate(here.url, "c")
        async with caller.socket("player") as player, caller.socket("dm") as dm:
            assert (await player.until("campaign_active"))["structured_data"] == {"turn": 1}
            await dm.until("campaign_active")
            assert (await dm.ask(type="commit", id="a", patch=[put("/turn", 2)]))["version"] == 3
            assert (await player.until("campaign_updated"))["version"] == 3
        for path, status in (("/nothing", 404), ("/api/campaigns/nowhere/state", 404)):
            async with caller.session.get(here.url + path) as answer:
                assert answer.status == status
                assert answer.content_type == "application/problem+json"
                assert answer.headers["X-Frame-Options"] == "DENY"
        async with caller.session.get(here.url.removesuffix("/questlog") + "/") as answer:
            assert "X-Frame-Options" not in answer.headers, "the others' pages are theirs"
        foreign = {"Origin": "https://evil.example"}
        async with caller.session.get(f"{here.url}/healthz", headers=foreign) as answer:
            assert answer.status == 403


async def test_the_limits_are_its_own_and_not_those_of_the_application_around_it(
    tmp_path: Path,
) -> None:
    large = {"text": "x" * (3 * MEBIBYTE)}
    config = Config(open=True, max_body=4 * MEBIBYTE)
    async with place(tmp_path / "questlog.db", config=config) as here:
        async with here.broadcaster() as broadcaster:
            for campaign_id, size in (("c", 3), ("d", 5), ("e", 15)):
                data = {
                    "campaign_id": campaign_id,
                    "structured_data": {"text": "x" * size * MEBIBYTE},
                }
                await broadcaster.broadcast_campaign_update("campaign_updated", data)
            for _ in range(2):
                with pytest.raises(Rejection) as refusal:
                    await broadcaster.flush()
                assert refusal.value.code == "too_large"
        assert (await state(here.url, "c"))["structured_data"] == large


async def test_the_pages_and_the_description_know_their_prefix(tmp_path: Path) -> None:
    async with (
        place(tmp_path / "questlog.db") as here,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{here.url}/play?campaign_id=c") as answer:
            page = await answer.text()
            base = answer.url
        linked = re.findall(r'(?:href|src)="([^"]+)"', page)
        assert len(linked) >= 3
        scripts = ""
        for link in linked:
            async with session.get(base.join(URL(link))) as answer:
                assert answer.status == 200, link
                scripts += await answer.text()
        assert "/api/join" not in re.findall(r'"(/[^"]*)"', scripts), "a path from the root"
        async with session.get(f"{here.url}/api/openapi.json") as answer:
            assert (await answer.json())["servers"] == [{"url": "/questlog"}]


async def test_tokens_and_invites_are_those_of_its_store(tmp_path: Path) -> None:
    path = tmp_path / "questlog.db"
    async with place(path, config=Config()) as here:
        access = await AccessFile.open(store_url(path))
        token = await mint_for(access, "c", "dm")
        await access.close()
        async with calling(here.url) as caller:
            status, _ = await caller("GET", "/api/campaigns/c")
            assert status == 401
            headers = {"Authorization": f"Bearer {token}"}
            body: dict[str, Any] = {"structured_data": {}}
            status, _ = await caller("PUT", "/api/campaigns/c", json=body, headers=headers)
            assert status == 201
            # The token as the first message: that way in looks at the connection's own bytes.
            async with caller.socket("player", campaign_id="c") as peer:
                await peer.say(type="authenticate", token=token)
                assert (await peer.until("campaign_active"))["version"] == 1


async def test_a_store_that_cannot_be_opened_ends_the_start_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "diary.db"
    path.write_bytes(b"a diary, not a log" * 100)
    app = web.Application()
    app.add_subapp("/questlog", embedded(store_url(path), log=silent_log()))
    runner = web.AppRunner(app)
    with pytest.raises(NotAStoreError):
        await runner.setup()
    await runner.cleanup()


async def test_the_embedding_example_plays_and_ends_as_a_server_does(tmp_path: Path) -> None:
    path = tmp_path / "questlog.db"
    said = {"id": "1", "campaign_id": "evening", "player_id": "mira", "text": "attack"}
    async with (
        Example.start("embedded", "--store", store_url(path)) as example,
        aiohttp.ClientSession() as session,
        calling(f"{example.url}/questlog") as caller,
    ):
        first = await post(session, f"{example.url}/chat", said)
        async with caller.socket("player", campaign_id="evening", player_id="mira") as player:
            await player.until("campaign_active")
            second = await post(session, f"{example.url}/chat", {**said, "id": "2"})
            assert (await player.until("campaign_updated"))["version"] == second["version"]
            # Killed and back, it says the same again.
            await example.end(signal.SIGKILL)
        await example.restart()
        assert await post(session, f"{example.url}/chat", {**said, "id": "2"}) == second
        async with caller.socket("player", campaign_id="evening") as player:
            await player.until("campaign_active")
            ended = asyncio.create_task(example.end(signal.SIGTERM))
            assert await player.closed() == 1012
            status, output = await ended
        assert status == 0, output
        assert "Traceback" not in output, output
    assert set(os.listdir(tmp_path)) == {"questlog.db", "questlog.db.lock"}
    async with Served.start(path) as served:
        document = (await state(served.url, "evening"))["structured_data"]
        assert document["goblin"]["hp"] == 94
        assert first["version"] + 1 == second["version"] == document["turn"] + 1
