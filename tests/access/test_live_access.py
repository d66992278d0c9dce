"""What happens to who is connected: tokens run out and are renewed, seats change and are lost.

Time is the subject here, so the clock is the machine's: each change must act within a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.events import Role
from questlog.client import CampaignClient
from questlog.sync.closing import ClosedError
from server.access.records import Member
from server.config import Config
from tests.access.issuer import AUDIENCE, SUBJECT, Signer, issuing
from tests.support.access import Guarded, guarded
from tests.support.follower import Follower
from tests.support.peer import Caller, Peer, put

DOCUMENT = {"hp": 7, "dm": {"plan": "CANARY-DM"}, "private": {"mira": {"a": 1}, "tobin": {"b": 2}}}
WITHIN = 1.0
# What the machine itself may be late by when it is busy; the claim is the server's.
LATE = 2.0


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def within_a_second(work: Any) -> Any:
    """Await `work`, which must be done within a second."""
    async with asyncio.timeout(WITHIN + LATE):
        return await work


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("way", ["header", "subprotocol", "query", "message"])
async def test_a_token_arrives_in_four_ways(served: Guarded, way: str) -> None:
    token = await served.token("player", "mira")
    query: dict[str, str] = {"campaign_id": "c"}
    options: dict[str, Any] = {}
    if way == "subprotocol":
        options = {"protocols": ("questlog.v1", f"bearer.{token}")}
    elif way == "header":
        options = {"headers": {"Authorization": f"Bearer {token}"}}
    elif way == "query":
        query["token"] = token
    async with served.calling() as call, call.socket(options=options, **query) as peer:
        if way == "message":
            await peer.say(type="authenticate", token=token)
        snapshot = await peer.next()
        assert snapshot["structured_data"] == {"hp": 7, "private": {"mira": {"a": 1}}}
        assert peer.socket.protocol == ("questlog.v1" if way == "subprotocol" else None)


async def test_who_shows_no_token_in_time_is_closed(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path, config=Config(auth_timeout=0.2)) as served,
        served.calling() as call,
        call.socket(campaign_id="c") as peer,
    ):
        await peer.socket.ping()
        error = await peer.next()
        assert (error["type"], error["code"]) == ("error", "unauthenticated")
        assert await peer.closed() == 4401


@pytest.mark.parametrize(
    ("frame", "code", "close"),
    [
        ('{"type":"heartbeat","version":1}', "unauthenticated", 4401),
        ('{"type":"commit","id":"x","patch":[]}', "unauthenticated", 4401),
        ('{"type":"nonsense"}', "unauthenticated", 4401),
        ("not json", "bad_json", 4400),
        ("[]", "invalid", 4400),
    ],
)
async def test_a_first_message_that_is_no_token_is_refused(
    served: Guarded, frame: str, code: str, close: int
) -> None:
    async with served.calling() as call, call.socket("dm", campaign_id="c") as peer:
        await peer.socket.send_str(frame)
        assert (await peer.next())["code"] == code
        assert await peer.closed() == close


async def test_a_member_removed_is_closed_and_comes_back_by_no_old_door(served: Guarded) -> None:
    token = await served.token("player", "mira")
    async with (
        served.calling(token=token) as call,
        call.socket(campaign_id="c") as peer,
        call.socket(table="main") as waiting,
        served.calling("player", "tobin") as other,
        other.socket(campaign_id="c") as tobin,
    ):
        await peer.next()
        await tobin.next()
        await served.access.remove_member("c", "mira", now_ms())
        for socket in (peer, waiting):
            assert await within_a_second(socket.closed()) == 4403
        assert (await call("GET", "/api/campaigns/c/state"))[0] == 403
        async with call.socket(campaign_id="c") as again:
            assert (await again.next())["code"] == "forbidden"
        await tobin.say(type="heartbeat", version=1)
        assert (await tobin.next())["type"] == "heartbeat", "the others stay"
    async with served.calling("player", "mira") as anew:
        status, state = await anew("GET", "/api/campaigns/c/state")
        assert (status, state["structured_data"]["private"]) == (200, {"mira": {"a": 1}})


async def test_another_role_gets_a_snapshot_of_its_view_within_a_second(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        call = await stack.enter_async_context(served.calling("player", "mira"))
        dm = await stack.enter_async_context(served.calling("dm"))
        modes = ("delta", "full")
        peers = [
            await stack.enter_async_context(call.socket(campaign_id="c", mode=mode))
            for mode in modes
        ]
        for peer in peers:
            assert (await peer.next())["reason"] == "connected"
        steps: tuple[tuple[Role, dict[str, Any]], ...] = (
            ("dm", DOCUMENT),
            ("spectator", {"hp": 7, "private": {}}),
            ("player", {"hp": 7, "private": {"mira": {"a": 1}}}),
        )
        for role, sees in steps:
            await served.access.set_role("c", "mira", role)
            for peer in peers:
                told = await within_a_second(peer.next())
                assert (told["type"], told["reason"]) == ("campaign_active", "role")
                assert told["structured_data"] == sees
            answer = await peers[0].ask(type="commit", id="x", patch=[])
            assert answer.get("code") == (None if role == "dm" else "forbidden")
            if role == "dm":
                await peers[1].until("campaign_updated")
        await dm.commit("c", put("/private/tobin/b", "CANARY-TOBIN"))
        for peer in peers:
            assert "CANARY" not in str(await peer.next())


async def test_a_dm_whose_role_is_taken_commits_no_more(served: Guarded) -> None:
    token = await served.token("dm", "lia")
    async with served.calling(token=token) as call, call.socket("dm", campaign_id="c") as peer:
        await peer.next()
        await served.access.set_role("c", "lia", "player")
        told = await within_a_second(peer.next())
        assert (told["reason"], "CANARY" in str(told)) == ("role", False)
        status, problem = await call("PUT", "/api/campaigns/c/state", json={})
        assert (status, problem["code"]) == (403, "forbidden")
        assert (await peer.ask(type="commit", id="x", patch=[]))["code"] == "forbidden"
        async with call.socket("dm", campaign_id="c") as again:
            assert await again.closed() == 4403


async def test_an_expired_token_closes_its_socket_and_a_renewed_one_does_not(
    served: Guarded,
) -> None:
    short = await served.token("player", "mira", lasts=1.2)
    async with (
        served.calling(token=short) as call,
        call.socket(campaign_id="c") as lapsing,
        call.socket(campaign_id="c") as renewed,
        served.calling("dm") as dm,
    ):
        follower = Follower()
        follower.take(await renewed.next())
        await lapsing.next()
        await renewed.say(type="authenticate", token=await served.token("player", "mira"))
        assert (await lapsing.until("error"))["code"] == "unauthenticated"
        assert await lapsing.closed() == 4401
        await dm.commit("c", put("/hp", 3))
        await follower.follow(renewed, 2)
        assert follower.document["hp"] == 3
        assert (await call("GET", "/api/campaigns/c/state"))[0] == 401


@pytest.mark.parametrize(
    ("seat", "code", "close"),
    [
        (("player", "mira", "other"), "forbidden", 4403),
        (None, "unauthenticated", 4401),
    ],
)
async def test_a_renewal_that_does_not_hold_ends_the_connection(
    served: Guarded, seat: Any, code: str, close: int
) -> None:
    token = "nonsense"
    if seat is not None:
        token = await served.token(seat[0], seat[1], campaign_id=seat[2])
    async with served.calling("player", "mira") as call, call.socket(campaign_id="c") as peer:
        await peer.next()
        await peer.say(type="authenticate", token=token)
        assert (await peer.next())["code"] == code
        assert await peer.closed() == close


async def test_a_renewal_as_another_is_another_view(served: Guarded) -> None:
    async with served.calling("player", "mira") as call, call.socket(campaign_id="c") as peer:
        await peer.next()
        await peer.say(type="authenticate", token=await served.token("player", "tobin"))
        told = await peer.next()
        assert (told["reason"], told["structured_data"]["private"]) == ("role", {"tobin": {"b": 2}})


async def test_keys_rotated_twice_void_every_token(served: Guarded) -> None:
    async with served.calling("player", "mira") as call, call.socket(campaign_id="c") as peer:
        await peer.next()
        await served.access.rotate()
        async with served.calling("player", "tobin") as newer:
            # The server's own look, made now instead of within half a second.
            await served.services.admission.authenticator.refresh()
            assert (await call("GET", "/api/campaigns/c/state"))[0] == 200
            await served.access.rotate()
            assert (await within_a_second(peer.until("error")))["code"] == "unauthenticated"
            assert await peer.closed() == 4401
            assert (await call("GET", "/api/campaigns/c/state"))[0] == 401
            assert (await newer("GET", "/api/campaigns/c/state"))[0] == 200


async def test_a_providers_user_sits_where_the_table_and_then_the_claim_says(
    tmp_path: Path,
) -> None:
    signer = Signer.rsa("rsa")
    async with issuing() as issuer:
        issuer.keys = [signer.jwk()]
        config = Config(
            oidc_issuer=issuer.url, oidc_audience=AUDIENCE, oidc_claim="https://q.example/seats"
        )
        seats = {"c": "player:mira", "other": "dm", "odd": "admin", "odder": 7, "dm": "player:dm"}
        claims = issuer.claims(
            iat=time.time(), exp=time.time() + 600, **{"https://q.example/seats": seats}
        )
        async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
            async with served.calling(token=signer.token(claims)) as call:
                await provider_user(served, call, issuer.url)
            bare = signer.token(issuer.claims(iat=time.time(), exp=time.time() + 600, sub="x"))
            async with served.calling(token=bare) as call:
                assert (await call("GET", "/api/campaigns/c/state"))[0] == 403
                assert (await call("GET", "/api/campaigns"))[1] == {"campaigns": []}


async def provider_user(served: Guarded, call: Caller, issuer: str) -> None:
    """Follow a provider's user from the claim to an entry, another role, and removal."""
    assert (await call("PUT", "/api/campaigns/other", json={"structured_data": {}}))[0] == 201
    for campaign in ("odd", "odder", "dm"):
        assert (await call("GET", f"/api/campaigns/{campaign}/state"))[0] == 403
    _, listed = await call("GET", "/api/campaigns")
    assert [each["campaign_id"] for each in listed["campaigns"]] == ["c", "other"]
    async with call.socket(campaign_id="c") as peer:
        assert (await peer.next())["structured_data"]["private"] == {"mira": {"a": 1}}
        await served.access.add_member(
            Member(campaign_id="c", member="tobin", role="player", issuer=issuer, subject=SUBJECT)
        )
        told = await within_a_second(peer.next())
        assert told["structured_data"]["private"] == {"tobin": {"b": 2}}
        await served.access.remove_member("c", "tobin", now_ms())
        assert await within_a_second(peer.closed()) == 4403
    assert (await call("GET", "/api/campaigns/c/state"))[0] == 403, "the claim does not bring back"


