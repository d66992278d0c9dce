"""Crowds and floods: the limits hold however fast it comes, and keep out nobody who is somebody."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from server.config import Config
from tests.access.issuer import AUDIENCE, Signer, issuing
from tests.support.access import guarded
from tests.support.peer import refused, wire

DOCUMENT = {"hp": 7, "dm": {"plan": "CANARY-DM"}}


async def test_a_crowd_of_one_member_is_held_to_its_limit_however_fast_it_comes(
    tmp_path: Path,
) -> None:
    async with guarded(tmp_path, config=Config(max_member_connections=4)) as served:
        async with served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
        async with served.calling("player", "mira") as call, AsyncExitStack() as stack:
            sockets = [call.socket(campaign_id="c") for _ in range(40)]
            peers = await asyncio.gather(*[stack.enter_async_context(each) for each in sockets])
            codes = await asyncio.gather(*[ended(peer) for peer in peers])
            assert codes.count(4009) == 36
            room = (await served.services.registry.find("c")).room
            assert len(room.connections) == 4


async def ended(peer: Any) -> int | None:
    """Return the code a socket is closed with, None where it stays open for a while."""
    try:
        async with asyncio.timeout(3):
            while not peer.socket.closed:
                message = await peer.socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
    except TimeoutError:
        return None
    code: int | None = peer.socket.close_code
    return code


async def test_strangers_keep_nobody_out(tmp_path: Path) -> None:
    config = Config(player_rate=2, max_address_strangers=3, max_address_connections=5)
    async with guarded(tmp_path, config=config) as served, AsyncExitStack() as stack:
        dm = await stack.enter_async_context(served.calling("dm"))
        await dm.create("c", DOCUMENT)
        stranger = await stack.enter_async_context(served.calling())
        statuses = [(await stranger("GET", "/api/campaigns"))[0] for _ in range(30)]
        assert statuses[-1] == 429
        assert (await stranger("GET", "/healthz"))[0] == 200
        for _ in range(3):
            await stack.enter_async_context(stranger.socket(campaign_id="c"))
        async with stranger.socket(campaign_id="c") as fourth:
            assert (await fourth.next())["code"] == "rate_limited"
        async with dm.socket("dm", campaign_id="c") as peer:
            assert (await peer.next())["type"] == "campaign_active"


async def test_a_crowd_behind_one_link_makes_room_for_who_is_somebody(tmp_path: Path) -> None:
    config = Config(max_campaign_connections=3)
    async with guarded(tmp_path, config=config) as served, AsyncExitStack() as stack:
        dm = await stack.enter_async_context(served.calling("dm"))
        await dm.create("c", DOCUMENT)
        crowd = await stack.enter_async_context(served.calling("spectator"))
        watchers = []
        for _ in range(3):
            peer = await stack.enter_async_context(crowd.socket(campaign_id="c"))
            await peer.next()
            watchers.append(peer)
        async with crowd.socket(campaign_id="c") as late_comer:
            assert await late_comer.closed() == 4029
        async with dm.socket("dm", campaign_id="c") as peer:
            assert (await peer.next())["type"] == "campaign_active"
            assert await watchers[-1].closed() == 4029
        await watchers[0].say(type="heartbeat", version=1)
        assert (await watchers[0].next())["type"] == "heartbeat"


@pytest.mark.parametrize("frame", [b"\x8a\x80\0\0\0\0", b"\x00\x80\0\0\0\0"], ids=["pong", "empty"])
async def test_frames_that_are_no_messages_are_limited_too(tmp_path: Path, frame: bytes) -> None:
    config = Config(player_rate=2, max_player_message=2_000)
    async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        async with served.calling("player", "mira") as call, call.socket(campaign_id="c") as peer:
            await peer.next()
            transport = wire(peer)
            if frame.startswith(b"\x00"):
                transport.write(b"\x01\x80\0\0\0\0")
            transport.write(frame * 20_000)
            assert (await peer.until("error"))["code"] == "rate_limited"
            assert await peer.closed() == 4029


async def test_another_token_is_no_fresh_start(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(player_rate=2)) as served, served.calling("dm") as d:
        await d.create("c", DOCUMENT)
        seats = [await served.token("player", name) for name in ("mira", "tobin")]
        async with served.calling(token=seats[0]) as call, call.socket(campaign_id="c") as peer:
            await peer.next()
            for number in range(30):
                await peer.say(type="authenticate", token=seats[number % 2])
            assert (await peer.until("error"))["code"] == "rate_limited"
            assert await peer.closed() == 4029


async def test_a_members_calls_share_one_rate_wherever_they_come_from(tmp_path: Path) -> None:
    config = Config(player_rate=2, trusted_proxy=("127.0.0.1",))
    async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        async with served.calling("player", "mira") as call:
            statuses = []
            for number in range(12):
                from_there = {"X-Forwarded-For": f"2001:db8:{number}::1"}
                path = "/api/campaigns/c/state"
                statuses.append((await call("GET", path, headers=from_there))[0])
            assert statuses.count(200) == 10


async def test_a_providers_user_without_a_seat_has_no_dms_limits(tmp_path: Path) -> None:
    signer = Signer.ec("ec")
    async with issuing() as issuer:
        issuer.keys = [signer.jwk()]
        # As slow as this machine may be, it says more than is allowed in the same time.
        config = Config(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, player_rate=2)
        claims = issuer.claims(iat=time.time(), exp=time.time() + 600)
        async with (
            guarded(tmp_path, config=config) as served,
            served.calling(token=signer.token(claims)) as call,
        ):
            async with call.socket("dm", table="empty") as peer:
                await peer.say(type="resync", position="x" * 20_000)
                assert (await peer.next())["code"] == "too_large"
            async with call.socket("dm", table="empty") as peer:
                for _ in range(100):
                    await peer.say(type="heartbeat", version=0)
                assert (await peer.until("error"))["code"] == "rate_limited"


def test_every_limit_has_a_row_in_the_docs() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text("utf-8")
    table = text.partition("## Limits")[2].partition("\n## ")[0]
    numbers = [f.name for f in msgspec.structs.fields(Config) if type(f.default) in (int, float)]
    # These are no limits on anybody: how often the server itself does something, or how much.
    ours = {"heartbeat", "idle_timeout", "max_pipelined"}
    assert [name for name in numbers if f"| `{name}` |" not in table and name not in ours] == []


async def test_a_table_that_is_full_turns_away_who_comes_and_who_waited(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path, config=Config(max_campaign_connections=1)) as served,
        served.calling("spectator") as call,
        served.calling("dm") as dm,
        AsyncExitStack() as stack,
    ):
        peers = []
        for _ in range(2):
            peer = await stack.enter_async_context(call.socket(table="main"))
            await peer.say(type="heartbeat", version=0)
            await peer.next()
            peers.append(peer)
        one, two = peers
        await dm.create("c", {"hp": 7})
        await dm("POST", "/api/campaigns/c/activate", json={})
        assert (await one.next())["type"] == "campaign_loaded"
        await refused(two, "rate_limited", 4029)
        async with call.socket(table="main") as late:
            await refused(late, "rate_limited", 4029)


async def test_only_so_many_strangers_of_one_address_may_wait(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path, config=Config(max_address_strangers=2)) as served,
        served.calling() as call,
        call.socket(),
        call.socket(),
        call.socket() as third,
    ):
        await refused(third, "rate_limited", 4029)
