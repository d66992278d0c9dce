"""One DM at the wheel: the lease is a number, and whoever names a lost one is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import Guarded, guarded
from tests.support.peer import Peer, calling, put
from tests.support.server import Served
from tests.support.talk import heard, so_far, until_told


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with a campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"hp": 7})
        yield served


async def come(stack: AsyncExitStack, served: Guarded, role: Any, name: str | None = None) -> Peer:
    call = await stack.enter_async_context(served.calling(role, name))
    path = "dm" if role == "dm" else "player"
    peer = await stack.enter_async_context(call.socket(path, campaign_id="c"))
    await peer.until("presence")
    return peer


async def commit(dm: Peer, hp: int, **more: Any) -> dict[str, Any]:
    return await dm.ask(type="commit", patch=[put("/hp", hp)], **more)


async def test_a_second_dm_takes_over_and_the_first_is_told_and_fenced(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        one = await come(stack, served, "dm")
        assert (await one.until("lease"))["lease"] is None
        taken = await one.ask(type="take_lease", id="t1", name="tablet")
        assert (taken["type"], taken["id"], taken["version"]) == ("committed", "t1", 2)
        assert (await commit(one, 1, id="a", lease=2))["type"] == "committed"

        two = await come(stack, served, "dm", "lia")
        told = await two.until("lease")
        assert (told["lease"], told["member"], told["name"]) == (2, "dm", "tablet")
        assert (await two.ask(type="take_lease", name="agent"))["version"] == 4
        told = await until_told(one, "lease", lease=4)
        assert (told["member"], told["name"]) == ("lia", "agent")

        lost = await commit(one, 99, id="b", lease=2)
        assert (lost["type"], lost["code"], lost["version"]) == ("rejected", "lease_lost", 4)
        assert (await commit(one, 99, lease=5))["code"] == "lease_lost", "a lease is not guessed"
        assert (await commit(two, 2, lease=4))["type"] == "committed"
        assert (await commit(one, 3))["type"] == "committed", "a commit that names none is accepted"
        retry = await commit(one, 1, id="a", lease=2)
        assert (retry["duplicate"], retry["version"]) == (True, 3), "what was done is done"


async def test_taking_it_again_with_the_same_id_is_a_retry_and_takes_nothing(
    served: Guarded,
) -> None:
    async with AsyncExitStack() as stack:
        one, two = await come(stack, served, "dm"), await come(stack, served, "dm", "lia")
        await one.ask(type="take_lease", id="t1")
        await two.ask(type="take_lease", id="t1")
        again = await one.ask(type="take_lease", id="t1")
        assert (again["duplicate"], again["version"]) == (True, 2)
        assert (await commit(one, 1, lease=2))["code"] == "lease_lost"
        assert (await commit(two, 1, lease=3))["type"] == "committed"


async def test_only_the_one_in_force_can_be_let_go_of(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        one, two = await come(stack, served, "dm"), await come(stack, served, "dm")
        assert (await one.ask(type="release_lease", lease=1))["code"] == "lease_lost"
        await one.ask(type="take_lease")
        await two.ask(type="take_lease")
        assert (await one.ask(type="release_lease", lease=2))["code"] == "lease_lost"
        await so_far(one)
        done = await two.ask(type="release_lease", lease=3, id="r1")
        assert done["type"] == "committed"
        told = await one.until("lease")
        assert (told["lease"], told["member"], told["name"]) == (None, None, None)
        assert (await two.ask(type="release_lease", lease=3, id="r1"))["duplicate"] is True
        assert (await commit(two, 1, lease=3))["code"] == "lease_lost"


async def test_it_holds_over_http_too(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        one = await come(stack, served, "dm")
        await one.ask(type="take_lease")
        call = await stack.enter_async_context(served.calling("dm"))
        body = {"patch": [put("/hp", 1)]}
        status, problem = await call("POST", "/api/campaigns/c/events", json={**body, "lease": 1})
        assert (status, problem["code"], problem["version"]) == (409, "lease_lost", 2)
        status, _ = await call("POST", "/api/campaigns/c/events", json={**body, "lease": 2})
        assert status == 201


async def test_commits_under_way_while_it_changes_hands_are_fenced_in_order(
    served: Guarded,
) -> None:
    async with AsyncExitStack() as stack:
        one, two = await come(stack, served, "dm"), await come(stack, served, "dm")
        lease = (await one.ask(type="take_lease"))["version"]
        form = {"type": "commit", "patch": [put("/log", 1)], "lease": lease}
        for number in range(40):
            await one.say(**form, id=f"a{number}")
            if number == 20:
                await two.say(type="take_lease", id="mine")
        answers: dict[str, Any] = {}
        while len(answers) < 40:
            message = await one.hear()
            if message["type"] in ("committed", "rejected"):
                answers[message["id"]] = message
        taken = (await until_told(two, "committed", id="mine"))["version"]
        for answer in answers.values():
            done = answer["type"] == "committed"
            assert done == (answer["version"] < taken), answer
            assert done or answer["code"] == "lease_lost"


async def test_players_neither_take_it_nor_hear_of_it(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        mira, crowd = (
            await come(stack, served, "player", "mira"),
            await come(stack, served, "spectator"),
        )
        dm = await come(stack, served, "dm", "lia")
        await dm.ask(type="take_lease", name="CANARY")
        for peer in (mira, crowd):
            assert (await peer.ask(type="take_lease"))["code"] == "forbidden"
            assert (await peer.ask(type="release_lease", lease=2))["code"] == "forbidden"
            assert await heard(peer, "lease") == []
        late = await come(stack, served, "player", "tobin")
        everything = str(await so_far(late))
        assert "CANARY" not in everything
        assert "lease" not in everything


async def test_it_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as server:
        async with calling(server.url) as call:
            await call.create("c", {"hp": 7})
            async with call.socket("dm", campaign_id="c") as dm:
                await dm.ask(type="take_lease", name="tablet")
        await server.kill()
        await server.restart()
        async with calling(server.url) as call, call.socket("dm", campaign_id="c") as dm:
            told = await dm.until("lease")
            assert (told["lease"], told["name"]) == (2, "tablet")
            assert (await commit(dm, 1, lease=2))["type"] == "committed"
