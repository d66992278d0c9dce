"""What a recap must not tell: what was open once, and is hidden from its reader by now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.visibility import Viewer
from questlog.document import apply, equal
from server import sessions as sessions_module
from tests.server.test_sessions import DOCUMENT, RULES, recap
from tests.support.access import guarded
from tests.support.peer import Caller, put

VAMPIRE = "/npcs/Edwin-the-butler-VAMPIRE"
OPEN: dict[str, Any] = {"default": "visible", "rules": []}


async def hide(dm: Caller, path: str, **more: Any) -> None:
    """Hide a place from all but DMs."""
    rules = {"default": "visible", "rules": [{"path": path, "to": ["dm"], **more}]}
    status, _ = await dm(
        "PUT",
        "/api/campaigns/c/visibility",
        json=rules,
        headers={"Idempotency-Key": "hide-the-butler"},
    )
    assert status == 200


async def unmask(dm: Caller, how: str) -> None:
    """Make a secret of what was open: by rules, by what rules look at, or by moving it."""
    if how == "rules":
        await hide(dm, VAMPIRE)
    elif how == "when":
        await dm.commit("c", put(f"{VAMPIRE}/hidden", True), id="mark-the-butler")
        await hide(dm, "/npcs/*", when={"hidden": True})
    elif how == "moved":
        move = {"op": "move", "from": VAMPIRE, "path": "/dm"}
        await hide(dm, "/dm")
        await dm.commit("c", move, id="move-the-butler")
    else:
        await dm.commit("c", put("/cast/1/hidden", True), id="mark-the-butler")
        await hide(dm, "/cast/*", when={"hidden": True})


async def bleed(dm: Caller) -> None:
    """Change what is about to be hidden, and hide it."""
    await dm.commit("c", put(f"{VAMPIRE}/hp", 39), id="butler-bleeds")
    await hide(dm, VAMPIRE)


async def masquerade(dm: Caller, how: str) -> None:
    """Play two sessions; in between somebody is added whom everybody may see, until later."""
    document = {"npcs": {"innkeeper": {"hp": 3}}, "cast": [{"name": "innkeeper"}]}
    await dm.create("c", document, visibility=OPEN)
    await dm("POST", "/api/campaigns/c/activate", json={})
    await dm("POST", "/api/campaigns/c/deactivate", json={})
    added = put(VAMPIRE, {"hp": 40, "hidden": False})
    if how == "list":
        added = put("/cast/1", {"name": "butler-VAMPIRE", "hidden": False})
    await dm.commit("c", added, id="butler-is-vampire", kind="villain.added")
    await dm("POST", "/api/campaigns/c/activate", json={})
    await dm.commit("c", put("/npcs/innkeeper/hp", 2), id="a-hit")
    if how != "not yet":
        await unmask(dm, how)


@pytest.mark.parametrize("how", ["rules", "when", "moved", "list"])
@pytest.mark.parametrize("query", ["", "?session=1", "?session=2", "?since=1", "?since=4"])
async def test_who_was_never_there_is_told_of_no_secret_of_now(
    tmp_path: Path, how: str, query: str
) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
        served.calling("spectator") as crowd,
    ):
        await masquerade(dm, how)
        for call in (mira, crowd):
            told = await recap(call, query)
            text = str(told).lower()
            for word in ("butler", "villain", "hidden", "visibility"):
                assert word not in text, told
            assert "/npcs/innkeeper/hp" in told["changed"]
            assert "a-hit" in [event["id"] for event in told["events"]]
        for name in ("player:mira", "player", "spectator"):
            more = f"{query}&as={name}" if query else f"?as={name}"
            assert "butler" not in str(await recap(dm, more)).lower()


@pytest.mark.parametrize("claimed", [1, 4])
async def test_nobody_learns_more_by_saying_that_they_were_there(
    tmp_path: Path, claimed: int
) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await masquerade(dm, "rules")
        async with mira.socket(campaign_id="c") as peer:
            await peer.next()
            await peer.say(type="heartbeat", version=claimed)
            await peer.until("heartbeat")
            await mira("GET", f"/api/campaigns/c/updates?wait=0&since={claimed}")
        seen = (await served.services.attendance.seen("c"))[Viewer("player", "mira")]
        assert seen.held == 0
        assert "butler" not in str(await recap(mira)).lower()


async def test_a_poll_acknowledges_what_it_shows_to_hold_of_before_it_came(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await dm.create("c", DOCUMENT, visibility=RULES)
        _, state = await mira("GET", "/api/campaigns/c/state")
        await dm.commit("c", put("/hp", 9))
        await mira("GET", f"/api/campaigns/c/updates?wait=0&since={state['position']}")
        assert (await recap(mira))["from_version"] == 1


@pytest.mark.parametrize("how", ["rules", "when", "list"])
async def test_who_acknowledged_it_is_told_what_is_gone_but_not_what_is_hidden(
    tmp_path: Path, how: str
) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await dm.create("c", {"npcs": {}, "cast": [{"name": "x"}], "rope": 1}, visibility=OPEN)
        await dm.commit("c", put(VAMPIRE, {"hidden": False}), put("/cast/1", {"hidden": False}))
        async with mira.socket(campaign_id="c") as peer:
            await peer.next()
            await peer.say(type="heartbeat", version=2)
            await peer.until("heartbeat")
        await dm.commit("c", {"op": "remove", "path": "/rope"}, id="rope-is-cut")
        await dm.commit("c", put("/torch", 1), id="lit")
        await dm.commit("c", {"op": "remove", "path": "/torch"}, id="unlit")
        await unmask(dm, how)
        told = await recap(mira)
        assert told["from_version"] == 2
        if how != "list":
            assert told["changed"] == ["/rope"]
        assert [event["id"] for event in told["events"]] == ["rope-is-cut"]
        assert "butler" not in str(told).lower()
        assert "torch" not in str(told), "it came and went while she was away"


async def test_who_shows_that_they_held_it_is_told_that_it_is_gone(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await masquerade(dm, "not yet")
        _, early = await dm("GET", "/api/campaigns/c/state?version=1&as=player:mira")
        _, late = await dm("GET", "/api/campaigns/c/state?version=4&as=player:mira")
        await bleed(dm)
        told = await recap(mira, f"?since={late['position']}")
        _, now = await mira("GET", "/api/campaigns/c/state")
        assert equal(apply(late["structured_data"], told["patch"]), now["structured_data"])
        ids = [event["id"] for event in told["events"]]
        assert "hide-the-butler" in ids
        assert "butler-bleeds" not in ids, "nobody has sent her that, and she may not see it now"
        told = await recap(mira, f"?since={early['position']}")
        assert "butler" not in str(told).lower(), "it came and went while she was away"


async def test_what_was_revealed_is_told_with_what_revealed_it(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        rules = {"default": "visible", "rules": [{"path": "/npcs/Edwin", "to": ["dm"]}]}
        await dm.create("c", {"npcs": {}}, visibility=rules)
        await dm("POST", "/api/campaigns/c/activate", json={})
        await dm.commit("c", put("/npcs/Edwin", {"hp": 40}), id="butler-is-vampire")
        await dm("PUT", "/api/campaigns/c/visibility", json=OPEN)
        told = await recap(mira)
        assert told["patch"] == [put("/npcs/Edwin", {"hp": 40})]
        assert [event["kind"] for event in told["events"]] == ["visibility.changed"]


async def test_rules_that_change_while_it_is_put_together_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await dm.create("c", {"npcs": {}}, visibility=OPEN)
        await dm("POST", "/api/campaigns/c/activate", json={})
        await dm.commit("c", put(VAMPIRE, {"hp": 40}))
        before = sessions_module._events

        async def slowly(*given: Any) -> Any:
            found = await before(*given)
            monkeypatch.setattr(sessions_module, "_events", before)
            await hide(dm, VAMPIRE)
            return found

        monkeypatch.setattr(sessions_module, "_events", slowly)
        assert "VAMPIRE" not in str(await recap(mira))


async def test_nor_is_who_comes_back_live(tmp_path: Path) -> None:
    async with (
        guarded(tmp_path) as served,
        served.calling("dm") as dm,
        served.calling("player", "mira") as mira,
    ):
        await masquerade(dm, "not yet")
        _, state = await mira("GET", "/api/campaigns/c/state")
        # Added and hidden while they were away, by somebody with an id that tells.
        await dm.commit("c", put("/npcs/butler-EDWINA", {"hp": 1}), id="butler-has-a-sister")
        await hide(dm, "/npcs/butler-EDWINA")
        path = "/api/campaigns/c/updates?wait=0&since="
        _, answer = await mira("GET", path + state["position"])
        (update,) = answer["messages"]
        assert update["type"] == "campaign_updated"
        assert "butler-has-a-sister" not in str(update)
        # A version that proves nothing, from before the rules changed, is no reason to tell more.
        for claimed in (3, state["version"]):
            _, answer = await mira("GET", path + str(claimed))
            (told,) = answer["messages"]
            assert told["type"] == "campaign_active"
            assert "butler-has-a-sister" not in str(told)
