"""What a clever stranger, a removed member or a crowd tries: each was possible once."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.errors import StoreUnavailable
from server.access.authenticator import REMEMBERED, Authenticator
from server.access.file import AccessFile
from server.access.identity import OwnIdentity
from server.access.invites import make_invite
from server.access.records import Member, viewer_at
from server.clock import SystemClock
from server.config import Config
from tests.access.issuer import AUDIENCE, SUBJECT, Signer, issuing
from tests.support.access import Guarded, guarded, store_url
from tests.support.logs import Lines, lines_logger
from tests.support.peer import Caller, put, wire

DOCUMENT = {"hp": 7, "dm": {"plan": "CANARY-DM"}}
PATIENCE = 10.0


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def late(body: bytes, before_the_end: asyncio.Event, begun: asyncio.Event) -> Any:
    """Return a body whose last byte waits for an event."""

    async def chunks() -> AsyncIterator[bytes]:
        yield body[:-1]
        begun.set()
        await before_the_end.wait()
        yield body[-1:]

    return chunks()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "visibility", {"default": "visible", "rules": []}),
        ("POST", "events", {"patch": [put("/dm", "taken")]}),
        ("PUT", "state", {"dm": "taken"}),
        ("POST", "activate", {"table": "main"}),
        ("POST", "deactivate", {}),
    ],
)
@pytest.mark.parametrize("how", ["removed", "demoted", "expired"])
async def test_a_body_that_outlasts_its_senders_seat_changes_nothing(
    served: Guarded, method: str, path: str, body: Any, how: str
) -> None:
    kim = await served.token("dm", "kim", lasts=0.6 if how == "expired" else 60.0)
    go, begun = asyncio.Event(), asyncio.Event()
    async with served.calling(token=kim) as call:
        url = f"{call.url}/api/campaigns/c/{path}"
        data = late(json.dumps(body).encode() + b" ", go, begun)
        asking = asyncio.create_task(call.session.request(method, url, data=data).__aenter__())
        await asyncio.wait_for(begun.wait(), PATIENCE)
        if how == "removed":
            await served.access.remove_member("c", "kim", now_ms())
        elif how == "demoted":
            await served.access.set_role("c", "kim", "player")
        while True:
            # The server's own look, made now instead of within half a second.
            await served.services.admission.authenticator.refresh()
            status, _ = await call("GET", "/api/campaigns/c/state?version=1")
            if status in (401, 403):
                break
        go.set()
        answer = await asyncio.wait_for(asking, PATIENCE)
        assert answer.status == status
    async with served.calling("dm") as dm:
        _, state = await dm("GET", "/api/campaigns/c/state")
        assert (state["version"], state["structured_data"]) == (1, DOCUMENT)


async def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    config = Config(body_timeout=0.2)
    async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        data = late(b"{} ", asyncio.Event(), asyncio.Event())
        url = f"{dm.url}/api/campaigns/c/state"
        async with dm.session.put(url, data=data) as answer:
            assert answer.status == 422
            assert b'"code":"invalid"' in await answer.read()


@pytest.mark.parametrize("role", ["player", "dm"])
async def test_a_stranger_inflates_nothing(served: Guarded, role: str) -> None:
    bomb = ("[" + "[]," * (4 * 1024 * 1024) + "[]]").encode()
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = (squeezed.compress(bomb) + squeezed.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert len(body) < 32 * 1024
    async with (
        served.calling() as call,
        call.socket(role, campaign_id="c", options={"compress": 15}) as peer,
    ):
        assert bool(peer.socket.compress) == (role == "player")
        transport = wire(peer)
        mask = b"\0\0\0\0"
        transport.write(b"\xc1\xfe" + len(body).to_bytes(2, "big") + mask + body)
        error = await peer.next()
        assert error["code"] in ("too_large", "invalid")
        assert await peer.closed() in (4413, 4400)


async def test_who_asks_for_nothing_is_hung_up_on(
    served: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.hardening.FIRST_REQUEST", 0.2)
    host, _, port = served.url.removeprefix("http://").partition(":")
    for said in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
    async with served.calling("dm") as dm, dm.socket("dm", campaign_id="c") as peer:
        await peer.next()
        await asyncio.sleep(0.4)
        await peer.say(type="heartbeat", version=1)
        assert (await peer.next())["type"] == "heartbeat", "time is the subject: it has asked"


async def test_a_stranger_does_not_fill_the_log(tmp_path: Path) -> None:
    lines = Lines()
    async with guarded(tmp_path, log=lines_logger(lines)) as served, served.calling() as call:
        long = "/api/campaigns/" + "x" * 6_000 + "/state"
        for number in range(400):
            path = long if number % 2 else "/nowhere/" + "y" * 3_000
            headers = {"Authorization": "Basic eDp4"} if number % 3 else {}
            await call("GET", path, headers=headers)
        refused = lines.events("refused")
        assert len(refused) <= 150
        assert all(len(json.dumps(line)) < 600 for line in refused)
        async with call.session.get(f"{call.url}/metrics") as answer:
            text = await answer.text()
        counted = [line for line in text.splitlines() if line.startswith("questlog_refused_total")]
        assert sum(float(line.rpartition(" ")[2]) for line in counted) == 400


async def test_a_look_that_failed_is_taken_again(
    served: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served.calling("dm", "kim") as call, call.socket("dm", campaign_id="c") as peer:
        await peer.next()
        real, failures = AccessFile.find, [StoreUnavailable("locked")]

        async def find(access: AccessFile, pairs: Any) -> Any:
            if failures and access is not served.access:
                raise failures.pop()
            return await real(access, pairs)

        monkeypatch.setattr(AccessFile, "find", find)
        await served.access.remove_member("c", "kim", now_ms())
        assert await peer.closed() == 4403
        assert not failures


async def test_an_access_file_put_in_place_of_another_is_found(
    served: Guarded, tmp_path: Path
) -> None:
    async with served.calling("player", "mira") as call, call.socket(campaign_id="c") as peer:
        await peer.next()
        path, copy = served.access.path, tmp_path / "restored"
        await asyncio.to_thread(shutil.copy, path, copy)
        await asyncio.to_thread(os.replace, copy, path)
        restored = await AccessFile.open(store_url(served.path))
        await restored.remove_member("c", "mira", now_ms())
        await restored.close()
        assert await peer.closed() == 4403
        assert (await call("GET", "/api/campaigns/c/state"))[0] == 403


async def test_ten_thousand_seats_are_looked_up_and_that_ends(tmp_path: Path) -> None:
    access = await AccessFile.open(store_url(tmp_path / "q.db"))
    authenticator = Authenticator(access, SystemClock())
    await authenticator.start()
    asked = []
    for number in range(REMEMBERED + 100):
        viewer = viewer_at("player", f"p{number}")
        identity = OwnIdentity("k", float("inf"), now_ms(), "c", f"p{number}", viewer)
        asked.append((identity, "c"))
    async with asyncio.timeout(30):
        found = await authenticator.viewers(asked)
        assert found == [identity.viewer for identity, _ in asked]
        await authenticator.viewers(asked)
    await access.close()


async def test_a_token_is_taken_at_once_after_the_keys_were_rotated(served: Guarded) -> None:
    _, secret = await make_invite(
        served.access,
        "c",
        "mira",
        "player",
        max_uses=1,
        expires_at=now_ms() + 60_000,
        lasts=60,
        now_ms=now_ms(),
    )
    await served.access.rotate()
    async with served.calling() as call:
        status, joined = await call("POST", "/api/join", json={"invite": secret, "id": "x"})
        assert status == 200
        for token in (joined["token"], await served.token("player", "oda")):
            async with call.socket(campaign_id="c", token=token) as peer:
                assert (await peer.next())["type"] == "campaign_active"


async def test_metrics_are_not_for_a_page_that_was_led_here(served: Guarded) -> None:
    async with served.calling() as call:
        assert (await metrics(call, "127.0.0.1")) == 200
        assert (await metrics(call, "evil.example")) == 403


async def metrics(call: Caller, host: str) -> int:
    """Ask for the metrics under a host name."""
    async with call.session.get(f"{call.url}/metrics", headers={"Host": host}) as answer:
        return answer.status


async def test_a_claim_that_names_no_campaign_harms_nobody(tmp_path: Path) -> None:
    signer = Signer.ec("ec")
    async with issuing() as issuer:
        issuer.keys = [signer.jwk()]
        config = Config(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, oidc_claim="seats")
        seats = {"\ud800": "dm", "a/b": "dm", "": "dm", "c": "spectator"}
        claims = issuer.claims(iat=time.time(), exp=time.time() + 600, seats=seats)
        async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
            async with served.calling(token=signer.token(claims)) as call:
                status, listed = await call("GET", "/api/campaigns")
                assert status == 200
                assert [each["campaign_id"] for each in listed["campaigns"]] == ["c"]


async def test_a_dms_socket_whose_dm_became_a_player_goes_on_as_a_players(
    served: Guarded,
) -> None:
    async with (
        served.calling("dm", "kim") as call,
        served.calling("dm") as dm,
        call.socket("dm", table="main") as peer,
    ):
        await dm("POST", "/api/campaigns/c/activate", json={})
        assert (await peer.next())["structured_data"] == DOCUMENT
        await served.access.set_role("c", "kim", "player")
        assert (await peer.next())["structured_data"] == {"hp": 7}
        await dm("POST", "/api/campaigns/c/deactivate", json={})
        await dm("POST", "/api/campaigns/c/activate", json={})
        assert (await peer.until("campaign_loaded"))["structured_data"] == {"hp": 7}


async def test_a_users_seat_can_be_given_while_they_wait(tmp_path: Path) -> None:
    signer = Signer.ec("ec")
    async with issuing() as issuer:
        issuer.keys = [signer.jwk()]
        config = Config(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
        claims = issuer.claims(iat=time.time(), exp=time.time() + 600)
        async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
            async with (
                served.calling(token=signer.token(claims)) as call,
                call.socket(table="main") as peer,
            ):
                await peer.say(type="heartbeat", version=0)
                await peer.next()
                seat = Member(
                    campaign_id="c",
                    member="mira",
                    role="player",
                    issuer=issuer.url,
                    subject=SUBJECT,
                )
                await served.access.add_member(seat)
                await served.services.admission.authenticator.refresh()
                await dm("POST", "/api/campaigns/c/activate", json={})
                assert (await peer.next())["structured_data"] == {"hp": 7}
