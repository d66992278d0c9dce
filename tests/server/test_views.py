"""Views over real sockets: they part and join as secrets come and go, and nobody sees another's."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from eventstore.sqlite.store import SqliteStore
from server.app import make_app, make_runner
from server.clock import SystemClock
from server.config import Config
from server.services import SERVICES
from tests.support.follower import Follower
from tests.support.peer import Caller, Peer, calling, put
from tests.support.server import silent_log

REVEAL = [
    put("/private/mira", {"note": "CANARY-MIRA"}),
    put("/private/tobin", {"note": "CANARY-TOBIN"}),
    put("/hp", 9),
    {"op": "remove", "path": "/private/mira"},
    put("/dm/plan", "CANARY-DM"),
    {"op": "move", "from": "/dm/plan", "path": "/plan"},
    put("/initiative", [{"name": "Oda"}, {"name": "CANARY-FOE", "hidden": True}]),
    put("/initiative/0/name", "Ishaan"),
]
RULES = {
    "default": "visible",
    "rules": [
        {"path": "/dm", "to": ["dm"]},
        {"path": "/private/{player}", "to": ["{player}"]},
        {"path": "/initiative/*", "when": {"hidden": True}, "to": ["dm"]},
    ],
}
VIEWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "mira": ("player", {"player_id": "mira"}),
    "mira, deflating": ("player", {"player_id": "mira", "options": {"compress": 15}}),
    "tobin": ("player", {"player_id": "tobin"}),
    "oda, in full": ("player", {"player_id": "oda", "mode": "full"}),
    "anonymous": ("player", {}),
    "dm": ("dm", {}),
}


async def test_each_viewer_follows_its_own_view_and_none_sees_anothers(call: Caller) -> None:
    await call.create("c", {"hp": 10, "private": {}, "dm": {}}, visibility=RULES)
    async with AsyncExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name, (role, query) in VIEWERS.items():
            socket = call.socket(role, campaign_id="c", **query)
            peers[name] = await stack.enter_async_context(socket)
        for operation in REVEAL:
            assert "version" in await call.commit("c", operation)
        await call("PUT", "/api/campaigns/c/visibility", json={"default": "hidden", "rules": []})
        await call.commit("c", put("/hp", 1))
        heard = {name: await everything(peer, 11) for name, peer in peers.items()}
    for name, (follower, text) in heard.items():
        who = name.partition(",")[0]
        assert ("CANARY-MIRA" in text) == (who in ("mira", "dm")), name
        assert ("CANARY-TOBIN" in text) == (who in ("tobin", "dm")), name
        assert ("CANARY-FOE" in text) == (who == "dm"), name
        assert "CANARY-DM" in text, "it was moved to where all may see it"
        final = {} if who != "dm" else follower.document
        assert follower.document == final, name


async def everything(peer: Peer, version: int) -> tuple[Follower, str]:
    """Follow a peer up to a version; return what it holds, and all it was ever told."""
    follower, told = Follower(), ""
    while follower.version < version:
        message = await peer.next()
        told += str(message)
        if "structured_data" in message:
            message["type"] = "campaign_active"
        follower.take(message)
    return follower, told


async def test_followers_hold_what_the_state_call_says_at_every_version(call: Caller) -> None:
    await call.create("c", {"hp": 10, "private": {}, "dm": {}}, visibility=RULES)
    async with (
        call.socket(campaign_id="c", player_id="mira") as mira,
        call.socket(campaign_id="c", player_id="tobin") as tobin,
    ):
        followers = {"mira": (mira, Follower()), "tobin": (tobin, Follower())}
        for number, operation in enumerate([*REVEAL, put("/hp", 3)], start=1):
            for name, (peer, follower) in followers.items():
                await follower.follow(peer, number)
                path = f"/api/campaigns/c/state?as=player:{name}&version={number}"
                _, state = await call("GET", path)
                assert follower.document == state["structured_data"], (name, number)
            await call.commit("c", operation)


@pytest.fixture
def fill() -> Any:
    """Return work that lets the store grow no more."""

    def work(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    return work


async def test_a_full_disk_is_503_and_a_broken_log_too(tmp_path: Path, fill: Any) -> None:
    path = tmp_path / "q.db"
    store = await SqliteStore.open(f"sqlite:///{path}")
    app = make_app(Config(open=True), store, SystemClock(), silent_log())
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with calling(f"http://127.0.0.1:{runner.addresses[0][1]}") as call:
        await call.create("c", {"text": ""})
        await store._writer._connection.run(fill)
        body = {"id": "big", "patch": [put("/text", "x" * 1_000_000)]}
        status, problem = await call("POST", "/api/campaigns/c/events", json=body)
        assert (status, problem["code"]) == (503, "store_unavailable")
        async with call.socket("dm", campaign_id="c") as dm:
            answer = await dm.ask(type="commit", **body)
            assert (answer["type"], answer["code"]) == ("rejected", "store_unavailable")
        status, state = await call("GET", "/api/campaigns/c/state")
        assert (status, state["structured_data"]) == (200, {"text": ""})
        await store._writer._connection.run(
            lambda c: c.execute("PRAGMA max_page_count = 1073741823")
        )
        status, again = await call("POST", "/api/campaigns/c/events", json=body)
        assert (status, again["version"]) == (201, 2)
        await asyncio.to_thread(damage, path)
        app[SERVICES].registry._seats.clear()
        status, problem = await call("GET", "/api/campaigns/c/state")
        assert (status, problem["code"]) == (503, "store_unavailable")
        assert "poison" not in str(problem)
        async with call.socket(campaign_id="c") as peer:
            assert (await peer.next())["code"] == "store_unavailable"
            assert await peer.closed() == 1012
    await runner.cleanup()
    await store.close()


def damage(path: Path) -> None:
    """Make the second event of the log one that cannot follow the first."""
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER event_never_changes")
    patch = '[{"op":"replace","path":"/poison","value":1}]'
    connection.execute("UPDATE event SET patch = ? WHERE version = 2", (patch,))
    connection.execute("DELETE FROM snapshot")
    connection.commit()
    connection.close()


async def test_a_fault_of_ours_is_a_problem_without_a_traceback(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call.create("c", {})

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("CANARY-INSIDE")

    monkeypatch.setattr("server.states.actor_of", broken)
    status, problem = await call("PUT", "/api/campaigns/c/state", json={"a": 1})
    assert (status, problem["code"]) == (500, "store_unavailable")
    assert "CANARY" not in str(problem)
    assert "ZeroDivision" not in str(problem)


@pytest.mark.parametrize("mode", ["delta", "full"])
async def test_a_view_that_parts_takes_nobody_along(call: Caller, mode: str) -> None:
    await call.create("c", {"hp": 1, "private": {}})
    names = ("bob", "mira", "zed", "ann")
    async with AsyncExitStack() as stack:
        peers = {}
        for name in names:
            socket = call.socket(campaign_id="c", player_id=name, mode=mode)
            peers[name] = await stack.enter_async_context(socket)
            await peers[name].next()
        await call.commit("c", put("/private/bob", {"note": "one"}))
        await call.commit("c", put("/private/bob/note", "BOBS-SECRET"))
        await call.commit("c", put("/private/mira", "MIRAS-SECRET"))
        await call.commit("c", put("/private/mira", "MIRAS-OTHER-SECRET"))
        await call.commit("c", {"op": "remove", "path": "/private/bob"})
        await call.commit("c", put("/private/mira", "MIRAS-LAST-SECRET"))
        for name in names:
            told = "".join([str(await peers[name].next()) for _ in range(6)])
            assert ("BOBS" in told) == (name == "bob"), name
            assert ("MIRAS" in told) == (name == "mira"), name


async def test_events_in_a_batch_are_told_to_whose_view_they_changed(call: Caller) -> None:
    await call.create("c", {"private": {}})
    async with AsyncExitStack() as stack:
        names = ("bob", "mira", "zed")
        peers = {}
        for name in names:
            socket = call.socket(campaign_id="c", player_id=name)
            peers[name] = await stack.enter_async_context(socket)
            await peers[name].next()
        async with call.socket("dm", campaign_id="c") as dm:
            for number in range(20):
                await dm.say(type="commit", id=f"in-{number}", patch=[put("/private/bob", number)])
                gone = {"op": "remove", "path": "/private/bob"}
                await dm.say(type="commit", id=f"out-{number}", patch=[gone])
            told = {name: await heard(peer, 41) for name, peer in peers.items()}
    assert told["mira"] == told["zed"] == set()
    assert told["bob"] == {f"{way}-{number}" for way in ("in", "out") for number in range(20)}


async def heard(peer: Peer, version: int) -> set[str]:
    """Return the ids of the events a peer is told of up to a version."""
    ids: set[str] = set()
    while (message := await peer.until("campaign_updated"))["version"] < version:
        ids.update(event["id"] for event in message["events"])
    return ids | {event["id"] for event in message["events"]}
