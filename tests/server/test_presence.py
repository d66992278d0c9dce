"""Presence: members and not sockets, after a grace, counted in a crowd, hidden by the rules."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from eventstore.sqlite.store import SqliteStore
from questlog.sync.feed import RECENT_VERSIONS
from server.access.records import Member
from server.config import Config
from tests.support.access import guarded
from tests.support.peer import Caller, Peer, calling, put
from tests.support.server import serving
from tests.support.talk import heard, names, so_far, until_told

SOON = 0.3
HIDE_SPECTATORS = {"path": "/presence/spectator", "to": ["dm"]}


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Caller]:
    """Yield a caller of a server with a campaign `c`, whose members leave soon."""
    config = Config(open=True, leave_grace=SOON)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {"hp": 7})
        yield call


async def come(stack: AsyncExitStack, call: Caller, player_id: str | None = None) -> Peer:
    """Connect a player, or the DM where none is named, and let them be told of who is there."""
    query = {} if player_id is None else {"player_id": player_id}
    role = "dm" if player_id is None else "player"
    peer = await stack.enter_async_context(call.socket(role, campaign_id="c", **query))
    first = await peer.hear()
    assert first["type"] == "campaign_active", "the first message is the document"
    assert (await peer.hear())["type"] == "presence"
    return peer


async def test_who_comes_is_told_who_is_there_and_the_others_that_they_came(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm = await come(stack, table)
        mira = await come(stack, table, "mira")
        joined = await dm.until("player_joined")
        del joined["timestamp"]
        assert joined == {
            "type": "player_joined",
            "player_id": "mira",
            "role": "player",
            "status": None,
            "connections": 1,
            "version": 1,
        }
        async with table.socket(campaign_id="c", player_id="tobin") as tobin:
            assert (await tobin.hear())["type"] == "campaign_active"
            there = await tobin.hear()
            assert names(there) == {"a dm": 1, "mira": 1, "tobin": 1}
            assert (await mira.until("player_joined"))["player_id"] == "tobin"
            assert await heard(tobin, "player_joined") == [], "nobody is told that they came"


async def test_a_phone_and_a_laptop_are_one_member(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        tobin = await come(stack, table, "tobin")
        laptop = await come(stack, table, "mira")
        await tobin.until("player_joined")
        async with table.socket(campaign_id="c", player_id="mira") as phone:
            await phone.hear()
            assert names(await phone.hear()) == {"tobin": 1, "mira": 2}
        dm = await come(stack, table)
        assert names(await until_told_of(dm, "mira", 1)) == {"a dm": 1, "tobin": 1, "mira": 1}
        told = await heard(tobin, "player_joined", "player_left")
        assert [each["role"] for each in told] == ["dm"], "the second device came and went unheard"
        await laptop.socket.close()
        assert (await tobin.until("player_left"))["player_id"] == "mira"


async def until_told_of(dm: Peer, player_id: str, connections: int) -> dict[str, Any]:
    """Return the first `presence` by which somebody has so many connections."""
    while names(there := await dm.until("presence"))[player_id] != connections:
        pass
    return there


async def test_a_blink_of_the_wifi_is_no_departure(tmp_path: Path) -> None:
    config = Config(open=True, leave_grace=60)
    async with (
        serving(tmp_path / "q.db", config=config) as url,
        calling(url) as call,
        AsyncExitStack() as stack,
    ):
        await call.create("c", {})
        dm = await come(stack, call)
        mira = await come(stack, call, "mira")
        await mira.say(type="player_status", status="ready")
        await dm.until("player_status")
        await mira.socket.close()
        tobin = await come(stack, call, "tobin")
        await dm.until("player_joined")
        mira = await come(stack, call, "mira")
        assert await heard(tobin, "player_joined", "player_left") == []
        assert await heard(dm, "player_joined", "player_left") == []
        oda = await stack.enter_async_context(call.socket(campaign_id="c", player_id="oda"))
        there = await oda.until("presence")
        (back,) = [each for each in there["members"] if each["player_id"] == "mira"]
        assert (back["status"], back["connections"]) == ("ready", 1)


async def test_who_stays_away_has_left(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm = await come(stack, table)
        mira = await come(stack, table, "mira")
        loop = asyncio.get_running_loop()
        gone = loop.time()
        await mira.socket.close()
        left = await dm.until("player_left")
        assert (left["player_id"], left["role"]) == ("mira", "player")
        assert loop.time() - gone >= SOON
        await come(stack, table, "mira")
        assert (await dm.until("player_joined"))["player_id"] == "mira"


@pytest.mark.parametrize("status", ["", "x" * 101, "a\nb", "a\u202eb", 7])
async def test_a_status_is_a_word_or_two(table: Caller, status: Any) -> None:
    async with AsyncExitStack() as stack:
        dm = await come(stack, table)
        mira = await come(stack, table, "mira")
        await mira.say(type="player_status", status=status)
        assert (await mira.until("error"))["code"] == "invalid"
        await mira.say(type="player_status", status="typing\u2026")
        told = await dm.until("player_status")
        assert (told["player_id"], told["role"], told["status"]) == (
            "mira",
            "player",
            "typing\u2026",
        )
        await mira.say(type="player_status", status="typing\u2026")
        await mira.say(type="player_status", status=None)
        assert (await dm.until("player_status"))["status"] is None, "what is no news is not told"


async def test_the_dm_sees_who_lags_by_what_each_says_they_hold(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm = await come(stack, table)
        mira, tobin = await come(stack, table, "mira"), await come(stack, table, "tobin")
        for number in range(3):
            await table.commit("c", put("/hp", number))
        await mira.say(type="heartbeat", version=4)
        await tobin.say(type="heartbeat", version=2)
        await tobin.say(type="heartbeat", version=99)
        while True:
            there = (await dm.until("presence"))["members"]
            versions = {each["player_id"]: each["version"] for each in there}
            if versions["mira"] == 4:
                break
        assert versions["tobin"] == 2, "what there is not, nobody holds"
        assert await heard(mira, "presence") == [], "that is for the DM"


async def test_hidden_members_are_hidden_by_rule_from_first_to_last(tmp_path: Path) -> None:
    config = Config(leave_grace=SOON)
    rules = {"rules": [{"path": "/presence/player/mira", "to": ["dm", "player:oda"]}]}
    async with guarded(tmp_path, config=config) as served, AsyncExitStack() as stack:
        callers = {}
        for name in ("mira", "tobin", "oda"):
            callers[name] = await stack.enter_async_context(served.calling("player", name))
        dm = await stack.enter_async_context(served.calling("dm"))
        await dm.create("c", {"hp": 7}, visibility=rules)
        peers = {}
        for name in ("tobin", "oda", "mira"):
            peers[name] = await stack.enter_async_context(callers[name].socket(campaign_id="c"))
            await peers[name].until("presence")
        mira, tobin, oda = peers["mira"], peers["tobin"], peers["oda"]
        await mira.say(type="player_status", status="ready")
        await mira.say(type="signal", name="dice", data=7)
        await mira.until("signal")
        told = await heard(tobin, "player_joined", "player_status", "signal")
        assert [each["type"] for each in told] == ["player_joined", "signal"]
        assert (told[0]["player_id"], told[1]["from"]) == ("oda", None)
        assert "mira" not in str(told)
        knows = await heard(oda, "player_joined", "player_status", "signal")
        assert [each["type"] for each in knows] == ["player_joined", "player_status", "signal"]
        assert knows[2]["from"] == {"player_id": "mira", "role": "player"}
        async with callers["tobin"].socket(campaign_id="c") as again:
            assert set(names(await again.until("presence"))) == {"tobin", "oda"}
        await mira.socket.close()
        assert (await oda.until("player_left"))["player_id"] == "mira"
        assert "mira" not in str(await so_far(tobin))
        await dm("PUT", "/api/campaigns/c/visibility", json={"rules": []})
        assert set(names(await tobin.until("presence"))) == {"tobin", "oda"}


async def test_new_rules_introduce_everybody_again(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        mira, tobin = await come(stack, table, "mira"), await come(stack, table, "tobin")
        await so_far(mira)
        hide = {"path": "/presence/player/{player}", "to": ["{player}"]}
        for rules, seen in (([hide], {"mira"}), ([], {"mira", "tobin"})):
            await table("PUT", "/api/campaigns/c/visibility", json={"rules": rules})
            assert set(names(await mira.until("presence"))) == seen
        await tobin.socket.close()


async def test_another_role_is_introduced_anew(tmp_path: Path) -> None:
    rules = {"rules": [HIDE_SPECTATORS]}
    async with guarded(tmp_path) as served, AsyncExitStack() as stack:
        dm = await stack.enter_async_context(served.calling("dm"))
        mira = await stack.enter_async_context(served.calling("player", "mira"))
        tobin = await stack.enter_async_context(served.calling("player", "tobin"))
        crowd = await stack.enter_async_context(served.calling("spectator"))
        await dm.create("c", {"hp": 7}, visibility=rules)
        await stack.enter_async_context(crowd.socket(campaign_id="c"))
        watcher = await stack.enter_async_context(tobin.socket(campaign_id="c"))
        assert set(names(await watcher.until("presence"))) == {"tobin"}
        peer = await stack.enter_async_context(mira.socket(campaign_id="c"))
        assert set(names(await peer.until("presence"))) == {"mira", "tobin"}
        await served.access.add_member(Member(campaign_id="c", member="mira", role="player"))
        await served.access.set_role("c", "mira", "dm")
        assert (await until_told(peer, "campaign_active", reason="role"))["version"] == 1
        assert (await peer.hear())["type"] == "presence"
        assert (await peer.until("lease"))["lease"] is None
        assert (await until_told(watcher, "player_left"))["player_id"] == "mira"
        assert (await until_told(watcher, "player_joined"))["role"] == "dm"


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_crowd_is_counted_and_named_again_once_it_is_small(
    tmp_path: Path, hidden: bool
) -> None:
    config = Config(leave_grace=0)
    rules = {"rules": [HIDE_SPECTATORS] if hidden else []}
    async with guarded(tmp_path, config=config) as served, AsyncExitStack() as stack:
        dm = await stack.enter_async_context(served.calling("dm"))
        await dm.create("c", {}, visibility=rules)
        crowd = await stack.enter_async_context(served.calling("spectator"))
        for _ in range(2):
            await stack.enter_async_context(crowd.socket(campaign_id="c"))
        first = await stack.enter_async_context(served.calling("player", "p0"))
        witness = await stack.enter_async_context(first.socket(campaign_id="c"))
        master = await stack.enter_async_context(dm.socket("dm", campaign_id="c"))
        peers = []
        for number in range(1, 100):
            caller = await stack.enter_async_context(served.calling("player", f"p{number}"))
            peers.append(await stack.enter_async_context(caller.socket(campaign_id="c")))
        everybody = {"dm": 1, "player": 100, "spectator": 2}
        known = {**everybody, "spectator": 0} if hidden else everybody
        assert (await until_counted(witness, 100))["counts"] == known
        assert (await until_counted(master, 100))["counts"] == everybody
        assert (await until_counted(peers[-1], 100))["members"] == []
        await peers[0].say(type="player_status", status="ready")
        assert await heard(witness, "player_status") == [], "nobody is named in a crowd"
        for peer in peers[:2]:
            await peer.socket.close()
        while "counts" in (there := await witness.until("presence")):
            pass
        assert len(there["members"]) == (99 if hidden else 100)


async def until_counted(peer: Peer, players: int) -> dict[str, Any]:
    """Return the first `presence` that counts so many players."""
    while (there := await peer.until("presence")).get("counts", {}).get("player") != players:
        pass
    return there


async def test_three_hundred_who_come_at_once_cost_a_bounded_number_of_messages(
    tmp_path: Path,
) -> None:
    config = Config(open=True)
    async with (
        serving(tmp_path / "q.db", config=config) as url,
        calling(url) as call,
        AsyncExitStack() as stack,
    ):
        await call.create("c", {})
        loop = asyncio.get_running_loop()
        begun = loop.time()
        sockets = [call.socket(campaign_id="c", player_id=f"p{n}") for n in range(300)]
        peers = await asyncio.gather(*[stack.enter_async_context(each) for each in sockets])
        totals: Counter[str] = Counter()
        for peer in peers:
            messages = []
            while True:
                messages.append(await peer.hear())
                if messages[-1].get("counts", {}).get("player") == 300:
                    break
            assert messages[0]["type"] == "campaign_active"
            totals.update(message["type"] for message in messages)
        seconds = loop.time() - begun
        # Each of the first hundred is told of to those before; the rest is a count a second.
        assert totals["player_joined"] <= 100 * 99 // 2
        assert totals["presence"] <= 300 * (2 + seconds)


async def test_the_document_comes_first_however_long_the_log_is_read(
    table: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, go_on = SqliteStore.load, asyncio.Event()

    async def slowly(store: SqliteStore, campaign_id: str, **at: Any) -> Any:
        await go_on.wait()
        return await read(store, campaign_id, **at)

    async with AsyncExitStack() as stack:
        dm = await come(stack, table)
        for number in range(RECENT_VERSIONS + 1):
            await dm.ask(type="commit", patch=[put("/n", number)])
        monkeypatch.setattr(SqliteStore, "load", slowly)
        async with table.socket("dm", campaign_id="c", since="1") as back:
            await back.say(type="commit", id="x", patch=[put("/n", -1)])
            await back.say(type="signal", name="")
            await so_far(dm)
            go_on.set()
            told = [await back.hear() for _ in range(2)]
            assert [each["type"] for each in told] in (
                ["campaign_active", "presence"],
                ["campaign_updated", "presence"],
            )
            answers: set[str] = set()
            while not {"error", "committed"} <= answers:
                answers.add((await back.hear())["type"])


async def test_who_is_brought_up_from_the_log_is_introduced_again(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        async with table.socket(campaign_id="c", player_id="tobin") as tobin:
            held = (await tobin.hear())["position"]
        dm = await come(stack, table)
        for number in range(RECENT_VERSIONS + 1):
            await dm.ask(type="commit", patch=[put("/n", number)])
        mira = await come(stack, table, "mira")
        await mira.say(type="resync", position=held)
        # While the log is read she is told of nobody who comes; then of all.
        oda = await come(stack, table, "oda")
        while (message := await mira.hear())["type"] == "player_joined":
            pass
        assert message["type"] in ("campaign_updated", "campaign_active")
        assert "oda" in names(await mira.until("presence"))
        await oda.socket.close()


async def test_a_peer_that_missed_what_was_said_is_introduced_again(tmp_path: Path) -> None:
    config = Config(open=True, outbox=64 * 1024, leave_grace=0)
    async with (
        serving(tmp_path / "q.db", config=config) as url,
        calling(url) as call,
        AsyncExitStack() as stack,
    ):
        await call.create("c", {})
        dm, mira = await come(stack, call), await come(stack, call, "mira")
        await mira.say(type="player_suggestion", id="s1", content="I hide.")
        await mira.until("committed")
        transport = mira.socket._writer.transport
        transport.pause_reading()
        for number in range(100):
            await dm.ask(type="commit", patch=[put("/text", f"{number}" + "z" * 100_000)])
        await come(stack, call, "tobin")
        await dm.ask(type="decide_suggestion", id="s1", player_id="mira", decision="accept")
        transport.resume_reading()
        await until_told(mira, "presence")
        # Whatever was written before it was slow is the document's; then all there is to know.
        told = await until_told(mira, "suggestion", state="accepted")
        assert told["player_id"] == "mira"
        assert (await heard(mira, "player_joined")) == [], "the list had tobin in it"