async def test_a_providers_dm_seats_a_campaign_from_an_empty_table(tmp_path: Path) -> None:
    signer = Signer.ec("ec")
    async with issuing() as issuer:
        issuer.keys = [signer.jwk()]
        config = Config(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
        token = signer.token(issuer.claims(iat=time.time(), exp=time.time() + 600))
        async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
            seat = Member(
                campaign_id="c", member="lia", role="dm", issuer=issuer.url, subject=SUBJECT
            )
            await served.access.add_member(seat)
            async with served.calling(token=token) as call, call.socket("dm") as peer:
                refused = await peer.ask(type="activate", id="n", campaign_id="nowhere")
                assert refused["code"] == "forbidden"
                await peer.say(type="activate", id="a", campaign_id="c")
                assert (await peer.until("campaign_loaded"))["structured_data"] == DOCUMENT
                assert (await peer.until("committed"))["version"] == 2
            _, events = await dm("GET", "/api/campaigns/c/events?after=1")
            assert events["events"][0]["actor"] == {"member": "lia", "role": "dm"}


async def test_a_follower_at_a_table_is_moved_with_its_own_seat_at_each_campaign(
    tmp_path: Path,
) -> None:
    signer = Signer.ec("ec")
    async with issuing() as issuer:
        issuer.keys = [signer.jwk()]
        config = Config(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
        token = signer.token(issuer.claims(iat=time.time(), exp=time.time() + 600))
        async with guarded(tmp_path, config=config) as served, AsyncExitStack() as stack:
            dms = {}
            seats: tuple[tuple[str, Role, str], ...] = (
                ("c", "player", "mira"),
                ("d", "spectator", "guest"),
            )
            for name, role, member in seats:
                seat = await served.token("dm", campaign_id=name)
                dms[name] = await stack.enter_async_context(served.calling(token=seat))
                await dms[name].create(name, DOCUMENT)
                await served.access.add_member(
                    Member(
                        campaign_id=name,
                        member=member,
                        role=role,
                        issuer=issuer.url,
                        subject=SUBJECT,
                    )
                )
            call = await stack.enter_async_context(served.calling(token=token))
            peer: Peer = await stack.enter_async_context(call.socket(table="main"))
            for name, private in (("c", {"mira": {"a": 1}}), ("d", {}), ("c", {"mira": {"a": 1}})):
                await dms[name]("POST", f"/api/campaigns/{name}/activate", json={})
                loaded = await peer.until("campaign_loaded")
                assert loaded["campaign_id"] == name
                assert loaded["structured_data"]["private"] == private


async def test_the_sdk_renews_its_token_and_is_closed_for_good_without_one(
    served: Guarded,
) -> None:
    short = await served.token("player", "mira", lasts=1.2)
    async with CampaignClient(served.url, "c", token=short) as client:
        await client.live()
        client.authenticate(await served.token("player", "tobin"))
        async for update in client:
            if getattr(update, "reason", None) == "role":
                break
        assert client.document is not None
        assert client.document["private"] == {"tobin": {"b": 2}}
        await served.access.remove_member("c", "tobin", now_ms())
        with pytest.raises(ClosedError) as closed:
            await within_a_second(client.reached(99))
        assert (closed.value.code, closed.value.close_code) == ("forbidden", 4403)


async def test_an_access_file_that_cannot_be_read_lets_nobody_in_and_shuts_nobody_out(
    served: Guarded,
) -> None:
    async with served.calling("player", "mira") as call, call.socket(campaign_id="c") as peer:
        await peer.next()
        oda = await served.token("player", "oda")
        size = served.access.path.stat().st_size
        served.access.path.write_bytes(b"CANARY-NOT-A-DATABASE" * (size // 20))
        async with served.calling(token=oda) as late:
            status, problem = await late("GET", "/api/campaigns/c/state")
            assert (status, problem["code"]) == (503, "store_unavailable")
            assert "CANARY" not in str(problem)
            async with late.socket(campaign_id="c") as refused:
                assert (await refused.next())["code"] == "store_unavailable"
                assert await refused.closed() == 1012
        await peer.say(type="heartbeat", version=1)
        assert (await peer.next())["type"] == "heartbeat"
