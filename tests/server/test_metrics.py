"""The metrics say what happened: each is compared with what a test has done or been sent."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as LibraryHistogram

from eventstore.errors import StoreClosedError
from eventstore.sqlite.store import SqliteStore
from questlog.document import encode
from server.config import Config
from server.metrics import Histogram
from server.rooms import REMEMBERED, Announcements
from tests.support.access import guarded
from tests.support.metrics import Scrape, scrape
from tests.support.peer import PATIENCE, Caller, Peer, calling, put, wire
from tests.support.server import serving


async def until(call: Caller, name: str, least: float, **labels: str) -> Scrape:
    """Scrape until a metric has come to `least`: what a peer does is counted a moment later."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await scrape(call)
            if found(name, **labels) >= least:
                return found


async def test_commits_are_counted_once_they_are_durable(call: Caller) -> None:
    await call.create("c", {"n": 0})
    created = len(encode([{"op": "add", "path": "", "value": {"n": 0}}]))
    patch = [put("/n", 12345)]
    await call.commit("c", *patch, id="one")
    await call.commit("c", *patch, id="one")
    await call.commit("c", *patch, expected_version=7)
    found = await scrape(call)
    assert found("questlog_commit_bytes_count") == found("questlog_commit_seconds_count") == 2
    assert found("questlog_commit_bytes_sum") == created + len(encode(patch))
    assert 0 < found("questlog_commit_seconds_sum") < PATIENCE
    assert found("questlog_refused_total", code="version_conflict") == 1


async def test_what_a_socket_is_refused_is_counted_like_a_call(call: Caller) -> None:
    await call.create("c", {"n": 0})
    async with call.socket("dm", campaign_id="c") as dm, call.socket(campaign_id="c") as player:
        await dm.next()
        await player.next()
        assert (await dm.ask(type="commit", id="a", expected_version=9, patch=[]))["code"]
        assert (await dm.ask(type="commit", id="b", patch=[{"op": "remove", "path": "/x"}]))["code"]
        assert (await player.ask(type="commit", id="c", patch=[]))["code"] == "forbidden"
    found = await scrape(call)
    for code in ("version_conflict", "patch_failed", "forbidden"):
        assert found("questlog_refused_total", code=code) == 1, code


async def test_a_delivery_is_counted_for_each_who_gets_it(call: Caller) -> None:
    await call.create("c", {"n": 0, "private": {"mira": {}}})
    async with AsyncExitStack() as stack:
        seats = [{}, {}, {}, {"player_id": "mira"}, {"mode": "full"}]
        peers: list[Peer] = []
        for seat in seats:
            peers.append(await stack.enter_async_context(call.socket(campaign_id="c", **seat)))
            assert (await peers[-1].next())["type"] == "campaign_active"
        before = await scrape(call)
        assert before("questlog_catch_ups_total", message="snapshot", reason="connected") == 5
        await call.commit("c", put("/n", 1))
        size = 0
        for peer in peers[:4]:
            async with asyncio.timeout(PATIENCE):
                while b'"campaign_updated"' not in (
                    text := (await peer.socket.receive_str()).encode()
                ):
                    pass
            size += len(text) + 4
        assert (await peers[4].next())["structured_data"]["n"] == 1
        found = await scrape(call)
        assert found("questlog_deliveries_total", message="delta") == 4
        assert found("questlog_deliveries_total", message="full") == 1
        assert found("questlog_deliveries_total", message="snapshot") == 5
        assert found("questlog_delivered_bytes_total", message="delta") == size
        # What comes by a broadcast is no catch-up.
        assert found("questlog_catch_ups_total") == 5


async def test_what_is_said_to_some_is_counted_for_each(call: Caller) -> None:
    await call.create("c", {})
    async with (
        call.socket("dm", campaign_id="c") as dm,
        call.socket(campaign_id="c", player_id="mira") as mira,
        call.socket(campaign_id="c", player_id="tobin") as tobin,
    ):
        for peer in (dm, mira, tobin):
            await peer.until("presence")
        before = await scrape(call)
        await dm.say(type="signal", name="typing", data=1, to=["mira", "dm"])
        await mira.until("signal")
        await dm.until("signal")
        found = await scrape(call)
        told = found("questlog_deliveries_total", message="talk")
        joined = 2  # tobin's coming may be told after the first scrape, to two.
        assert 2 <= told - before("questlog_deliveries_total", message="talk") <= 2 + joined
        await dm.say(type="heartbeat", version=1)
        await dm.until("heartbeat")
        assert (await scrape(call))("questlog_deliveries_total", message="heartbeat") == 1


