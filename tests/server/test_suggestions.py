"""Suggestions: a player proposes, the DM disposes, and nobody else ever hears of it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.ids import derived_id
from questlog.sync.talk import DecideMessage
from server.config import Config
from tests.support.access import Guarded, guarded
from tests.support.peer import Caller, Peer, calling, put
from tests.support.server import Served, serving
from tests.support.talk import heard, so_far, until_told

SECRET = "CANARY: I open the coffin."


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with a campaign `c`."""
    config = Config(max_suggestions=3, leave_grace=0)
    async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
        await dm.create("c", {"hp": 7})
        yield served


async def come(stack: AsyncExitStack, served: Guarded, role: Any, name: str | None = None) -> Peer:
    """Connect somebody with a token, and let them hear who is there."""
    call = await stack.enter_async_context(served.calling(role, name))
    path = "dm" if role == "dm" else "player"
    peer = await stack.enter_async_context(call.socket(path, campaign_id="c"))
    await peer.until("presence")
    return peer


async def suggest(peer: Peer, identifier: str = "s1", **more: Any) -> dict[str, Any]:
    return await peer.ask(type="player_suggestion", id=identifier, content=SECRET, **more)


async def decide(dm: Peer, decision: str, identifier: str = "s1", **more: Any) -> dict[str, Any]:
    return await dm.ask(
        type="decide_suggestion", id=identifier, player_id="mira", decision=decision, **more
    )


async def test_the_dm_and_the_author_hear_of_it_and_nobody_else(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, served, "dm"), await come(stack, served, "player", "mira")
        phone = await come(stack, served, "player", "mira")
        others = [
            await come(stack, served, "player", "tobin"),
            await come(stack, served, "player"),
            await come(stack, served, "spectator"),
        ]
        answer = await suggest(mira, suggestion_type="action", metadata={"dc": 15})
        assert (answer["type"], answer["id"], answer["version"]) == ("committed", "s1", 2)
        for peer in (dm, phone):
            told = await peer.until("suggestion")
            del told["timestamp"]
            assert told == {
                "type": "suggestion",
                "id": "s1",
                "player_id": "mira",
                "content": SECRET,
                "suggestion_type": "action",
                "metadata": {"dc": 15},
                "state": "pending",
                "answer": None,
            }
        await decide(dm, "answer", answer="CANARY: it is nailed shut")
        assert (await until_told(phone, "suggestion"))["answer"] == "CANARY: it is nailed shut"
        await decide(dm, "accept", answer="CANARY", patch=[put("/hp", 8)])
        assert (await until_told(phone, "suggestion", state="accepted"))["answer"] == "CANARY"
        for peer in others:
            everything = await so_far(peer)
            updates = [each for each in everything if each["type"] == "campaign_updated"]
            assert [update["version"] for update in updates] == [2, 3, 4]
            (header,) = updates[2]["events"]
            assert header["kind"] == "suggestion.accepted", "of what changed their view they know"
            assert [update["events"] for update in updates[:2]] == [[], []]
            for word in ("CANARY", "mira", "s1", "suggestion.made"):
                joined = [each for each in everything if each["type"] != "player_joined"]
                assert word not in str(joined)


async def test_the_id_of_a_decision_says_nothing_of_whose_it_was(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, served, "dm"), await come(stack, served, "player", "mira")
        tobin = await come(stack, served, "player", "tobin")
        await suggest(mira)
        await decide(dm, "accept", patch=[put("/hp", 8)])
        update = await until_told(tobin, "campaign_updated", version=3)
        (header,) = update["events"]
        guess = DecideMessage("s1", "accept", "mira").request_id
        assert header["id"] not in (guess, derived_id(guess))
        assert len(header["id"]) == 40


