"""An open server: nobody shows a token, and whoever says which player they are is that one."""

from __future__ import annotations

from typing import Any

import pytest

from server.routes import routes
from tests.server.test_sessions import DOCUMENT, RULES
from tests.support.peer import Caller, put

PLAYERS = {"player_id=mira": "player:mira", "role=player": "player", "player_id=dm": "player:dm"}


@pytest.fixture
async def played(call: Caller) -> Caller:
    """Yield calls to an open server whose campaign `c` has secrets, and a session that is on."""
    await call.create("c", DOCUMENT, visibility=RULES)
    await call("POST", "/api/campaigns/c/activate", json={})
    await call.commit("c", put("/dm/plan", "CANARY-2"), kind="plotted")
    await call.commit("c", put("/private/mira/note", 1), kind="whispered")
    await call.commit("c", put("/hp", 9), kind="hit")
    return call


async def get(call: Caller, path: str, status: int = 200) -> Any:
    found, answer = await call("GET", f"/api/campaigns{path}")
    assert found == status, answer
    return answer


@pytest.mark.parametrize("query", PLAYERS)
async def test_a_player_is_shown_what_that_player_may_see(played: Caller, query: str) -> None:
    viewer = PLAYERS[query]
    state = await get(played, f"/c/state?{query}&role=player")
    assert state == await get(played, f"/c/state?as={viewer}")
    assert "CANARY" not in str(state)
    recap = await get(played, f"/c/recap?{query}")
    assert recap == await get(played, f"/c/recap?as={viewer}")
    assert recap["position"] == state["position"]
    assert "plotted" not in str(recap)
    [session] = (await get(played, f"/c/sessions?{query}"))["sessions"]
    assert session["counts"] is None
    [summary] = (await get(played, f"?{query}"))["campaigns"]
    assert summary == await get(played, f"/c?{query}")
    assert summary["position"] == state["position"]
    polled = await get(played, f"/c/updates?wait=0&{query}")
    assert polled["position"] == state["position"]


@pytest.mark.parametrize("query", PLAYERS)
async def test_a_player_may_do_no_more_than_a_player(played: Caller, query: str) -> None:
    for path in (
        f"/c/events?{query}",
        f"/c/state?version=1&{query}",
        f"/c/state?as=dm&{query}",
        f"/c/recap?as=dm&{query}",
        f"/c/replay?speed=max&{query}",
    ):
        assert (await get(played, path, 403))["code"] == "forbidden"
    for method, path, body in (
        ("PUT", "/api/campaigns/d", {"structured_data": {}}),
        ("PUT", "/api/campaigns/c/state", {"hp": 1}),
        ("POST", "/api/campaigns/c/events", {"patch": [put("/hp", 1)]}),
        ("POST", "/api/campaigns/c/rewind", {"to_version": 1}),
        ("POST", "/api/campaigns/c/deactivate", {}),
    ):
        status, problem = await played(method, f"{path}?{query}", json=body)
        assert (status, problem["code"]) == (403, "forbidden")
    assert (await get(played, "/c"))["version"] == 5


async def test_who_says_nothing_is_the_dm(played: Caller) -> None:
    for query in ("", "role=dm"):
        assert (await get(played, f"/c/state?{query}"))["structured_data"]["dm"]
        assert len((await get(played, f"/c/events?{query}"))["events"]) == 5
        assert (await get(played, f"/c/recap?session=1&{query}"))["events"][1]["kind"] == "plotted"


@pytest.mark.parametrize("query", ["player_id=", "player_id=a/b", "role=king", "role=spectator"])
async def test_who_says_to_be_nobody_is_refused(played: Caller, query: str) -> None:
    for path in ("", "/c", "/c/state", "/c/recap", "/c/sessions", "/c/events", "/c/updates"):
        assert (await get(played, f"{path}?{query}", 422))["code"] == "invalid"


async def test_the_description_names_it_wherever_somebody_calls(played: Caller) -> None:
    _, told = await played("GET", "/api/openapi.json")
    for route in routes():
        operation = told["paths"][route.path][route.method.lower()]
        named = [each["name"] for each in operation["parameters"]]
        assert len(named) == len(set(named))
        assert ({"player_id", "role"} <= set(named)) == (route.act is not None)
        assert ("token" in named) == route.as_socket
