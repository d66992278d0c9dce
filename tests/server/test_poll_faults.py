"""What a reviewer broke of polls: whose box it is, what is in it, and for how long it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from server.config import Config
from tests.server.test_fallbacks import DOCUMENT, STORY, poll, say, told
from tests.support.access import Guarded, guarded
from tests.support.peer import put
from tests.support.talk import until_told


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    config = Config(poll_gap=5.0, leave_grace=0.1, max_member_connections=3)
    async with guarded(tmp_path, config=config) as served:
        async with served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
        yield served


def kinds(answer: Any) -> list[str]:
    """Return the types of an answer's messages."""
    return [message["type"] for message in answer["messages"]]


async def test_what_was_hidden_while_a_poller_rested_is_not_told_it_after(
    served: Guarded,
) -> None:
    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        position = (await poll(mira))["position"]
        await dm.commit("c", put("/oops", "CANARY"))
        rules = {"rules": [{"path": "/dm", "to": ["dm"]}, {"path": "/oops", "to": ["dm"]}]}
        status, _ = await dm("PUT", "/api/campaigns/c/visibility", json=rules)
        assert status == 200
        answer = await poll(mira, position, wait=0)
        assert "CANARY" not in str(answer)
        assert answer["position"].startswith("3.")


async def test_an_answer_that_was_lost_is_given_again_with_all_that_was_said(
    served: Guarded,
) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        position = (await poll(mira))["position"]
        await dm.commit("c", put("/hp", 9))
        await table.say(type="signal", name="dice", data=20)
        await table.until("signal")
        lost = await poll(mira, position, wait=0)
        assert sorted(kinds(lost)) == ["campaign_updated", "signal"]
        again = await poll(mira, position, wait=0)
        assert sorted(kinds(again)) == ["campaign_updated", "signal"]
        assert again["position"] == lost["position"]
        assert kinds(await poll(mira, again["position"], wait=0)) == []


async def test_a_poll_whose_caller_has_gone_takes_nothing_and_is_gone_itself(
    served: Guarded,
) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        position = (await poll(mira))["position"]
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await poll(mira, position, wait=60)
        async with asyncio.timeout(10):
            while not served.services.polls.resting:
                await dm("GET", "/healthz")
        await table.say(type="signal", name="dice", data=20)
        await table.until("signal")
        assert kinds(await poll(mira, position, wait=0)) == ["signal"]
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await poll(mira, position, wait=60)
        # The gap and the grace, and not the minute the poll would have waited for.
        async with asyncio.timeout(10):
            await until_told(table, "player_left", player_id="mira")


async def test_two_devices_that_say_so_are_each_told_what_is_said_once(served: Guarded) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        phone = (await poll(mira, client="phone"))["position"]
        laptop = (await poll(mira, client="laptop"))["position"]
        waiting = asyncio.create_task(poll(mira, laptop, client="laptop"))
        await table.say(type="signal", name="dice", data=20)
        assert kinds(await waiting) == ["signal"]
        assert kinds(await poll(mira, laptop, client="laptop", wait=0)) == []
        assert kinds(await poll(mira, phone, client="phone", wait=0)) == ["signal"]


async def test_pollers_are_counted_among_a_members_connections_and_go(served: Guarded) -> None:
    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        for _ in range(8):
            await poll(mira, wait=0)
        assert len(served.services.hub.connections) == 3
        waiting = asyncio.create_task(mira("GET", "/api/campaigns/c/updates?since=1.00&wait=60"))
        position = (await poll(mira, wait=0))["position"]
        tasks = [asyncio.create_task(poll(mira, position, wait=9)) for _ in range(3)]
        waiting.cancel()
        await dm.commit("c", put("/hp", 9))
        for task in tasks:
            with suppress(AssertionError):
                await task
        assert len(served.services.hub.connections) <= 3


async def test_a_version_that_is_not_there_is_not_believed(served: Guarded) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        answer = await poll(mira, "999999999999999999", wait=0)
        assert told(answer)[0]["structured_data"] == {"hp": 10, "story": STORY}
        await mira("GET", f"/api/campaigns/c/updates?since={answer['position']}&wait=0")
        status, live = await dm("GET", "/api/live")
        assert status == 200
        (campaign,) = live["campaigns"]
        held = [each["version"] for member in campaign["members"] for each in member["connections"]]
        assert set(held) == {1}


async def test_a_divergence_told_of_by_calls_is_counted(served: Guarded) -> None:
    async with served.calling("player", "mira") as mira:
        (told_of,) = await say(mira, type="heartbeat", version=1, digest=True)
        assert len(told_of["digest"]) == 64
        await say(mira, type="resync", position=None, digest="0" * 64)
        async with mira.session.get(f"{served.url}/metrics") as answer:
            assert "questlog_divergences_total 1.0" in await answer.text()


async def test_a_poller_whose_role_changes_twice_is_told_nothing_of_what_it_was(
    served: Guarded,
) -> None:
    from questlog.campaign.visibility import Viewer

    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        position = (await poll(mira))["position"]
        (connection,) = served.services.hub.connections
        renewal = served.services.hub.renewal
        for viewer in (Viewer("dm", "mira"), Viewer("player", "mira")):
            renewal._assume(connection, viewer)
        await dm.commit("c", put("/hp", 9))
        answer = await poll(mira, position, wait=0)
        assert "assassin" not in str(answer)
        assert "lease" not in kinds(answer)
        assert answer["position"].startswith("2.")


@pytest.mark.parametrize("wait", ["1_0", "٣", "1e3", " 1", ""])
async def test_a_wait_is_written_as_a_number(served: Guarded, wait: str) -> None:
    async with served.calling("player", "mira") as mira:
        status, problem = await mira("GET", "/api/campaigns/c/updates", params={"wait": wait})
        assert (status, problem["code"]) == (422, "invalid")


async def test_a_poller_of_whole_documents_waits_like_any_other(served: Guarded) -> None:
    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        position = (await poll(mira, mode="full"))["position"]
        assert kinds(await poll(mira, position, mode="full", wait=0)) == []
        await dm.commit("c", put("/hp", 9))
        answer = await poll(mira, position, mode="full", wait=0)
        assert kinds(answer) == ["campaign_active"]
        assert answer["messages"][0]["structured_data"]["hp"] == 9
        assert kinds(await poll(mira, answer["position"], mode="full", wait=0)) == []


async def test_who_has_been_hidden_while_a_poller_rested_is_not_told_it_after(
    served: Guarded,
) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("player", "tobin") as tobin,
        served.calling("dm") as dm,
        tobin.socket(campaign_id="c") as sly,
    ):
        await sly.next()
        position = (await poll(mira))["position"]
        await sly.say(type="player_status", status="CANARY")
        await sly.until("player_status")
        rules = {"rules": [{"path": "/presence/player/tobin", "to": ["dm"]}]}
        await dm("PUT", "/api/campaigns/c/visibility", json=rules)
        answer = await poll(mira, position, wait=0)
        assert "CANARY" not in str(answer)
        (presence,) = [each for each in answer["messages"] if each["type"] == "presence"]
        assert [each["player_id"] for each in presence["members"]] == ["mira"]
