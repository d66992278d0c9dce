"""Invites: a link, once or many times, until it runs out; and the page it opens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.events import Role
from server.access.invites import list_invites, make_invite, revoke_invite
from server.config import Config
from tests.support.access import Guarded, guarded
from tests.support.logs import Lines, lines_logger
from tests.support.peer import Caller

HOUR = 3_600_000


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"hp": 7, "private": {"mira": {"a": 1}}})
        yield served


async def invited(
    served: Guarded,
    member: str = "mira",
    role: Role = "player",
    *,
    uses: int | None = 1,
    lasts: int = 60,
    good_for: int = HOUR,
) -> tuple[str, str]:
    """Make an invite to `c`; returns its id and its secret."""
    now = time.time_ns() // 1_000_000
    return await make_invite(
        served.access,
        "c",
        member,
        role,
        max_uses=uses,
        expires_at=now + good_for,
        lasts=lasts,
        now_ms=now,
    )


async def join(call: Caller, secret: str, identifier: str) -> tuple[int, Any]:
    """Ask for a token."""
    return await call("POST", "/api/join", json={"invite": secret, "id": identifier})


async def test_an_invite_becomes_a_token_for_its_seat(served: Guarded) -> None:
    _, secret = await invited(served)
    async with served.calling() as call:
        status, joined = await join(call, secret, "browser")
        assert status == 200
        assert (joined["campaign_id"], joined["role"], joined["player_id"]) == (
            "c",
            "player",
            "mira",
        )
        async with call.socket(campaign_id="c", token=joined["token"]) as peer:
            assert (await peer.next())["structured_data"]["private"] == {"mira": {"a": 1}}


async def test_an_invite_for_one_use_seats_one_browser(served: Guarded) -> None:
    identifier, secret = await invited(served)
    async with served.calling() as call:
        rush = [join(call, secret, f"browser-{number}") for number in range(8)]
        answers = await asyncio.gather(*rush)
        winners = [number for number, (status, _) in enumerate(answers) if status == 200]
        assert len(winners) == 1
        assert all(body["code"] == "unauthenticated" for status, body in answers if status != 200)
        # Its answer may have been lost: asked again it is given again, and to nobody else.
        assert (await join(call, secret, f"browser-{winners[0]}"))[0] == 200
        assert (await join(call, secret, "another"))[0] == 401
    (found,) = await list_invites(served.access, "c")
    assert (found.invite_id, found.uses, found.max_uses) == (identifier, 1, 1)
    assert not found.open_at(0)


async def test_an_invite_may_be_for_many(served: Guarded) -> None:
    _, three = await invited(served, "spectator", "spectator", uses=3)
    _, any_number = await invited(served, "spectator", "spectator", uses=None)
    async with served.calling() as call:
        statuses = [(await join(call, three, f"{number}"))[0] for number in range(4)]
        assert statuses == [200, 200, 200, 401]
        statuses = [(await join(call, any_number, f"{number}"))[0] for number in range(20)]
        assert statuses == [200] * 20


async def test_one_that_has_run_out_or_was_revoked_seats_nobody(served: Guarded) -> None:
    _, expired = await invited(served, good_for=-1)
    identifier, revoked = await invited(served, uses=None)
    _, removed = await invited(served, "tobin", uses=None)
    async with served.calling() as call:
        assert (await join(call, revoked, "first"))[0] == 200
        assert await revoke_invite(served.access, "c", identifier)
        assert not await revoke_invite(served.access, "other", identifier)
        await served.access.remove_member("c", "tobin", time.time_ns() // 1_000_000)
        for secret in (expired, revoked, removed):
            status, problem = await join(call, secret, "first")
            assert (status, problem["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"invite": "guess", "id": "x"}, 401, "unauthenticated"),
        ({"invite": "guess"}, 422, "invalid"),
        ({"invite": "guess", "id": ""}, 422, "invalid"),
        ({"invite": "guess", "id": "x" * 65}, 422, "invalid"),
        ({"invite": 7, "id": "x"}, 422, "invalid"),
        ({"invite": "guess", "id": "x", "role": "dm"}, 422, "invalid"),
        ({"invite": "x" * 5_000, "id": "x"}, 413, "too_large"),
        ([], 422, "invalid"),
    ],
)
async def test_a_bad_join_is_told_why(served: Guarded, body: Any, status: int, code: str) -> None:
    async with served.calling() as call:
        answer, problem = await call("POST", "/api/join", json=body)
        assert (answer, problem["code"]) == (status, code)
        assert "guess" not in str(problem)


async def test_too_many_guesses_are_told_to_come_back_later(tmp_path: Path) -> None:
    config = Config(failed_tokens=5, player_rate=1_000)
    async with guarded(tmp_path, config=config) as served, served.calling() as call:
        statuses = [(await join(call, f"guess-{number}", "x"))[0] for number in range(8)]
        assert statuses[:5] == [401] * 5
        assert set(statuses[5:]) == {429}
        async with call.session.post(
            f"{call.url}/api/join", json={"invite": "x", "id": "x"}
        ) as late:
            assert late.status == 429
            assert int(late.headers["Retry-After"]) >= 1
        # Who holds a good invite or token is let in all the same.
        _, secret = await invited(served)
        assert (await join(call, secret, "browser"))[0] == 200
        async with served.calling("dm") as dm:
            assert (await dm("GET", "/api/campaigns/c/state"))[0] == 404


async def test_a_secret_is_in_no_log_and_not_in_the_file(tmp_path: Path) -> None:
    lines = Lines()
    async with guarded(tmp_path, log=lines_logger(lines)) as served, served.calling() as call:
        _, secret = await invited(served)
        _, joined = await join(call, secret, "browser")
        await join(call, secret, "another")
        assert lines.events("refused")[0]["what"] == "POST /api/join"
        kept = await asyncio.to_thread(served.access.path.read_bytes)
    for word in (secret, joined["token"]):
        assert word not in lines.text()
        assert word.encode() not in kept


async def test_an_open_server_has_nothing_to_join(tmp_path: Path) -> None:
    config = Config(open=True)
    async with guarded(tmp_path, config=config) as served, served.calling() as call:
        served.services.admission.authenticator.access = None
        status, problem = await join(call, "x", "x")
        assert (status, problem["code"]) == (403, "forbidden")
