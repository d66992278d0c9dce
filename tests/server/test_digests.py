"""Heartbeats that heal: a replica that is silently wrong finds out by the digest of its view."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from questlog.client import CampaignClient
from questlog.document import digest
from questlog.sync.replica import Changed
from server.config import Config
from tests.support.access import guarded
from tests.support.logs import Lines, lines_logger
from tests.support.peer import Caller, put

DOCUMENT = {"hp": 7, "id": 2**63 + 1, "share": 0.5, "dm": {"plan": 1}, "name": "Zoë \U0001f409"}
SEEN = {name: value for name, value in DOCUMENT.items() if name != "dm"}


async def test_who_asks_is_told_the_digest_of_their_own_view(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    async with call.socket("dm", campaign_id="c") as dm, call.socket(campaign_id="c") as player:
        for peer, view in ((dm, DOCUMENT), (player, SEEN)):
            await peer.next()
            await peer.say(type="heartbeat", version=1)
            assert "digest" not in await peer.next()
            await peer.say(type="heartbeat", version=1, digest=True)
            assert (await peer.next())["digest"] == digest(view)
        await call.commit("c", put("/hp", 3))
        await player.next()
        await player.say(type="heartbeat", version=2, digest=True)
        assert (await player.next())["digest"] == digest({**SEEN, "hp": 3})


async def test_a_digest_once_asked_for_comes_at_rest_too(tmp_path: Path) -> None:
    config = Config(heartbeat=0.2)
    async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        async with dm.socket("dm", campaign_id="c") as peer:
            await peer.next()
            await peer.say(type="heartbeat", version=1, digest=True)
            for _ in range(2):
                assert (await peer.until("heartbeat"))["digest"] == digest(DOCUMENT)
            await peer.say(type="heartbeat", version=1, digest=False)
            await peer.until("heartbeat")
            assert "digest" not in await peer.until("heartbeat")


async def test_a_replica_that_is_wrong_heals_within_a_heartbeat_and_is_counted(
    tmp_path: Path,
) -> None:
    lines, config = Lines(), Config(heartbeat=0.2)
    log = lines_logger(lines)
    async with guarded(tmp_path, config=config, log=log) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        token = await served.token("player", "mira")
        async with CampaignClient(served.url, "c", token=token) as client:
            await client.live()
            # A bit flipped in memory: version and position still say that all is well.
            client.replica.document = {**SEEN, "hp": 8}
            async with asyncio.timeout(10):
                async for update in client:
                    if isinstance(update, Changed) and update.reason == "resync":
                        break
            assert client.document == SEEN
            (found,) = lines.events("divergence")
            wrong, right = digest({**SEEN, "hp": 8}), digest(SEEN)
            assert (found["theirs"], found["ours"], found["version"]) == (wrong, right, 1)
            assert found["who"] == "mira of c"
            async with dm.session.get(f"{dm.url}/metrics") as answer:
                assert "questlog_divergences_total 1.0" in await answer.text()


async def test_what_is_no_digest_is_not_believed_nor_logged(tmp_path: Path) -> None:
    lines = Lines()
    log = lines_logger(lines)
    async with guarded(tmp_path, log=log) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        async with dm.socket("dm", campaign_id="c") as peer:
            await peer.next()
            resync: dict[str, Any] = {"type": "resync", "position": None}
            for claimed in ("CANARY", "f" * 64, digest(DOCUMENT)):
                await peer.say(**resync, digest=claimed)
                assert (await peer.next())["type"] == "campaign_active"
            await peer.say(type="heartbeat", version=1, digest=True)
            await peer.next()
            await peer.say(**resync, digest=digest(DOCUMENT))
            assert (await peer.next())["type"] == "campaign_active"
            await peer.say(**resync, digest=7)
            assert (await peer.next())["code"] == "invalid"
    assert lines.events("divergence") == [], "none was told a digest and held another"
    assert "CANARY" not in lines.text()