async def test_the_author_finds_their_own_event_listed(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        mira = await come(stack, served, "player", "mira")
        await mira.say(type="player_suggestion", id="s1", content=SECRET)
        update = await mira.until("campaign_updated")
        (header,) = update["events"]
        assert (header["id"], header["kind"], header["actor"]["member"]) == (
            "s1",
            "suggestion.made",
            "mira",
        )
        assert update["patch"] == []


async def test_the_dms_decision_is_an_event_that_may_change_the_document(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, served, "dm"), await come(stack, served, "player", "mira")
        await suggest(mira)
        bad = await decide(dm, "accept", patch=[put("/nowhere/hp", 8)])
        assert (bad["type"], bad["code"]) == ("rejected", "patch_failed")
        done = await decide(dm, "accept", patch=[put("/hp", 8)])
        assert (done["type"], done["id"], done["version"]) == ("committed", "s1", 3)
        again = await decide(dm, "accepted", patch=[put("/hp", 8)])
        assert (again["duplicate"], again["version"]) == (True, 3), (
            "a retry is told what came of it"
        )
        other = await decide(dm, "accept", patch=[put("/hp", 9)])
        assert other["code"] == "invalid"
        assert (await decide(dm, "dismiss"))["code"] == "invalid"
        call = await stack.enter_async_context(served.calling("dm"))
        _, log = await call("GET", "/api/campaigns/c/events?after=1")
        assert [event["kind"] for event in log["events"]] == [
            "suggestion.made",
            "suggestion.accepted",
        ]
        assert log["events"][1]["data"] == {"id": "s1", "player_id": "mira", "answer": None}
        _, state = await call("GET", "/api/campaigns/c/state")
        assert state["structured_data"] == {"hp": 8}


async def test_two_dms_who_decide_at_once_do_it_once(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        one, two = await come(stack, served, "dm"), await come(stack, served, "dm")
        lia = await come(stack, served, "dm", "lia")
        mira = await come(stack, served, "player", "mira")
        await suggest(mira)
        form = {"type": "decide_suggestion", "id": "s1", "player_id": "mira", "decision": "accept"}
        raise_it = [{"op": "add", "path": "/log", "value": [1]}]
        for dm in (one, two, lia):
            await dm.say(**form, patch=raise_it)
        answers = []
        for dm in (one, two, lia):
            told = []
            while (message := await dm.hear())["type"] not in ("committed", "rejected"):
                told.append(message)
            answers.append(message.get("code") or message["duplicate"])
            told += await so_far(dm)
            states = [each["state"] for each in told if each["type"] == "suggestion"]
            assert states == ["pending", "accepted"]
        assert answers.count(False) == 1, answers
        assert set(answers) - {False} <= {True, "invalid"}, answers
        call = await stack.enter_async_context(served.calling("dm"))
        assert (await call("GET", "/api/campaigns/c/state"))[1]["version"] == 3


async def test_what_waits_is_bounded_and_a_retry_is_a_duplicate(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, served, "dm"), await come(stack, served, "player", "mira")
        for number in range(3):
            assert (await suggest(mira, f"s{number}"))["type"] == "committed"
        full = await suggest(mira, "s3")
        assert (full["type"], full["code"]) == ("rejected", "rate_limited")
        retry = await suggest(mira, "s1")
        assert (retry["type"], retry["duplicate"], retry["version"]) == ("committed", True, 3)
        other = await mira.ask(type="player_suggestion", id="s1", content="Something else.")
        assert other["code"] == "id_reused"
        tobin = await come(stack, served, "player", "tobin")
        assert (await suggest(tobin, "s1"))["duplicate"] is False, "an id is its author's"
        await decide(dm, "dismiss", "s1")
        assert (await suggest(mira, "s3"))["type"] == "committed"


async def test_what_happened_in_an_absence_is_told_once(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, served, "dm"), await come(stack, served, "player", "mira")
        await suggest(mira, "s1")
        await suggest(mira, "s2")
        await mira.socket.close()
        await dm.until("player_left")
        await decide(dm, "accept", "s1", answer="Yes.")
        call = await stack.enter_async_context(served.calling("player", "mira"))
        for states in ({"s1": "accepted", "s2": "pending"}, {"s2": "pending"}):
            async with call.socket(campaign_id="c") as back:
                await back.until("presence")
                told = await heard(back, "suggestion")
                assert {each["id"]: each["state"] for each in told} == states
        late = await stack.enter_async_context(served.calling("dm"))
        async with late.socket("dm", campaign_id="c") as peer:
            await peer.until("presence")
            assert [each["id"] for each in await heard(peer, "suggestion")] == ["s2"]


async def test_suggestions_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as server:
        async with calling(server.url) as call:
            await call.create("c", {"hp": 7})
            async with call.socket(campaign_id="c", player_id="mira") as mira:
                await mira.until("presence")
                for identifier in ("s1", "s2"):
                    assert (await suggest(mira, identifier))["type"] == "committed"
            async with call.socket("dm", campaign_id="c") as dm:
                await decide(dm, "dismiss", "s2", answer="No.")
                await dm.say(type="commit", structured_data={"hp": 1})
                await dm.until("committed")
        await server.kill()
        await server.restart()
        async with (
            calling(server.url) as call,
            call.socket("dm", campaign_id="c") as dm,
            call.socket(campaign_id="c", player_id="mira") as mira,
        ):
            assert (await dm.until("suggestion"))["content"] == SECRET
            told = [await mira.until("suggestion") for _ in range(2)]
            assert {each["id"]: each["answer"] for each in told} == {"s1": None, "s2": "No."}
            assert (await decide(dm, "accept"))["type"] == "committed"
            assert (await until_told(mira, "suggestion", id="s1"))["state"] == "accepted"
            assert (await suggest(mira, "s1"))["duplicate"] is True


async def test_players_without_a_name_do_not_see_each_others(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call, AsyncExitStack() as stack:
        await call.create("c", {"hp": 7})
        dm = await nameless(stack, call, "dm")
        one, two = await nameless(stack, call), await nameless(stack, call)
        # Whose name is what those without one are called by.
        odd = await nameless(stack, call, player_id="player")
        await one.say(type="player_suggestion", id="s1", content=SECRET)
        assert (await one.until("suggestion"))["state"] == "pending"
        await one.until("committed")
        assert (await two.ask(type="player_suggestion", id="s1", content="x"))[
            "code"
        ] == "id_reused"
        assert (await suggest(two))["duplicate"] is True, (
            "who knows it word for word learns nothing"
        )
        answer = await dm.ask(type="decide_suggestion", id="s1", decision="accept", answer="CANARY")
        assert answer["type"] == "committed"
        assert (await until_told(one, "suggestion", state="accepted"))["answer"] == "CANARY"
        for peer in (two, odd):
            everything = str(await so_far(peer))
            assert "CANARY" not in everything
            assert "suggestion.made" not in everything
        late = await nameless(stack, call)
        assert await heard(late, "suggestion") == []


async def nameless(stack: AsyncExitStack, call: Caller, role: str = "player", **query: str) -> Peer:
    peer = await stack.enter_async_context(call.socket(role, campaign_id="c", **query))
    await peer.until("presence")
    return peer


async def test_a_suggestion_of_a_dm_is_not_one_of_a_nameless_player(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, calling(url) as call, AsyncExitStack() as stack:
        await call.create("c", {"hp": 7})
        dm, one = await nameless(stack, call, "dm"), await nameless(stack, call)
        assert (await dm.ask(type="player_suggestion", id="s1", content="CANARY"))["version"] == 2
        assert (await suggest(one, "s1"))["code"] == "invalid"
        assert "CANARY" not in str([each for each in await so_far(one) if each.get("id") == "s1"])


async def test_what_waits_makes_no_snapshots_of_small_commits(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    async with serving(path) as url, calling(url) as call, AsyncExitStack() as stack:
        await call.create("c", {"hp": 7})
        for number in range(16):
            peer = await nameless(stack, call, player_id=f"p{number}")
            for identifier in ("s1", "s2", "s3", "s4"):
                form = {"type": "player_suggestion", "id": identifier, "content": "\u9418" * 2_600}
                assert (await peer.ask(**form))["type"] == "committed"
        dm = await nameless(stack, call, "dm")
        for number in range(200):
            await dm.ask(type="commit", patch=[put("/hp", number)])
    with closing(sqlite3.connect(path)) as log:
        (snapshots,) = log.execute(
            "SELECT coalesce(sum(length(CAST(state AS BLOB))), 0) FROM snapshot"
        ).fetchone()
        (events,) = log.execute(
            "SELECT sum(length(patch) + length(CAST(data AS BLOB)) + 256) FROM event"
        ).fetchone()
    assert snapshots < events, "snapshots never write more than events did"


async def test_only_the_dm_disposes(served: Guarded) -> None:
    async with AsyncExitStack() as stack:
        mira = await come(stack, served, "player", "mira")
        crowd = await come(stack, served, "spectator")
        await suggest(mira)
        assert (await decide(mira, "accept"))["code"] == "forbidden"
        assert (await decide(crowd, "accept"))["code"] == "forbidden"
        assert (await suggest(crowd, "s2"))["code"] == "forbidden"
