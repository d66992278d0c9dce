"""Tables: who sits where, and what those who follow a table are told."""

from __future__ import annotations

from pathlib import Path

from tests.support.peer import Caller, calling, put
from tests.support.server import serving


async def test_followers_of_a_table_are_shown_what_is_activated_there(call: Caller) -> None:
    await call.create("one", {"name": "one"})
    await call.create("two", {"name": "two"})
    async with call.socket() as player, call.socket(table="attic") as elsewhere:
        status, seated = await call("POST", "/api/campaigns/one/activate")
        assert (status, seated["version"], seated["table"]) == (200, 2, "main")
        loaded = await player.next()
        assert (loaded["type"], loaded["reason"]) == ("campaign_loaded", "activated")
        assert loaded["structured_data"] == {"name": "one"}
        await call.commit("one", put("/hp", 1))
        assert (await player.next())["base"] == 2
        await call("POST", "/api/campaigns/two/activate", json={"table": "main"})
        left = await player.next()
        assert (left["type"], left["campaign_id"], left["version"]) == (
            "campaign_updated",
            "one",
            4,
        )
        gone = await player.next()
        assert (gone["type"], gone["campaign_id"]) == ("campaign_deactivated", "one")
        loaded = await player.next()
        assert (loaded["type"], loaded["campaign_id"]) == ("campaign_loaded", "two")
        await call("POST", "/api/campaigns/two/activate", json={"table": "attic"})
        assert (await player.until("campaign_deactivated"))["campaign_id"] == "two"
        assert (await elsewhere.next())["campaign_id"] == "two"
    _, two = await call("GET", "/api/campaigns/two")
    assert two["table"] == "attic"
    _, log = await call("GET", "/api/campaigns/two/events")
    assert [(event["kind"], event["data"]) for event in log["events"][1:]] == [
        ("campaign.activated", {"table": "main", "title": None}),
        ("campaign.deactivated", {"table": "main"}),
        ("campaign.activated", {"table": "attic", "title": None}),
    ]


async def test_activating_what_sits_there_already_is_no_event(call: Caller) -> None:
    await call.create("one", {})
    for _ in range(2):
        status, seated = await call("POST", "/api/campaigns/one/activate", json={})
        assert (status, seated["version"]) == (200, 2)
    for _ in range(2):
        status, seated = await call("POST", "/api/campaigns/one/deactivate")
        assert (status, seated["version"], seated["table"]) == (200, 3, None)


async def test_a_table_keeps_its_campaign_through_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        await call.create("one", {"name": "one"})
        await call("POST", "/api/campaigns/one/activate")
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        async with call.socket() as player:
            snapshot = await player.next()
            assert (snapshot["type"], snapshot["campaign_id"]) == ("campaign_active", "one")
            await call("POST", "/api/campaigns/one/deactivate")
            assert (await player.until("campaign_deactivated"))["campaign_id"] == "one"
        async with call.socket(since=snapshot["position"]) as player:
            await player.say(type="heartbeat")
            assert (await player.next())["type"] == "heartbeat"


async def test_a_dm_seats_and_unseats_over_the_socket(call: Caller) -> None:
    await call.create("one", {"name": "one"})
    async with call.socket("dm") as dm, call.socket() as player:
        answer = await dm.ask(type="activate", campaign_id="one", id="a")
        assert (answer["type"], answer["id"], answer["version"]) == ("committed", "a", 2)
        assert (await player.next())["type"] == "campaign_loaded"
        assert (await dm.ask(type="commit", id="b", patch=[put("/n", 1)]))["version"] == 3
        answer = await dm.ask(type="deactivate", id="c")
        assert (answer["type"], answer["version"]) == ("committed", 4)
        assert (await dm.ask(type="activate", campaign_id="nobody", id="d"))["code"] == (
            "unknown_campaign"
        )
        await player.until("campaign_deactivated")


async def test_a_campaign_named_by_its_id_needs_no_seat(call: Caller) -> None:
    await call.create("one", {"name": "one"})
    async with call.socket(campaign_id="one") as player:
        assert (await player.next())["type"] == "campaign_active"
        await call("POST", "/api/campaigns/one/activate")
        await call("POST", "/api/campaigns/one/deactivate")
        assert (await player.next())["version"] == 2
        assert (await player.next())["version"] == 3
        await call.commit("one", put("/n", 1))
        assert (await player.next())["version"] == 4


async def test_a_retried_or_refused_activation_moves_nobody(call: Caller) -> None:
    await call.create("one", {})
    await call.create("two", {})
    key = {"Idempotency-Key": "k1"}
    await call("POST", "/api/campaigns/one/activate", json={}, headers=key)
    await call("POST", "/api/campaigns/two/activate", json={})
    status, again = await call("POST", "/api/campaigns/one/activate", json={}, headers=key)
    assert (status, again["version"], again["duplicate"], again["table"]) == (200, 2, True, None)
    other = {"table": "attic"}
    status, problem = await call("POST", "/api/campaigns/one/activate", json=other, headers=key)
    assert (status, problem["code"]) == (409, "id_reused")
    async with call.socket("dm") as dm:
        await dm.next()
        answer = await dm.ask(type="activate", campaign_id="one", id="")
        assert (answer["type"], answer["code"]) == ("rejected", "invalid")
    _, two = await call("GET", "/api/campaigns/two")
    assert (two["table"], two["version"]) == ("main", 2)
