"""Rewinding over HTTP: one more event, previewed, fenced, and undone in its turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import Guarded, guarded
from tests.support.peer import Caller, calling, put
from tests.support.server import Served

PARTY = {"characters": {"mira": {"hp": 9}, "tobin": {"hp": 7}}, "dm": {"plan": "a trap"}}


@pytest.fixture
async def played(call: Caller) -> Caller:
    """Yield calls to a server whose campaign `c` has five versions."""
    await call.create("c", PARTY)
    await call.commit("c", put("/characters/mira/hp", 4))
    await call.commit("c", put("/characters/tobin/hp", 0), put("/dm/plan", "mercy"))
    await call.commit("c", {"op": "remove", "path": "/characters/tobin"})
    await call.commit("c", put("/scene", "the crypt"))
    return call


async def rewind(call: Caller, to: Any, **more: Any) -> tuple[int, Any]:
    headers = {"Idempotency-Key": more.pop("key")} if "key" in more else {}
    body = {"to_version": to, **more}
    return await call("POST", "/api/campaigns/c/rewind", json=body, headers=headers)


async def state(call: Caller, **query: Any) -> Any:
    _, answer = await call("GET", "/api/campaigns/c/state", params=query)
    return answer


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
async def test_the_document_is_that_of_the_version(played: Caller, version: int) -> None:
    status, answer = await rewind(played, version)
    assert (status, answer["version"], answer["duplicate"]) == (201, 6, False)
    now, then = await state(played), await state(played, version=version)
    assert now["structured_data"] == then["structured_data"]
    assert now["position"] == answer["position"]
    _, log = await played("GET", "/api/campaigns/c/events?after=5")
    [event] = log["events"]
    assert (event["kind"], event["patch"]) == ("campaign.rewound", answer["patch"])
    assert event["data"] == {"to_version": version, "only": None}


async def test_a_rewind_is_rewound(played: Caller) -> None:
    before = await state(played)
    await rewind(played, 1)
    await played.commit("c", put("/scene", "the inn"))
    status, answer = await rewind(played, 5)
    assert (status, answer["version"]) == (201, 8)
    assert (await state(played))["structured_data"] == before["structured_data"]


async def test_a_part_alone_is_brought_back(played: Caller) -> None:
    status, answer = await rewind(played, 2, only="/characters/tobin")
    assert status == 201
    expected = [{"op": "add", "path": "/characters/tobin", "value": {"hp": 7}}]
    assert answer["patch"] == expected
    document = (await state(played))["structured_data"]
    assert document["characters"] == {"mira": {"hp": 4}, "tobin": {"hp": 7}}
    assert (document["scene"], document["dm"]) == ("the crypt", {"plan": "mercy"})


async def test_followers_get_it_as_any_change(played: Caller) -> None:
    async with played.socket(campaign_id="c", player_id="mira") as mira:
        await mira.until("campaign_active")
        await rewind(played, 1)
        update = await mira.until("campaign_updated")
    assert (update["base"], update["version"]) == (5, 6)
    assert "trap" not in str(update)
    assert [event["kind"] for event in update["events"]] == ["campaign.rewound"]


async def test_a_retry_is_a_duplicate_whatever_has_happened_since(played: Caller) -> None:
    first = await rewind(played, 1, key="back")
    await played.commit("c", put("/scene", "the inn"))
    status, again = await rewind(played, 1, id="back")
    assert (status, again) == (200, {**first[1], "duplicate": True})
    status, problem = await rewind(played, 2, key="back")
    assert (status, problem["code"]) == (409, "id_reused")
    assert (await state(played))["version"] == 7


@pytest.mark.parametrize("to", [0, 6, 99, -1, 10**30])
async def test_a_version_that_is_not_there_is_404(played: Caller, to: int) -> None:
    status, problem = await rewind(played, to)
    assert (status, problem["code"]) in {(404, "unknown_version"), (422, "invalid")}
    assert (await state(played))["version"] == 5


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid"),
        ({"to_version": "2"}, 422, "invalid"),
        ({"to_version": 2, "only": "characters"}, 422, "invalid"),
        ({"to_version": 2, "only": "/nowhere"}, 422, "invalid"),
        ({"to_version": 2, "more": 1}, 422, "invalid"),
        ({"to_version": 2, "expected_version": 4}, 409, "version_conflict"),
        ({"to_version": 2, "lease": 3}, 409, "lease_lost"),
    ],
)
async def test_what_is_wrong_changes_nothing(
    played: Caller, body: Any, status: int, code: str
) -> None:
    for preview in (False, True):
        sent = {**body, "preview": preview}
        found, problem = await played("POST", "/api/campaigns/c/rewind", json=sent)
        assert (found, problem["code"]) == (status, code)
    assert (await state(played))["version"] == 5


async def test_a_condition_that_does_not_hold_is_412(played: Caller) -> None:
    body = {"to_version": 1}
    path = "/api/campaigns/c/rewind"
    status, problem = await played("POST", path, json=body, headers={"If-Match": '"4"'})
    assert (status, problem["code"]) == (412, "version_conflict")


async def test_a_preview_says_what_would_change_and_changes_nothing(played: Caller) -> None:
    status, told = await rewind(played, 4, preview=True)
    assert status == 200
    assert told == {
        "campaign_id": "c",
        "version": 5,
        "to_version": 4,
        "only": None,
        "patch": [{"op": "remove", "path": "/scene"}],
        "seen": [],
    }
    assert (await state(played))["version"] == 5


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server that asks for tokens, with a campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {**PARTY, "private": {}})
        yield served


async def test_a_preview_names_who_has_seen_what_is_undone_and_no_one_else(
    served: Guarded,
) -> None:
    async with served.calling("dm") as dm:
        async with (
            served.calling("player", "mira") as mira,
            mira.socket(campaign_id="c") as screen,
            served.calling("player", "tobin") as tobin,
        ):
            await screen.until("campaign_active")
            await dm.commit("c", put("/characters/mira/hp", 4))
            async with tobin.socket(campaign_id="c") as phone:
                await phone.until("campaign_active")
            await dm.commit("c", put("/private/mira", "you hear a knock"))
            await dm.commit("c", put("/dm/plan", "mercy"))
            while (await screen.until("campaign_updated"))["version"] < 4:
                pass
        _, told = await rewind(dm, 1, preview=True)
        seen = {each["player_id"]: each for each in told["seen"]}
        assert seen.keys() == {"mira", "tobin"}
        hp = {"op": "replace", "path": "/characters/mira/hp", "value": 9}
        assert seen["tobin"] == {
            "role": "player",
            "player_id": "tobin",
            "version": 2,
            "patch": [hp],
        }
        assert seen["mira"]["version"] == 4
        places = sorted(each["path"] for each in seen["mira"]["patch"])
        assert places == ["/characters/mira/hp", "/private/mira"]
        _, told = await rewind(dm, 3, preview=True)
        assert told["seen"] == [], "the DM's own plans were seen by no player"


@pytest.mark.parametrize("call", ["state", "recap"])
async def test_a_preview_names_who_has_read_it_over_http(served: Guarded, call: str) -> None:
    path = f"/api/campaigns/c/{call}"
    async with (
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
        served.calling("player", "tobin") as tobin,
        served.calling("spectator") as crowd,
    ):
        await dm("POST", "/api/campaigns/c/activate", json={})
        await dm.commit("c", put("/scene", "the crypt"))
        _, told = await rewind(dm, 1, preview=True)
        assert told["seen"] == []
        for each in (mira, crowd):
            assert (await each("GET", path))[0] == 200
        # Nor is anybody thought to have seen what a DM looked at with their eyes.
        await dm("GET", f"{path}?as=player:tobin")
        await dm.commit("c", put("/scene", "the inn"))
        for kept in (False, True):
            if kept:
                await served.services.attendance.write(last=True)
            _, told = await rewind(dm, 2, preview=True)
            seen = [(each["role"], each["player_id"], each["version"]) for each in told["seen"]]
            assert sorted(seen, key=str) == [("player", "mira", 3), ("spectator", None, 3)]
            patch = [{"op": "remove", "path": "/scene"}]
            assert [each["patch"] for each in told["seen"]] == [patch, patch]
        _, answer = await dm("GET", "/api/campaigns/c/sessions")
        assert answer["sessions"][0]["present"] == [], "who only reads was not at the session"
        assert await served.services.attendance.acknowledged("c") == {}
        assert (await tobin("GET", "/api/campaigns/c"))[0] == 200
        _, told = await rewind(dm, 2, preview=True)
        assert len(told["seen"]) == 2, "what a campaign is called is none of its document"


async def test_a_preview_on_an_open_server_names_who_says_they_read_it(played: Caller) -> None:
    await state(played, player_id="mira")
    _, told = await rewind(played, 4, preview=True)
    assert [(each["player_id"], each["version"]) for each in told["seen"]] == [("mira", 5)]


@pytest.mark.parametrize("role", ["player", "spectator"])
async def test_only_a_dm_may_and_previews_no_less(served: Guarded, role: Any) -> None:
    async with served.calling(role, "mira" if role == "player" else None) as call:
        for preview in (True, False):
            status, problem = await rewind(call, 1, preview=preview)
            assert (status, problem["code"]) == (403, "forbidden")


async def test_a_narration_that_is_rewound_away_ends_all_the_same(played: Caller) -> None:
    async with played.socket("dm", campaign_id="c") as dm:
        begun = await dm.ask(type="narration", id="n", phase="begin")
        assert begun["type"] == "committed", begun
        await rewind(played, 5)
        ended = await dm.ask(type="narration", id="n", phase="end")
    assert ended["type"] == "committed", ended
    assert "all_narratives" not in (await state(played))["structured_data"]


async def test_it_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as served:
        async with calling(served.url) as call:
            await call.create("c", PARTY)
            await call.commit("c", put("/scene", "the crypt"))
            _, first = await rewind(call, 1, key="back")
        await served.kill()
        await served.restart()
        async with calling(served.url) as call:
            status, again = await rewind(call, 1, key="back")
            assert (status, again["version"], again["duplicate"]) == (200, first["version"], True)
            assert (await state(call))["structured_data"] == PARTY
