"""Limits: each has its answer, its name in the metrics, and hurts nobody else."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import make_mocked_request

from server.addresses import Addresses, counted_as, networks
from server.config import Config
from server.limits import Bucket, Buckets, Census
from tests.support.access import Guarded, guarded
from tests.support.follower import Follower
from tests.support.logs import Lines, lines_logger
from tests.support.peer import Caller, put, refused


async def limited(call: Caller) -> dict[str, float]:
    """Return how often each limit was met, as /metrics tells it."""
    async with call.session.get(f"{call.url}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        lines = (await answer.text()).splitlines()
    start = 'questlog_limited_total{limit="'
    found = [line.removeprefix(start) for line in lines if line.startswith(start)]
    return {line.partition('"')[0]: float(line.rpartition(" ")[2]) for line in found}


async def with_campaign(served: Guarded, document: Any = None) -> None:
    """Make campaign `c`."""
    async with served.calling("dm") as dm:
        await dm.create("c", {"hp": 7} if document is None else document)


async def test_too_many_messages_close_a_socket_with_4029(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(player_rate=2)) as served:
        await with_campaign(served)
        async with (
            served.calling("player", "mira") as call,
            call.socket(campaign_id="c") as flooding,
            served.calling("player", "tobin") as other,
            other.socket(campaign_id="c") as calm,
        ):
            await calm.next()
            for _ in range(11):
                await flooding.say(type="heartbeat", version=1)
            await refused(flooding, "rate_limited", 4029)
            await calm.say(type="heartbeat", version=1)
            assert (await calm.next())["type"] == "heartbeat"
            assert await limited(call) == {"player_rate": 1}


async def test_pings_count_as_messages(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(player_rate=2)) as served:
        await with_campaign(served)
        async with served.calling("player") as call, call.socket(campaign_id="c") as peer:
            await peer.next()
            for _ in range(11):
                await peer.socket.ping()
            assert (await peer.next())["code"] == "rate_limited"


async def test_too_many_calls_get_429_and_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(player_rate=2)) as served:
        await with_campaign(served)
        async with served.calling("player", "mira") as call, served.calling("dm") as dm:
            path = "/api/campaigns/c/state"
            answers = [await call("GET", path) for _ in range(12)]
            assert [status for status, _ in answers[:10]] == [200] * 10
            assert answers[-1][1]["code"] == "rate_limited"
            async with call.session.get(call.url + path) as late:
                assert (late.status, late.headers["Retry-After"]) == (429, "1")
            assert (await dm("GET", path))[0] == 200
            assert (await limited(dm))["player_rate"] >= 2


async def test_a_dm_has_a_rate_too(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(dm_rate=2)) as served:
        await with_campaign(served)
        async with (
            served.calling("dm") as dm,
            dm.socket("dm", campaign_id="c") as peer,
            dm.socket("dm", campaign_id="c") as witness,
        ):
            for number in range(11):
                await peer.say(type="commit", id=f"{number}", patch=[put("/n", number)])
            await refused(peer, "rate_limited", 4029)
            follower = Follower()
            await follower.follow(witness, 11)
            assert follower.document == {"hp": 7, "n": 9}, "what was taken was done"


async def test_a_players_message_is_small(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served:
        await with_campaign(served)
        large = {"type": "resync", "position": "é" * 9_000}
        async with served.calling("player") as call, served.calling("dm") as dm:
            async with call.socket(campaign_id="c") as peer:
                await peer.next()
                await peer.say(**large)
                await refused(peer, "too_large", 4413)
            async with dm.socket("dm", campaign_id="c") as peer:
                await peer.next()
                await peer.say(**large)
                assert (await peer.next())["type"] == "campaign_active"
            assert await limited(dm) == {"max_player_message": 1}


async def test_a_dm_who_became_a_player_sends_small_messages(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served:
        await with_campaign(served)
        async with served.calling("dm", "lia") as call, call.socket("dm", campaign_id="c") as peer:
            await peer.next()
            await served.access.set_role("c", "lia", "player")
            assert (await peer.next())["reason"] == "role"
            await peer.say(type="resync", position="x" * 20_000)
            await refused(peer, "too_large", 4413)


@pytest.mark.parametrize("role", ["player", "dm"])
async def test_a_stranger_may_send_no_more_than_a_token_takes(tmp_path: Path, role: str) -> None:
    async with guarded(tmp_path) as served, served.calling() as call:
        async with call.socket(role, campaign_id="c") as peer:
            await peer.socket.send_str('{"type":"authenticate","token":"' + "x" * 100_000 + '"}')
            assert (await peer.next())["code"] == "too_large"
            assert await peer.closed() == 4413
        assert await limited(call) == {"max_player_message": 1}


async def test_the_oldest_socket_of_a_member_goes(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(max_member_connections=2)) as served:
        await with_campaign(served)
        async with served.calling("player", "mira") as call, AsyncExitStack() as stack:
            peers = []
            for _ in range(3):
                peer = await stack.enter_async_context(call.socket(campaign_id="c"))
                await peer.next()
                peers.append(peer)
            assert await peers[0].closed() == 4009
            for peer in peers[1:]:
                await peer.say(type="heartbeat", version=1)
                assert (await peer.next())["type"] == "heartbeat"
            assert await limited(call) == {"max_member_connections": 1}
            # Who shares a link with many is nobody in particular.
            async with served.calling("spectator") as many:
                for _ in range(4):
                    peer = await stack.enter_async_context(many.socket(campaign_id="c"))
                    assert (await peer.next())["type"] == "campaign_active"


async def test_a_campaign_and_an_address_have_only_so_many_connections(tmp_path: Path) -> None:
    for setting in ("max_campaign_connections", "max_address_connections"):
        folder = tmp_path / setting
        folder.mkdir()
        async with guarded(
            folder, config=msgspec.structs.replace(Config(), **{setting: 2})
        ) as served:
            await with_campaign(served)
            async with (
                served.calling("spectator") as call,
                call.socket(campaign_id="c") as one,
                call.socket(campaign_id="c") as two,
            ):
                await one.next()
                await two.next()
                async with call.socket(campaign_id="c") as three:
                    await refused(three, "rate_limited", 4029)
                assert await limited(call) == {setting: 1}
                await two.socket.close()
                async with call.socket(campaign_id="c") as again:
                    assert (await again.next())["type"] == "campaign_active"


async def test_only_so_many_campaigns_are_in_memory(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path, config=Config(max_campaigns=2)) as served,
        AsyncExitStack() as all_,
    ):
        calls = {}
        for name in ("a", "b", "c"):
            token = await served.token("dm", campaign_id=name)
            calls[name] = await all_.enter_async_context(served.calling(token=token))
            await calls[name].create(name, {"is": name})
        assert len(served.services.registry.seats()) <= 2, "idle ones left"
        for name in ("a", "b"):
            peer = await all_.enter_async_context(calls[name].socket("dm", campaign_id=name))
            await peer.next()
        status, problem = await calls["c"]("GET", "/api/campaigns/c/state")
        assert (status, problem["code"]) == (429, "rate_limited")
        async with calls["c"].socket("dm", campaign_id="c") as peer:
            await refused(peer, "rate_limited", 4029)
        assert await limited(calls["c"]) == {"max_campaigns": 2}


@pytest.mark.parametrize(
    ("setting", "body", "status"),
    [
        ({"max_body": 200}, {"patch": [put("/a", "x" * 300)]}, 413),
        ({"max_document": 200}, {"patch": [put("/a", "x" * 300)]}, 413),
        ({"max_operations": 2}, {"patch": [put("/a", 1)] * 3}, 413),
        ({"max_depth": 3}, {"patch": [put("/a", [[[[[[[[1]]]]]]]])]}, 422),
    ],
)
async def test_limits_of_documents_are_counted_by_their_settings(
    tmp_path: Path, setting: dict[str, int], body: Any, status: int
) -> None:
    async with guarded(tmp_path, config=msgspec.structs.replace(Config(), **setting)) as served:
        await with_campaign(served)
        async with served.calling("dm") as dm:
            answer, _ = await dm("POST", "/api/campaigns/c/events", json=body)
            assert answer == status
            assert await limited(dm) == {next(iter(setting)): 1}


async def test_a_header_over_its_limit_is_counted_and_told_to_the_audit(tmp_path: Path) -> None:
    lines = Lines()
    async with guarded(tmp_path, log=lines_logger(lines)) as served, served.calling() as call:
        long = {"X-Long": "CANARY" * 4_000}
        assert (await call("GET", "/healthz", headers=long))[0] == 400
        assert await limited(call) == {"max_header": 1}
        (line,) = lines.events("refused")
        assert (line["what"], line["code"]) == ("(an unreadable request)", "invalid")
        assert "CANARY" not in lines.text()


async def test_the_audit_says_who_and_why_and_nothing_that_was_sent(tmp_path: Path) -> None:
    lines = Lines()
    async with guarded(tmp_path, log=lines_logger(lines)) as served:
        await with_campaign(served)
        token = await served.token("player", "mira")
        async with served.calling(token=token) as call, call.socket(campaign_id="c") as peer:
            await call("PUT", "/api/campaigns/c/state?note=CANARY-QUERY", json={"a": "CANARY-BODY"})
            await peer.next()
            await peer.ask(type="commit", id="x", patch=[put("/CANARY-PATH", "CANARY-VALUE")])
            await peer.socket.send_bytes(b"CANARY-BINARY")
            assert await peer.closed() == 4400
        async with served.calling(token="CANARY-TOKEN") as call:
            await call("GET", "/api/campaigns/c/state")
        async with served.calling() as call, call.socket(campaign_id="c", token="CANARY-T") as peer:
            await peer.closed()
    told = [(each["who"], each["what"], each["code"]) for each in lines.events("refused")]
    assert told == [
        ("mira of c", "PUT /api/campaigns/c/state", "forbidden"),
        ("mira of c", "socket of c", "forbidden"),
        ("mira of c", "socket of c", "bad_json"),
        ("(nobody)", "GET /api/campaigns/c/state", "unauthenticated"),
        ("(nobody)", "socket", "unauthenticated"),
    ]
    assert all(each["remote"] == "127.0.0.1" and each["why"] for each in lines.events("refused"))
    assert "CANARY" not in lines.text()
    assert token not in lines.text()


def request_from(peer: str, **headers: str) -> Any:
    """Return a request from a peer's address."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    made = make_mocked_request("GET", "/", headers=named)
    return made.clone(remote=peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_forwarded_addresses_are_believed_of_a_trusted_proxy_only(
    peer: str, forwarded: str, address: str
) -> None:
    addresses = Addresses(networks(["127.0.0.1", "10.0.0.0/8"]))
    assert addresses.of(request_from(peer, X_Forwarded_For=forwarded)) == address


def test_what_comes_through_a_proxy_is_not_local() -> None:
    addresses = Addresses(())
    assert addresses.is_local(request_from("127.0.0.1"))
    assert addresses.is_local(request_from("::1"))
    assert not addresses.is_local(request_from("192.0.2.1"))
    for header in ("X_Forwarded_For", "Forwarded", "Via", "X_Real_IP", "X_Forwarded_Proto"):
        assert not addresses.is_local(request_from("127.0.0.1", **{header: "x"}))


def test_addresses_of_one_ipv6_network_are_counted_as_one() -> None:
    assert counted_as("2001:db8::1") == counted_as("2001:db8::ffff:1")
    assert counted_as("2001:db8::1") != counted_as("2001:db8:0:1::1")
    assert counted_as("::ffff:192.0.2.1") == counted_as("192.0.2.1") == "192.0.2.1"
    assert counted_as("unknown") == "unknown"


def test_a_bucket_holds_a_burst_and_fills_again() -> None:
    found = Bucket(rate=2.0, burst=3.0, now=100.0)
    assert [found.take(100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert found.take(100.5) == 0.0
    assert found.take(100.5) == 0.5
    assert [found.take(1_000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_strangers_are_forgotten_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.limits.REMEMBERED", 3)
    buckets = Buckets(rate=1.0, burst=1.0)
    for number in range(10):
        assert buckets.take(f"address {number}", 0.0) == 0.0
    assert len(buckets._buckets) == 3
    assert buckets.take("address 9", 0.0) == 1.0


def test_a_census_counts_up_to_its_limit() -> None:
    census = Census(2)
    assert [census.enter("a") for _ in range(3)] == [True, True, False]
    assert census.enter("b")
    census.leave("a")
    assert census.enter("a")
    for _ in range(2):
        census.leave("a")
    census.leave("b")
    assert not census._count


async def test_a_token_for_metrics_opens_them_and_nothing_else(tmp_path: Path) -> None:
    from server.access.tokens import mint_for_metrics

    async with guarded(tmp_path) as served:
        await with_campaign(served)
        key = (await served.access.keys())[0]
        now = served.services.clock.now_ms()
        token = mint_for_metrics(key, served.access.audience, now_ms=now, lasts=60)
        far = {"X-Forwarded-For": "192.0.2.1"}
        async with served.calling(token=token) as call:
            async with call.session.get(f"{call.url}/metrics", headers=far) as answer:
                assert answer.status == 200
                assert "questlog_connections" in await answer.text()
            assert (await call("GET", "/api/campaigns/c/state"))[0] == 403
            assert (await call("GET", "/api/campaigns"))[1] == {"campaigns": []}
            for query in ({"campaign_id": "c"}, {"table": "main"}):
                async with call.socket(**query) as peer:
                    await refused(peer, "forbidden", 4403)


async def test_a_good_token_is_let_in_however_many_bad_ones_came_before(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(failed_tokens=3)) as served:
        await with_campaign(served)
        async with served.calling(token="nonsense") as bad, served.calling("dm") as dm:
            path = "/api/campaigns/c/state"
            statuses = [(await bad("GET", path))[0] for _ in range(5)]
            assert statuses == [401, 401, 401, 429, 429]
            async with served.calling() as call, call.socket(campaign_id="c", token="x") as peer:
                await refused(peer, "rate_limited", 4029)
            assert (await dm("GET", path))[0] == 200
            assert (await limited(dm))["failed_tokens"] == 3


async def test_frames_after_a_refusal_are_not_read(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served:
        await with_campaign(served)
        async with served.calling("player") as call, call.socket("dm", campaign_id="c") as peer:
            assert (await peer.next())["code"] == "forbidden"
            async with asyncio.timeout(10):
                message = await peer.socket.receive()
            assert message.type is WSMsgType.CLOSE
            assert message.data == 4403
