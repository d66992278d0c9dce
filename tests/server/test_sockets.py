"""Sockets: snapshots, deltas, catch-up and resync, as every kind of peer gets them."""

from __future__ import annotations

import asyncio
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from eventstore.sqlite.store import SqliteStore
from server.config import Config
from tests.support.follower import Follower
from tests.support.peer import Caller, Peer, calling, put
from tests.support.server import serving

DOCUMENT: dict[str, Any] = {"hp": 10, "story": "x" * 3000, "dm": {"secret": "poison"}}


async def test_a_player_gets_a_snapshot_and_then_deltas_of_its_view(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    async with call.socket(campaign_id="c", player_id="mira") as player:
        snapshot = await player.next()
        assert snapshot["type"] == "campaign_active"
        assert snapshot["reason"] == "connected"
        assert snapshot["version"] == 1
        assert snapshot["structured_data"] == {"hp": 10, "story": "x" * 3000}
        await call.commit("c", put("/hp", 9), id="a", kind="damage.dealt")
        delta = await player.next()
        assert (delta["type"], delta["base"], delta["version"]) == ("campaign_updated", 1, 2)
        assert delta["patch"] == [{"op": "replace", "path": "/hp", "value": 9}]
        (event,) = delta["events"]
        assert (event["id"], event["kind"], event["version"]) == ("a", "damage.dealt", 2)
        assert set(event) == {"version", "id", "kind", "actor", "at"}
        assert "timestamp" in delta


async def test_what_a_player_may_not_see_is_announced_without_it(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    async with (
        call.socket(campaign_id="c") as player,
        call.socket("dm", campaign_id="c") as dm,
    ):
        await player.next()
        await dm.next()
        await call.commit("c", put("/dm/secret", "assassin"), id="hush", kind="plot.thickens")
        seen = await player.next()
        assert (seen["base"], seen["version"], seen["patch"], seen["events"]) == (1, 2, [], [])
        known = await dm.next()
        assert known["patch"] == [{"op": "replace", "path": "/dm/secret", "value": "assassin"}]
        assert known["events"][0]["kind"] == "plot.thickens"
        assert known["position"] != seen["position"]


async def test_full_mode_carries_the_whole_view_every_time(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    async with call.socket(campaign_id="c", mode="full") as player:
        await player.next()
        await call.commit("c", put("/hp", 9))
        update = await player.next()
        assert update["type"] == "campaign_updated"
        assert update["structured_data"] == {"hp": 9, "story": "x" * 3000}
        assert "patch" not in update
        assert "base" not in update


async def position_of(call: Caller, view: str = "player", version: int | None = None) -> str:
    query = f"as={view}" + ("" if version is None else f"&version={version}")
    _, state = await call("GET", f"/api/campaigns/c/state?{query}")
    return str(state["position"])


async def test_at_the_head_a_returning_player_gets_an_empty_update(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    since = await position_of(call)
    async with call.socket(campaign_id="c", since=since) as player:
        update = await player.next()
    assert update["type"] == "campaign_updated"
    assert (update["base"], update["version"], update["patch"]) == (1, 1, [])
    assert update["position"] == since


async def test_behind_the_head_a_returning_player_gets_one_net_delta(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    since = await position_of(call)
    for hp in range(9, 0, -1):
        await call.commit("c", put("/hp", hp))
    async with call.socket(campaign_id="c", since=since) as player:
        update = await player.next()
        assert (update["base"], update["version"]) == (1, 10)
        assert update["patch"] == [{"op": "replace", "path": "/hp", "value": 1}]
        await call.commit("c", put("/hp", 5))
        assert (await player.next())["base"] == 10


async def test_a_snapshot_comes_where_it_is_smaller_than_the_delta(call: Caller) -> None:
    await call.create("c", {f"member-{n}": "x" * 40 for n in range(100)})
    since = await position_of(call)
    await call("PUT", "/api/campaigns/c/state", json={"all": "new"})
    async with call.socket(campaign_id="c", since=since) as player:
        update = await player.next()
    assert (update["type"], update["structured_data"]) == ("campaign_active", {"all": "new"})


@pytest.mark.parametrize(
    "since", ["1", "1.0000000000000000", "7.0123456789abcdef", "7", "nonsense"]
)
async def test_what_does_not_prove_out_gets_a_snapshot(call: Caller, since: str) -> None:
    await call.create("c", DOCUMENT)
    await call.commit("c", put("/hp", 9))
    async with call.socket(campaign_id="c", since=since) as player:
        update = await player.next()
    trusted = since == "1"
    assert update["type"] == ("campaign_updated" if trusted else "campaign_active")
    assert update["version"] == 2


async def test_a_position_of_another_view_or_campaign_proves_nothing(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    await call.create("other", DOCUMENT)
    _, other = await call("GET", "/api/campaigns/other/state?as=player")
    for foreign in (await position_of(call, "dm"), other["position"]):
        async with call.socket(campaign_id="c", since=foreign) as player:
            assert (await player.next())["type"] == "campaign_active"


async def test_after_a_restart_catch_up_comes_from_the_log(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        await call.create("c", DOCUMENT)
        since = await position_of(call)
        for hp in range(9, 4, -1):
            await call.commit("c", put("/hp", hp))
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        async with call.socket(campaign_id="c", since=since) as player:
            update = await player.next()
        assert (update["type"], update["base"], update["version"]) == ("campaign_updated", 1, 6)
        assert update["patch"] == [{"op": "replace", "path": "/hp", "value": 5}]


async def test_a_position_from_the_future_of_a_restored_log_gets_a_snapshot(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "q.db", tmp_path / "copy.db"
    async with serving(path) as url, calling(url) as call:
        await call.create("c", DOCUMENT)
    await asyncio.to_thread(lambda: copy.write_bytes(path.read_bytes()))
    async with serving(path) as url, calling(url) as call:
        await call.commit("c", put("/hp", 9))
        await call.commit("c", put("/hp", 8))
        ahead, diverged = await position_of(call), await position_of(call, version=2)
    async with serving(copy) as url, calling(url) as call:
        async with call.socket(campaign_id="c", since=ahead) as player:
            assert (await player.next())["type"] == "campaign_active"
        await call.commit("c", put("/hp", 1))
        async with call.socket(campaign_id="c", since=diverged) as player:
            message = await player.next()
            assert (message["type"], message["structured_data"]["hp"]) == ("campaign_active", 1)


async def test_resync_brings_a_gap_up_to_date_or_starts_over(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    since = await position_of(call)
    await call.commit("c", put("/hp", 9))
    async with call.socket(campaign_id="c") as player:
        await player.next()
        await player.say(type="resync", position=since)
        update = await player.next()
        assert (update["type"], update["base"], update["version"]) == ("campaign_updated", 1, 2)
        for position in (None, "forged", "2.0000000000000000"):
            await player.say(type="resync", position=position)
            snapshot = await player.next()
            assert (snapshot["type"], snapshot["reason"]) == ("campaign_active", "resync")


async def test_heartbeats_are_answered_with_where_the_campaign_stands(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    async with call.socket(campaign_id="c") as player, call.socket() as nobody:
        position = (await player.next())["position"]
        await player.say(type="heartbeat", version=1)
        beat = await player.next()
        assert (beat["type"], beat["campaign_id"], beat["version"]) == ("heartbeat", "c", 1)
        assert beat["position"] == position
        await nobody.say(type="heartbeat")
        assert (await nobody.next())["campaign_id"] is None


async def test_at_rest_the_server_sends_heartbeats_and_pings(tmp_path: Path) -> None:
    config = Config(open=True, heartbeat=0.2)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", DOCUMENT)
        async with call.socket(campaign_id="c") as player:
            await player.next()
            assert (await player.next())["type"] == "heartbeat"
            assert (await player.next())["type"] == "heartbeat"


async def test_a_peer_that_says_nothing_at_all_is_closed(tmp_path: Path) -> None:
    config = Config(open=True, heartbeat=0.1, silence_timeout=0.5)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", DOCUMENT)
        async with call.socket(campaign_id="c", options={"autoping": False}) as silent:
            assert await silent.closed() == 4008
        async with call.socket(campaign_id="c") as living:
            for _ in range(10):
                await living.until("heartbeat")


async def test_a_dm_commits_over_the_socket_and_answers_come_in_order(call: Caller) -> None:
    await call.create("c", {"n": 0})
    async with call.socket("dm", campaign_id="c") as dm:
        await dm.next()
        for number in range(1, 201):
            await dm.say(type="commit", id=f"c{number}", patch=[put("/n", number)])
        await dm.say(type="commit", id="late", expected_version=1, patch=[])
        await dm.say(type="commit", id="c7", patch=[put("/n", 7)])
        await dm.say(type="commit", id="c7", patch=[put("/n", 8)])
        await dm.say(type="commit", structured_data={"n": 1000})
        answers: list[dict[str, Any]] = []
        while len(answers) < 204:
            message = await dm.next()
            if message["type"] in ("committed", "rejected"):
                answers.append(message)
    assert [a["version"] for a in answers[:200]] == list(range(2, 202))
    late, repeated, reused, whole = answers[200:]
    assert (late["code"], late["version"]) == ("version_conflict", 201)
    assert (repeated["duplicate"], repeated["version"]) == (True, 8)
    assert (reused["code"], reused["id"]) == ("id_reused", "c7")
    assert (whole["type"], whole["version"]) == ("committed", 202)
    assert len(whole["id"]) == 36


async def test_a_commit_at_an_empty_table_has_nowhere_to_go(call: Caller) -> None:
    async with call.socket("dm") as dm:
        assert (await dm.ask(type="commit", id="x", patch=[]))["code"] == "invalid"
        assert (await dm.ask(type="deactivate", id="y"))["code"] == "invalid"


async def test_the_subprotocol_is_answered_and_none_is_needed(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    offered = {"protocols": ("questlog.v1", "bearer.some-token")}
    async with call.socket(campaign_id="c", options=offered) as peer:
        assert peer.socket.protocol == "questlog.v1"
        await peer.next()
        await peer.say(type="authenticate", token="some-token")
        await peer.say(type="heartbeat")
        assert (await peer.next())["type"] == "heartbeat"
    async with call.socket(campaign_id="c", options={"protocols": ("other.v9",)}) as peer:
        assert peer.socket.protocol is None
        assert (await peer.next())["type"] == "campaign_active"


async def test_a_peer_that_takes_deflated_frames_gets_them_in_order(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    async with (
        call.socket(campaign_id="c", options={"compress": 15}) as deflating,
        call.socket(campaign_id="c") as plain,
    ):
        assert deflating.socket.compress
        for peer in (deflating, plain):
            document = (await peer.next())["structured_data"]
            assert document["story"] == "x" * 3000
        for number in range(30):
            story = f"{number} " + "y" * (4000 if number % 3 else 3)
            await call.commit("c", put("/story", story))
            for peer in (deflating, plain):
                update = await peer.next()
                assert update["patch"][0]["value"] == story


def test_a_deflated_frame_needs_nothing_that_came_before() -> None:
    from questlog.sync.messages import Encoded, Error
    from server.frames import Form, frames_of

    message = Encoded(Error("invalid", "z" * 100_000, "now"))
    frame = frames_of(message).for_peer(Form.DEFLATED)
    assert frame[0] == 0x80 | 0x40 | 0x01
    assert len(frame) < 1000
    body = frame[4:]
    inflated = zlib.decompressobj(-15).decompress(body + b"\x00\x00\xff\xff")
    assert inflated == message.payload
    assert frames_of(message) is frames_of(message)
    assert frames_of(message).for_peer(Form.PLAIN)[0] == 0x81


async def test_sockets_are_told_when_the_server_goes(tmp_path: Path) -> None:
    async with calling("") as call:
        async with serving(tmp_path / "q.db") as url:
            call.url = url
            await call.create("c", DOCUMENT)
            socket = await call.session.ws_connect(f"{url}/ws/campaign/player?campaign_id=c")
            peer = Peer(socket)
            await peer.next()
            closing = asyncio.create_task(peer.closed())
        assert await closing == 1012
    files = sorted(os.listdir(tmp_path))
    assert files == ["q.db", "q.db.lock"]


async def test_a_hundred_campaigns_at_once_stay_apart(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        names = [f"campaign-{number}" for number in range(100)]
        await asyncio.gather(*(call.create(name, {"name": name, "n": 0}) for name in names))

        async def play(name: str) -> None:
            async with (
                call.socket("dm", campaign_id=name) as dm,
                call.socket(campaign_id=name) as player,
            ):
                follower = Follower()
                for number in range(1, 11):
                    await dm.say(type="commit", patch=[put("/n", number)])
                await follower.follow(player, 11)
                assert follower.document == {"name": name, "n": 10}

        await asyncio.gather(*(play(name) for name in names))
    store = await SqliteStore.open(f"sqlite:///{tmp_path / 'q.db'}")
    assert [summary.version for summary in await store.campaigns()] == [11] * 100
    await store.close()
