"""`GET /api/live`: who is at which campaign, by what, and how far behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from server.config import Config
from tests.support.access import guarded
from tests.support.peer import PATIENCE, Caller, calling, put
from tests.support.server import serving


async def live(call: Caller) -> dict[str, Any]:
    """Return what the server says of its campaigns."""
    status, answer = await call("GET", "/api/live")
    assert status == 200, answer
    return dict(answer)


async def test_nobody_is_there_at_first(call: Caller) -> None:
    assert await live(call) == {"campaigns": [], "waiting": 0}


async def test_each_member_is_told_with_every_device_and_how_far_it_is_behind(
    call: Caller,
) -> None:
    await call.create("b", {})
    await call.create("a", {})
    await call("POST", "/api/campaigns/a/activate", json={"table": "upstairs"})
    async with (
        call.socket("dm", campaign_id="a") as dm,
        call.socket(table="upstairs", player_id="mira") as one,
        call.socket(campaign_id="a", player_id="mira") as two,
        call.socket(table="cellar", player_id="tobin") as waiting,
    ):
        await waiting.say(type="heartbeat", version=0)
        await waiting.next()
        for peer in (dm, one, two):
            await peer.next()
        await one.say(type="player_status", status="thinking")
        await one.until("player_status")
        await call.commit("a", put("/n", 1))
        await two.say(type="heartbeat", version=3)
        await two.until("heartbeat")
        answer = await live(call)
        assert answer["waiting"] == 1
        assert [each["campaign_id"] for each in answer["campaigns"]] == ["a", "b"]
        first, second = answer["campaigns"]
        assert second == {
            "campaign_id": "b",
            "version": 1,
            "table": None,
            "connections": 0,
            "members": [],
        }
        assert (first["version"], first["table"], first["connections"]) == (3, "upstairs", 3)
        who = [(each["player_id"], each["role"], each["status"]) for each in first["members"]]
        assert who == [(None, "dm", None), ("mira", "player", "thinking")]
        devices = first["members"][1]["connections"]
        assert [(each["version"], each["lag"]) for each in devices] == [(2, 1), (3, 0)]
        for each in devices:
            assert (each["transport"], each["outbox"], each["slow"]) == ("socket", 0, False)
            assert 0 <= each["last_seen"] < 60


async def test_who_has_just_gone_is_still_there_without_a_device(tmp_path: Path) -> None:
    config = Config(open=True, leave_grace=60)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {})
        async with call.socket("dm", campaign_id="c") as dm:
            await dm.until("presence")
            async with call.socket(campaign_id="c", player_id="mira") as mira:
                await mira.next()
                await dm.until("player_joined")
            async with asyncio.timeout(PATIENCE):
                while (campaign := (await live(call))["campaigns"][0])["connections"] == 2:
                    pass
            assert campaign["connections"] == 1
            assert campaign["members"][1]["player_id"] == "mira"
            assert campaign["members"][1]["connections"] == []


async def test_it_holds_nothing_of_a_document(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"text": "CANARY-TEXT"}, title="CANARY-TITLE")
        async with dm.socket("dm", campaign_id="c") as peer:
            await peer.next()
            assert "CANARY" not in str(await live(dm))