async def test_an_acknowledgement_is_timed_once_for_each_version(call: Caller) -> None:
    async def said(peer: Peer, version: int) -> float:
        await peer.say(type="heartbeat", version=version)
        await peer.until("heartbeat")
        return (await scrape(call))("questlog_delivery_seconds_count")

    await call.create("c", {"n": 0})
    async with call.socket(campaign_id="c") as peer, call.socket(campaign_id="c") as other:
        await other.next()
        await peer.next()
        assert await said(peer, 1) == 0, "it was published before anybody was there"
        await call.commit("c", put("/n", 1))
        await call.commit("c", put("/n", 2))
        assert await said(peer, 3) == 1
        assert await said(peer, 3) == 1
        assert await said(peer, 2) == 1, "an older one is no news"
        assert await said(other, 2) == 2
        assert await said(other, 3) == 3
        assert await said(other, 99) == 3, "there is no such version"
        found = await scrape(call)
        assert 0 < found("questlog_delivery_seconds_sum") < 3 * PATIENCE


async def test_the_next_poll_acknowledges_what_the_last_one_brought(call: Caller) -> None:
    await call.create("c", {"n": 0})

    async def poll(**query: str) -> Any:
        query["wait"] = "0"
        _, answer = await call("GET", "/api/campaigns/c/updates", params=query)
        return answer["position"]

    position = await poll()
    position = await poll(since=position)
    assert (await scrape(call))("questlog_delivery_seconds_count") == 0
    await call.commit("c", put("/n", 1))
    position = await poll(since=position)
    assert (await scrape(call))("questlog_delivery_seconds_count") == 0
    await poll(since=position)
    assert (await scrape(call))("questlog_delivery_seconds_count") == 1


def test_a_histogram_counts_as_the_client_librarys_own_does() -> None:
    ours, registry = CollectorRegistry(), CollectorRegistry()
    bounds = (0.005, 0.1, 1.0, 64.0)
    mine = Histogram("h", "What.", bounds)
    ours.register(mine)
    theirs = LibraryHistogram("h", "What.", buckets=bounds, registry=registry)
    for value in (0.0, 0.005, 0.0051, 0.1, 0.5, 1.0, 64.0, 65.0, 1e9):
        mine.observe(value)
        theirs.observe(value)
    expected = Scrape(generate_latest(registry).decode())
    assert Scrape(generate_latest(ours).decode()).samples == expected.samples


def test_only_the_latest_publications_are_remembered() -> None:
    announcements = Announcements()
    for version in range(1, REMEMBERED + 2):
        announcements.made(version, float(version))
    assert announcements.since(1, 1000.0) is None
    assert announcements.since(2, 1000.0) == 998.0
    assert announcements.since(REMEMBERED + 2, 1000.0) is None


async def test_catch_ups_are_counted_by_what_was_sent_and_why(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"text": "long " * 100, "n": 0})
        async with served.calling("player", "mira") as mira:
            position = (await mira("GET", "/api/campaigns/c/state"))[1]["position"]
        await dm.commit("c", put("/n", 1))
        async with (
            served.calling("player", "mira") as mira,
            mira.socket(campaign_id="c", since=position) as peer,
        ):
            assert (await peer.next())["base"] == 1
            await peer.say(type="resync", position=position)
            assert (await peer.next())["base"] == 1
            await peer.say(type="resync", position=None)
            assert (await peer.next())["reason"] == "resync"
            await served.access.set_role("c", "mira", "spectator")
            assert (await peer.next())["reason"] == "role"
        found = await scrape(dm)
        for message, reason in (
            ("delta", "connected"),
            ("delta", "resync"),
            ("snapshot", "resync"),
            ("snapshot", "role"),
        ):
            assert found("questlog_catch_ups_total", message=message, reason=reason) == 1
        assert found("questlog_catch_ups_total") == 4


async def test_a_slow_consumer_is_seen_and_its_catch_up_counted(tmp_path: Path) -> None:
    config = Config(open=True, outbox=64 * 1024)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {"text": ""})
        async with call.socket(campaign_id="c") as player, call.socket("dm", campaign_id="c") as dm:
            await player.next()
            await dm.next()
            wire(player).pause_reading()
            number, found = 0, await scrape(call)
            assert found("questlog_outbox_fullest_bytes") == 0
            while not found("questlog_connections_slow"):
                number += 1
                assert number < 2_000, "the kernel takes it all"
                text = f"{number}" + "z" * 100_000
                await dm.ask(type="commit", patch=[put("/text", text)])
                found = await scrape(call)
            fullest = found("questlog_outbox_fullest_bytes")
            assert 64 * 1024 < fullest <= found("questlog_outbox_bytes")
            assert found("questlog_limited_total", limit="outbox") == 1
            live = (await call("GET", "/api/live"))[1]["campaigns"][0]
            assert any(each["slow"] for m in live["members"] for each in m["connections"])
            await dm.ask(type="commit", patch=[put("/text", "missed")])
            wire(player).resume_reading()
            version = 0
            while version < number + 2:
                version = (await player.next())["version"]
            found = await until(call, "questlog_catch_ups_total", 1, reason="lagged")
            assert found("questlog_connections_slow") == 0


