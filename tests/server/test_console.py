"""What a DM's console asks: the rules, rules tried out, invites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.access.invites import make_invite
from server.config import Config
from server.console import MAX_INVITES
from tests.support.access import Guarded, guarded
from tests.support.peer import calling

DOCUMENT = {"hp": 7, "plan": "CANARY", "dm": {"x": 1}, "private": {"mira": {"a": 1}}}
RULES = {"default": "hidden", "rules": [{"path": "/hp", "to": ["all"], "when": {"open": True}}]}
PATH = "/api/campaigns/c"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        yield served


async def test_the_rules_in_force_are_told_as_they_were_given(served: Guarded) -> None:
    async with served.calling("dm") as dm:
        _, told = await dm("GET", f"{PATH}/visibility")
        assert (told["version"], told["default"]) == (1, "visible")
        assert {"path": "/dm", "to": ["dm"]} in told["rules"]
        assert (await dm("PUT", f"{PATH}/visibility", json=RULES))[0] == 200
        _, told = await dm("GET", f"{PATH}/visibility")
        assert told == {"campaign_id": "c", "version": 2, **RULES}
        assert (await dm("PUT", f"{PATH}/visibility", json=RULES))[0] == 200


async def test_rules_tried_out_change_nothing(served: Guarded) -> None:
    async with served.calling("dm") as dm:
        tried = {"visibility": {"rules": [{"path": "/plan", "to": ["dm"]}]}, "as": "player:mira"}
        status, told = await dm("POST", f"{PATH}/visibility/preview", json=tried)
        shown = {name: value for name, value in DOCUMENT.items() if name != "plan"}
        assert (status, told["structured_data"], told["version"]) == (200, shown, 1)
        _, state = await dm("GET", f"{PATH}/state?as=player:mira")
        assert "plan" in state["structured_data"]
        assert state["version"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"visibility": {"rules": [{"path": "hp", "to": ["dm"]}]}, "as": "player"},
        {"visibility": {"rules": [{"path": "/hp", "to": ["nobody"]}]}, "as": "player"},
        {"visibility": {}, "as": "player"},
        {"visibility": {"rules": []}, "as": "wizard"},
        {"visibility": {"rules": []}},
    ],
)
async def test_rules_that_could_not_be_put_cannot_be_tried(
    served: Guarded, body: dict[str, Any]
) -> None:
    async with served.calling("dm") as dm:
        status, problem = await dm("POST", f"{PATH}/visibility/preview", json=body)
        assert (status, problem["code"]) == (422, "invalid")


async def test_an_invite_seats_whom_it_names(served: Guarded) -> None:
    async with served.calling("dm") as dm:
        status, made = await dm("POST", f"{PATH}/invites", json={"player_id": "mira"})
        assert status == 201
    async with calling(served.url) as call:
        body = {"invite": made["secret"], "id": "x"}
        status, joined = await call("POST", "/api/join", json=body)
        assert (status, joined["player_id"], joined["role"]) == (200, "mira", "player")
        body["id"] = "another"
        assert (await call("POST", "/api/join", json=body))[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"player_id": "a b"},
        {"player_id": "mira", "role": "dm"},
        {"player_id": "mira", "uses": 0},
        {"player_id": "mira", "expires_in": 0},
        {"player_id": "mira", "lasts": 10**12},
        {"player_id": "mira", "more": 1},
    ],
)
async def test_an_invite_that_makes_no_sense_is_refused(
    served: Guarded, body: dict[str, Any]
) -> None:
    async with served.calling("dm") as dm:
        status, problem = await dm("POST", f"{PATH}/invites", json=body)
        assert (status, problem["code"]) == (422, "invalid")


async def test_invites_have_an_end(served: Guarded) -> None:
    for _ in range(MAX_INVITES):
        await make_invite(
            served.access, "c", "mira", "player", max_uses=1, expires_at=1, lasts=1, now_ms=1
        )
    async with served.calling("dm") as dm:
        status, problem = await dm("POST", f"{PATH}/invites", json={"player_id": "mira"})
        assert (status, problem["code"]) == (422, "invalid")
        assert str(MAX_INVITES) in problem["detail"]


async def test_an_open_server_has_nobody_to_invite(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(open=True)) as served, served.calling() as call:
        served.services.admission.authenticator.access = None
        await call.create("c", DOCUMENT)
        status, problem = await call("POST", f"{PATH}/invites", json={"player_id": "mira"})
        assert (status, problem["code"]) == (403, "forbidden")
