"""Forking over HTTP: a campaign that goes its own way from a version of another's log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import Guarded, guarded
from tests.support.peer import Caller, calling, put
from tests.support.server import Served, command

PARTY = {"hp": 9, "dm": {"plan": "a trap"}, "all_narratives": []}
RULES = {"default": "visible", "rules": [{"path": "/dm", "to": ["dm"]}]}


@pytest.fixture
async def played(call: Caller) -> Caller:
    """Yield calls to a server whose campaign `c` is played at the table `main`."""
    await call.create("c", PARTY, title="Ashfall", visibility=RULES)
    await call("POST", "/api/campaigns/c/activate", json={})
    await call.commit("c", put("/hp", 4), id="hit", meta={"die": 20})
    await call.commit("c", put("/hp", 0))
    return call


async def fork(call: Caller, new: Any, at: Any, **more: Any) -> tuple[int, Any]:
    headers = {"Idempotency-Key": more.pop("key")} if "key" in more else {}
    body = {"new_id": new, "at_version": at, **more}
    return await call("POST", "/api/campaigns/c/fork", json=body, headers=headers)


async def get(call: Caller, path: str) -> Any:
    _, answer = await call("GET", f"/api/campaigns/{path}")
    return answer


async def test_it_has_the_history_and_goes_on_alone(played: Caller) -> None:
    status, made = await fork(played, "what-if", 3)
    assert (status, made["campaign_id"], made["version"]) == (201, "what-if", 4)
    assert made["duplicate"] is False
    log, source = await get(played, "what-if/events"), await get(played, "c/events")
    own = {"campaign_id", "hash"}
    for ours, theirs in zip(log["events"], source["events"][:3], strict=False):
        assert {**ours, **dict.fromkeys(own)} == {**theirs, **dict.fromkeys(own)}
        assert ours["campaign_id"] == "what-if"
    last = log["events"][3]
    assert (last["kind"], last["patch"]) == ("campaign.forked", [])
    origin = {"campaign_id": "c", "version": 3, "hash": source["events"][2]["hash"]}
    assert last["data"] == {"from": origin}
    await played.commit("what-if", put("/hp", 7))
    await played.commit("c", put("/hp", 1))
    assert (await get(played, "what-if/state"))["structured_data"]["hp"] == 7
    assert (await get(played, "c/state"))["structured_data"]["hp"] == 1
    assert (await get(played, "what-if/state?version=3"))["structured_data"]["hp"] == 4


async def test_it_has_the_rules_and_title_and_neither_seat_nor_wheel(played: Caller) -> None:
    async with played.socket("dm", campaign_id="c") as dm:
        assert (await dm.ask(type="take_lease", id="t"))["type"] == "committed"
    _, made = await fork(played, "d", 5)
    described = await get(played, "d")
    assert (described["title"], described["table"]) == ("Ashfall", None)
    assert described["version"] == made["version"]
    assert (await get(played, "c"))["table"] == "main"
    view = (await get(played, "d/state?as=player"))["structured_data"]
    assert view == {"hp": 0, "all_narratives": []}
    async with played.socket("dm", campaign_id="d") as dm:
        assert (await dm.until("lease"))["lease"] is None
    status, _ = await played("POST", "/api/campaigns/d/activate", json={"table": "other"})
    assert status == 200


async def test_a_stream_that_was_open_there_is_ended(played: Caller) -> None:
    async with played.socket("dm", campaign_id="c") as dm:
        await dm.ask(type="narration", id="n", phase="begin")
        await fork(played, "d", 5)
        [entry] = (await get(played, "d/state"))["structured_data"]["all_narratives"]
        while entry["state"] == "streaming":
            _, told = await played("GET", "/api/campaigns/d/updates?wait=5")
            [entry] = (await get(played, "d/state"))["structured_data"]["all_narratives"]
            assert told
        assert entry["state"] == "interrupted"
        assert (await dm.ask(type="narration", id="n", phase="end"))["type"] == "committed"


async def test_a_retry_is_a_duplicate(played: Caller) -> None:
    _, first = await fork(played, "d", 3, key="again")
    await played.commit("d", put("/hp", 100))
    status, again = await fork(played, "d", 3, key="again")
    assert (status, again) == (200, {**first, "duplicate": True})
    status, problem = await fork(played, "d", 2, key="again")
    assert (status, problem["code"]) == (409, "id_reused")
    status, problem = await fork(played, "d", 3)
    assert (status, problem["code"], problem["version"]) == (409, "campaign_exists", 5)
    status, problem = await fork(played, "c", 3)
    assert (status, problem["code"]) == (409, "campaign_exists")
    status, problem = await fork(played, "e", 3, key="hit")
    assert (status, problem["code"]) == (409, "id_reused")


async def test_two_who_fork_at_once_make_one(played: Caller) -> None:
    answers = await asyncio.gather(*(fork(played, "d", at, key=f"f{at}") for at in (1, 2, 3, 4)))
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
    [made] = [answer for status, answer in answers if status == 201]
    assert (await get(played, "d"))["version"] == made["version"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"new_id": "d", "at_version": 0}, 404, "unknown_version"),
        ({"new_id": "d", "at_version": 5}, 404, "unknown_version"),
        ({"new_id": "d"}, 422, "invalid"),
        ({"at_version": 2}, 422, "invalid"),
        ({"new_id": "", "at_version": 2}, 422, "invalid"),
        ({"new_id": "a/b", "at_version": 2}, 422, "invalid"),
        ({"new_id": "d", "at_version": 2, "table": "main"}, 422, "invalid"),
        ({"new_id": "d", "at_version": "2"}, 422, "invalid"),
    ],
)
async def test_what_is_wrong_makes_nothing(
    played: Caller, body: Any, status: int, code: str
) -> None:
    found, problem = await played("POST", "/api/campaigns/c/fork", json=body)
    assert (found, problem["code"]) == (status, code)
    _, listed = await played("GET", "/api/campaigns")
    assert [each["campaign_id"] for each in listed["campaigns"]] == ["c"]


async def test_there_must_be_something_to_fork(call: Caller) -> None:
    status, problem = await fork(call, "d", 1)
    assert (status, problem["code"]) == (404, "unknown_campaign")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server that asks for tokens, with a campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", PARTY)
        yield served


@pytest.mark.parametrize("role", ["player", "spectator"])
async def test_only_a_dm_may(served: Guarded, role: Any) -> None:
    async with served.calling(role, "mira" if role == "player" else None) as call:
        status, problem = await fork(call, "d", 1)
    assert (status, problem["code"]) == (403, "forbidden")


async def test_a_dm_of_another_campaign_may_not(served: Guarded) -> None:
    async with served.calling("dm") as dm:
        status, problem = await dm(
            "POST", "/api/campaigns/secret/fork", json={"new_id": "d", "at_version": 1}
        )
    assert (status, problem["code"]) in {(403, "forbidden"), (404, "unknown_campaign")}


async def test_killed_at_once_it_is_there_with_all_its_history(tmp_path: Path) -> None:
    store = tmp_path / "q.db"
    async with Served.start(store) as served:
        async with calling(served.url) as call:
            await call.create("c", PARTY)
            for number in range(50):
                await call.commit("c", put("/hp", number))
            status, _ = await fork(call, "d", 51, key="f")
            assert status == 201
        await served.kill()
        await served.restart()
        async with calling(served.url) as call:
            assert (await get(call, "d"))["version"] == 52
            assert (await fork(call, "d", 51, key="f"))[0] == 200
    process = await command("verify", "--store", f"sqlite:///{store}")
    output, errors = await process.communicate()
    assert process.returncode == 0, output.decode() + errors.decode()


async def test_it_was_not_there_before_it_was_made(played: Caller) -> None:
    log = await get(played, "c/events")
    then = log["events"][3]["at"]
    await asyncio.sleep(0.01)
    await fork(played, "what-if", 4)
    status, said = await played("GET", f"/api/campaigns/what-if/state?at={then}")
    assert (status, said["code"]) == (404, "unknown_version")
    made = (await get(played, "what-if/events?after=4"))["events"][0]["at"]
    assert (await get(played, f"what-if/state?at={made}"))["version"] == 5
    assert (await get(played, f"c/state?at={then}"))["version"] == 4