async def test_the_end_of_a_connection_is_counted_by_code_and_by_who_ended_it(
    tmp_path: Path,
) -> None:
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {})

        async def ended(number: int, closed_by: str, code: str) -> None:
            found = await until(dm, "questlog_closes_total", number)
            assert found("questlog_closes_total") == number
            assert found("questlog_closes_total", closed_by=closed_by, code=code) == 1

        for number, (close, code) in enumerate(
            ((1000, "1000"), (1001, "1001"), (4321, "other")), start=1
        ):
            async with dm.socket(campaign_id="c") as peer:
                await peer.next()
                await peer.socket.close(code=close)
            await ended(number, "client", code)
        async with dm.socket(campaign_id="c") as peer:
            await peer.next()
            wire(peer).abort()
            await ended(4, "client", "1006")
        async with served.calling("player", "mira") as mira:
            async with mira.socket(campaign_id="c") as peer:
                await peer.next()
                await peer.socket.send_bytes(b"binary")
                assert await peer.closed() == 4400
            await ended(5, "server", "4400")
            async with mira.socket(campaign_id="c") as peer:
                await peer.next()
                await peer.socket.send_str("x" * 100_000)
                assert await peer.closed() == 4413
            await ended(6, "server", "4413")
        async with served.calling(token="nonsense") as bad, bad.socket(campaign_id="c") as peer:
            assert await peer.closed() == 4401
        await ended(7, "server", "4401")
        async with dm.session.get(f"{dm.url}/api/campaigns/c/stream") as stream:
            await stream.content.readline()
            stream.close()
        found = await until(dm, "questlog_closes_total", 8)
        assert found("questlog_closes_total", closed_by="client", code="1006") == 2


async def test_connections_and_members_are_told_by_role_and_transport(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served, AsyncExitStack() as stack:
        dm = await stack.enter_async_context(served.calling("dm"))
        await dm.create("c", {})
        none = await scrape(dm)
        assert none("questlog_connections") == none("questlog_campaigns_open") == 0
        assert none.names["questlog_connections"] == {"role", "transport"}
        mira = await stack.enter_async_context(served.calling("player", "mira"))
        nobody = await stack.enter_async_context(served.calling())
        crowd = await stack.enter_async_context(served.calling("spectator"))
        for call in (dm, mira, mira, crowd, crowd):
            peer = await stack.enter_async_context(call.socket(campaign_id="c"))
            await peer.next()
        await stack.enter_async_context(nobody.socket(campaign_id="c"))
        stream = await stack.enter_async_context(
            mira.session.get(f"{mira.url}/api/campaigns/c/stream")
        )
        await stream.content.readuntil(b"campaign_active")
        await mira("GET", "/api/campaigns/c/updates?wait=0")
        found = await scrape(dm)
        expected = {
            ("dm", "socket"): 1,
            ("player", "socket"): 2,
            ("player", "stream"): 1,
            ("player", "poll"): 1,
            ("spectator", "socket"): 2,
            ("none", "socket"): 1,
        }
        for (role, transport), number in expected.items():
            assert found("questlog_connections", role=role, transport=transport) == number
        assert found("questlog_connections") == sum(expected.values())
        for role, number in (("dm", 1), ("player", 1), ("spectator", 2)):
            assert found("questlog_members_present", role=role) == number
        assert found("questlog_campaigns_open") == found("questlog_campaigns_in_memory") == 1


async def test_the_size_of_the_log_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q.db"
    async with serving(path) as url, calling(url) as call:
        await call.create("a", {})
        await call.create("b", {"text": "z" * 50_000})
        await call.commit("b", put("/n", 1))
        found = await scrape(call)
        assert (found("questlog_log_events"), found("questlog_log_campaigns")) == (3, 2)
        on_disk = sum(p.stat().st_size for p in (path, path.with_name("q.db-wal")))
        assert found("questlog_log_bytes") == on_disk > 50_000

        async def closed(_store: SqliteStore) -> Any:
            raise StoreClosedError

        monkeypatch.setattr(SqliteStore, "extent", closed)
        await call.commit("b", put("/n", 2))
        again = await scrape(call)
        assert again("questlog_log_events") == 3, "what it said last stands"
        assert again("questlog_commit_bytes_count") == 4


async def test_a_server_that_asks_for_tokens_tells_them_to_nobody_from_elsewhere(
    tmp_path: Path,
) -> None:
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {})
        far = {"X-Forwarded-For": "192.0.2.1"}
        for path in ("/metrics", "/api/live"):
            assert (await dm("GET", path, headers=far))[0] == 403
            async with aiohttp.ClientSession() as session:
                async with session.get(served.url + path, headers=far) as answer:
                    assert answer.status == 401
                async with session.get(served.url + path) as answer:
                    assert answer.status == 200
