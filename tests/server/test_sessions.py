"""Sessions and recaps over HTTP: what was played, who was there, and what somebody missed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from questlog.document import apply, equal
from tests.support.access import guarded
from tests.support.peer import Caller, put

RULES: dict[str, Any] = {
    "default": "visible",
    "rules": [
        {"path": "/dm", "to": ["dm"]},
        {"path": "/private/{player}", "to": ["dm", "{player}"]},
    ],
}
DOCUMENT: dict[str, Any] = {
    "hp": 10,
    "all_narratives": ["Rain."],
    "dm": {"plan": "CANARY"},
    "private": {"mira": {"note": 0}, "tobin": {"note": "CANARY"}},
}


async def evening(dm: Caller) -> None:
    """Play two sessions: versions 2 to 5 and 6 to 8, the second at another table and still on."""
    await dm.create("c", DOCUMENT, visibility=RULES)
    await dm("POST", "/api/campaigns/c/activate", json={"table": "main"})
    await dm.commit("c", put("/hp", 9), kind="hit")
    await dm.commit("c", put("/dm/plan", "CANARY-2"), kind="plotted.CANARY".lower())
    await dm("POST", "/api/campaigns/c/deactivate", json={})
    await dm("POST", "/api/campaigns/c/activate", json={"table": "cellar"})
    await dm.commit("c", put("/all_narratives/-", "Thunder."), kind="told")
    await dm.commit("c", put("/private/mira/note", 1), kind="whispered")


async def recap(call: Caller, query: str = "") -> Any:
    """Return a recap, which must be given."""
    status, answer = await call("GET", f"/api/campaigns/c/recap{query}")
    assert status == 200, answer
    return answer


async def test_a_dm_is_told_of_sessions_what_happened_and_who_was_there(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await evening(dm)
        async with mira.socket(campaign_id="c") as peer:
            await peer.next()
            status, told = await dm("GET", "/api/campaigns/c/sessions")
        assert status == 200
        assert told["total"] == 2
        first, second = told["sessions"]
        assert (first["number"], first["table"], first["title"]) == (1, "main", None)
        assert (first["from_version"], first["to_version"]) == (2, 5)
        assert first["ended_at"] >= first["began_at"]
        assert first["counts"]["events"] == 4
        assert first["counts"]["kinds"]["hit"] == 1
        assert first["counts"]["actors"] == [{"member": "dm", "role": "dm", "events": 4}]
        assert first["present"] == []
        assert (second["from_version"], second["to_version"], second["ended_at"]) == (6, None, None)
        assert [each["player_id"] for each in second["present"]] == ["mira"]
        _, page = await dm("GET", "/api/campaigns/c/sessions?after=1&limit=1")
        assert [each["number"] for each in page["sessions"]] == [2]
        assert (await dm("GET", "/api/campaigns/c/sessions?limit=0"))[0] == 422


async def test_a_player_is_told_when_it_was_played_and_of_themselves_alone(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
        served.calling("player", "tobin") as tobin,
        served.calling("spectator") as crowd,
    ):
        await evening(dm)
        async with (
            mira.socket(campaign_id="c") as one,
            tobin.socket(campaign_id="c") as two,
            crowd.socket(campaign_id="c") as three,
        ):
            for peer in (one, two, three):
                await peer.next()
            for call, present in ((mira, ["mira"]), (tobin, ["tobin"]), (crowd, [])):
                status, told = await call("GET", "/api/campaigns/c/sessions")
                assert status == 200
                assert [each["counts"] for each in told["sessions"]] == [None, None]
                named = [who["player_id"] for who in told["sessions"][1]["present"]]
                assert named == present
                assert "plotted" not in str(told)


async def test_a_recap_begins_at_what_was_acknowledged_and_spoils_nothing(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await dm.create("c", DOCUMENT, visibility=RULES)
        async with mira.socket(campaign_id="c") as peer:
            await peer.next()
            await peer.say(type="heartbeat", version=1)
            await peer.until("heartbeat")
        await dm("POST", "/api/campaigns/c/activate", json={})
        await dm.commit("c", put("/dm/plan", "CANARY-2"), kind="plotted")
        await dm.commit("c", put("/all_narratives/-", {"id": "n", "text": "Thunder."}))
        await dm.commit("c", put("/private/tobin/note", "CANARY-3"), kind="whispered")
        told = await recap(mira)
        assert (told["from_version"], told["to_version"]) == (1, 5)
        assert [event["version"] for event in told["events"]] == [4]
        assert told["narratives"] == [{"id": "n", "text": "Thunder."}]
        assert told["changed"] == ["/all_narratives/1"]
        assert "CANARY" not in str(told)
        assert "plotted" not in str(told)
        _, state = await mira("GET", "/api/campaigns/c/state")
        assert told["position"] == state["position"]
        assert told == await recap(dm, "?as=player:mira")
        # A DM has no such secrets, and is told of every event.
        assert [each["version"] for each in (await recap(dm, "?since=1"))["events"]] == [2, 3, 4, 5]
        status, refused = await mira("GET", "/api/campaigns/c/recap?as=dm")
        assert (status, refused["code"]) == (403, "forbidden")


async def test_where_nothing_was_played_there_is_nothing_to_tell(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "tobin") as tobin,
    ):
        await dm.create("c", DOCUMENT, visibility=RULES)
        await dm.commit("c", put("/hp", 9))
        told = await recap(tobin)
        assert (told["from_version"], told["to_version"], told["patch"]) == (2, 2, [])
        assert (told["events"], told["narratives"], told["changed"]) == ([], [], [])
        _, answer = await tobin("GET", "/api/campaigns/c/sessions")
        assert answer == {"campaign_id": "c", "sessions": [], "total": 0}


async def test_a_recap_of_a_session_and_of_positions_that_are_none(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
        served.calling("player", "tobin") as tobin,
    ):
        await evening(dm)
        for call in (mira, tobin):
            told = await recap(call)
            assert told["from_version"] == 5, "the last session began at version 6"
        assert (await recap(mira, "?session=1"))["from_version"] == 1
        _, state = await mira("GET", "/api/campaigns/c/state")
        assert (await recap(mira, f"?since={state['position']}"))["from_version"] == 8
        # Another's position, one of the future and one that was made up are gone.
        for since in (state["position"], "99", "8.0123456789abcdef"):
            assert (await recap(tobin, f"?since={since}"))["from_version"] == 5
        for query, code in (
            ("?since=soon", "invalid"),
            ("?session=3", "unknown_version"),
            ("?session=0", "unknown_version"),
            ("?session=1&since=1", "invalid"),
        ):
            _, refused = await mira("GET", f"/api/campaigns/c/recap{query}")
            assert refused["code"] == code


@pytest.mark.parametrize("seed", range(3))
async def test_a_recap_leads_from_the_view_of_then_to_that_of_now(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT, visibility=RULES)
        for number in range(40):
            where = rng.choice(["/hp", "/dm/plan", "/private/mira/note", "/private/tobin/note"])
            if rng.random() < 0.1:
                hidden = [{"path": "/hp", "to": ["dm"]}] * (rng.random() < 0.5)
                rules = {"default": "visible", "rules": [*RULES["rules"], *hidden]}
                await dm("PUT", "/api/campaigns/c/visibility", json=rules)
            else:
                await dm.commit("c", put(where, f"CANARY-{number}" if "dm" in where else number))
        for who in ("player:mira", "player:tobin", "spectator", "dm"):
            since = rng.randrange(1, 41)
            path = "/api/campaigns/c/state"
            _, then = await dm("GET", f"{path}?version={since}&as={who}")
            _, now = await dm("GET", f"{path}?as={who}")
            held = await recap(dm, f"?since={then['position']}&as={who}")
            before, after = then["structured_data"], now["structured_data"]
            assert equal(apply(before, held["patch"]), after), (seed, who)
            told = await recap(dm, f"?since={since}&as={who}")
            for each in (told, held):
                assert who == "dm" or "CANARY" not in str(each), (seed, who)
            # Who has not shown that they held it is told of it as far as it is open now.
            known = {name: value for name, value in before.items() if name in after or who == "dm"}
            assert equal(apply(known, told["patch"]), after), (seed, who)
            assert {each["version"] for each in told["events"]} <= {
                each["version"] for each in held["events"]
            }
