"""Signals: passed on and not logged, to those they are for, within limits."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from server.config import Config
from tests.support.access import Guarded, guarded
from tests.support.peer import Caller, Peer, calling
from tests.support.server import serving
from tests.support.talk import heard, so_far

TABLE = ("dm", "mira", "tobin", "nameless", "crowd")


async def seats(stack: AsyncExitStack, served: Guarded) -> dict[str, Peer]:
    """Connect one of each kind, and let them hear who is there."""
    who: dict[str, tuple[Any, str | None]] = {
        "dm": ("dm", None),
        "mira": ("player", "mira"),
        "tobin": ("player", "tobin"),
        "nameless": ("player", None),
        "crowd": ("spectator", None),
    }
    peers = {}
    for name in TABLE:
        call = await stack.enter_async_context(served.calling(*who[name]))
        path = "dm" if name == "dm" else "player"
        peers[name] = await stack.enter_async_context(call.socket(path, campaign_id="c"))
        await peers[name].until("presence")
    return peers


@pytest.mark.parametrize(
    ("to", "reached"),
    [
        (None, set(TABLE)),
        ("all", set(TABLE)),
        ("dm", {"dm"}),
        ("players", {"mira", "tobin", "nameless"}),
        ("spectators", {"crowd"}),
        (["dm", "spectators"], {"dm", "crowd"}),
        ("tobin", {"tobin"}),
        ("player:tobin", {"tobin"}),
        (["tobin", "player:mira", "nobody"], {"tobin", "mira"}),
        ("None", set()),
        ("player:None", set()),
        ([], set()),
    ],
)
async def test_a_signal_reaches_those_it_is_for(tmp_path: Path, to: Any, reached: set[str]) -> None:
    async with guarded(tmp_path) as served, AsyncExitStack() as stack:
        async with served.calling("dm") as dm:
            await dm.create("c", {"hp": 7})
        peers = await seats(stack, served)
        form = {} if to is None else {"to": to}
        await peers["mira"].say(type="signal", name="dice", data={"d20": 7}, **form)
        # Of who says it first: what they hear back, everybody has been sent.
        for name in sorted(TABLE, key=lambda name: name != "mira"):
            if name in reached:
                told = await peers[name].until("signal")
                del told["timestamp"]
                assert told == {
                    "type": "signal",
                    "name": "dice",
                    "data": {"d20": 7},
                    "from": {"player_id": "mira", "role": "player"},
                }
            else:
                assert await heard(peers[name], "signal") == []
        async with served.calling("dm") as dm:
            _, state = await dm("GET", "/api/campaigns/c/state")
        assert state["version"] == 1, "nothing is logged"


async def test_a_player_who_is_called_as_a_group_hears_no_more_than_others(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call, AsyncExitStack() as stack:
        await call.create("c", {})

        async def come(name: str) -> Peer:
            socket = call.socket(campaign_id="c", player_id=name)
            peer = await stack.enter_async_context(socket)
            await peer.until("presence")
            return peer

        mira, sly, watching = await come("mira"), await come("dm"), await come("spectators")
        for to in ("dm", "spectators", ["dm", "spectators"], "player:dm"):
            await mira.say(type="signal", name="note", data=to, to=to)
        await so_far(mira)
        assert [each["data"] for each in await heard(sly, "signal")] == ["player:dm"]
        assert await heard(watching, "signal") == []


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"name": ""}, "invalid"),
        ({"name": "x" * 65}, "invalid"),
        ({"name": "a\nb"}, "invalid"),
        ({"name": "dice", "to": ["x"] * 101}, "invalid"),
        ({"name": "dice", "to": 7}, "invalid"),
        ({"name": "dice", "from": "dm"}, "invalid"),
        ({"name": "dice", "data": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}, "invalid"),
        ({"name": "dice", "data": "x" * 4_096}, "too_large"),
    ],
)
async def test_what_is_no_signal_is_passed_on_to_nobody(
    tmp_path: Path, form: dict[str, Any], code: str
) -> None:
    async with guarded(tmp_path) as served, AsyncExitStack() as stack:
        async with served.calling("dm") as dm:
            await dm.create("c", {})
        peers = await seats(stack, served)
        await peers["mira"].say(type="signal", **form)
        error = await peers["mira"].until("error")
        assert error["code"] == code
        assert await heard(peers["dm"], "signal") == []


async def test_spectators_listen_and_do_not_speak(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served, AsyncExitStack() as stack:
        async with served.calling("dm") as dm:
            await dm.create("c", {})
        peers = await seats(stack, served)
        for message in ({"type": "signal", "name": "x"}, {"type": "player_status", "status": "x"}):
            await peers["crowd"].say(**message)
            assert (await peers["crowd"].until("error"))["code"] == "forbidden"
        await peers["dm"].say(type="signal", name="thunder")
        told = await peers["crowd"].until("signal")
        assert (told["from"], told["data"]) == ({"player_id": None, "role": "dm"}, None)
        assert await heard(peers["mira"], "player_status") == []


async def test_too_many_are_refused_and_the_socket_stays_open(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(signal_rate=2)) as served, AsyncExitStack() as stack:
        async with served.calling("dm") as dm:
            await dm.create("c", {})
        peers = await seats(stack, served)
        for number in range(30):
            await peers["mira"].say(type="signal", name="dice", data=number)
        told = await heard(peers["mira"], "signal", "error")
        passed = [each["data"] for each in told if each["type"] == "signal"]
        codes = [each["code"] for each in told if each["type"] == "error"]
        assert 10 <= len(passed) < 20, "a burst of five seconds"
        assert codes == ["rate_limited"] * (30 - len(passed))
        assert [each["data"] for each in await heard(peers["tobin"], "signal")] == passed
        await peers["mira"].say(type="player_status", status="ready")
        assert (await peers["mira"].until("error"))["code"] == "rate_limited"
        for number in range(60):
            await peers["dm"].say(type="signal", name="frame", data=number)
        assert len(await heard(peers["dm"], "signal", "error")) >= 60, "a DM is not held to it"
        await peers["tobin"].say(type="signal", name="dice")
        assert (await so_far(peers["tobin"]))[-1]["type"] == "signal", "nor is anybody else"


async def test_at_an_empty_table_nobody_hears(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call:
        async with call.socket(table="main", player_id="mira") as peer:
            for message in ({"type": "signal", "name": "x"}, {"type": "player_status"}):
                await peer.say(**message)
                assert (await peer.hear())["code"] == "invalid"
        await empty_handed(call)


async def empty_handed(call: Caller) -> None:
    """Suggest and narrate where there is no campaign: answered, and no more."""
    async with call.socket("dm", table="main") as dm:
        await dm.say(type="player_suggestion", id="s1", content="x")
        assert (await dm.hear())["code"] == "invalid"
        await dm.say(type="narration", id="n1", phase="chunk", text="x")
        assert (await dm.hear())["code"] == "invalid"
        await dm.say(type="take_lease", id="l1")
        assert (await dm.hear())["code"] == "invalid"
