"""Narration: streamed chunk by chunk, logged part by part, each part once, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from server.config import Config
from tests.support.follower import Follower
from tests.support.peer import Caller, Peer, calling, put
from tests.support.server import Served, serving
from tests.support.talk import heard, so_far

WORDS = [f"word {number} \U0001f409 " for number in range(30)]


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Caller]:
    """Yield a caller of a server with a campaign `c`, where narrators are soon given up on."""
    config = Config(open=True, narration_idle=2.0)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {"hp": 7, "private": {"mira": {}}, "dm": {}, "secret": []})
        yield call


async def come(stack: AsyncExitStack, call: Caller, player_id: str | None = None) -> Peer:
    query = {} if player_id is None else {"player_id": player_id}
    role = "dm" if player_id is None else "player"
    peer = await stack.enter_async_context(call.socket(role, campaign_id="c", **query))
    await peer.until("presence")
    return peer


async def begin(dm: Peer, identifier: str = "n1", **more: Any) -> dict[str, Any]:
    return await dm.ask(type="narration", id=identifier, phase="begin", **more)


async def chunk(dm: Peer, offset: int, text: str, identifier: str = "n1") -> None:
    await dm.say(type="narration", id=identifier, phase="chunk", offset=offset, text=text)


async def end(dm: Peer, offset: int = 0, text: str = "", identifier: str = "n1") -> dict[str, Any]:
    return await dm.ask(type="narration", id=identifier, phase="end", offset=offset, text=text)


async def speak(dm: Peer, words: Iterable[str], pause: float = 0.03, offset: int = 0) -> int:
    """Stream words as an agent does, so many seconds apart; returns the offset after them."""
    for word in words:
        await chunk(dm, offset, word)
        offset += len(word)
        await asyncio.sleep(pause)
    return offset


async def events(call: Caller) -> list[dict[str, Any]]:
    _, log = await call("GET", "/api/campaigns/c/events?after=1&limit=1000")
    found: list[dict[str, Any]] = log["events"]
    return found


async def entry(call: Caller, number: int = 0) -> dict[str, Any]:
    _, state = await call("GET", "/api/campaigns/c/state")
    found: dict[str, Any] = state["structured_data"]["all_narratives"][number]
    return found


async def until_over(call: Caller) -> dict[str, Any]:
    """Return the entry once it says that no more comes."""
    follower = Follower()
    async with call.socket("dm", campaign_id="c") as peer:
        while True:
            message = await peer.next()
            if message["type"] in ("campaign_active", "campaign_updated"):
                follower.take(message)
            found: dict[str, Any] = follower.document["all_narratives"][0]
            if found["state"] != "streaming":
                return found


async def test_the_log_gets_four_events_a_second_at_most_and_each_word_once(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, table), await come(stack, table, "mira")
        begun = await begin(dm, speaker="The bell")
        assert (begun["type"], begun["id"], begun["version"]) == ("committed", "n1", 2)
        words = WORDS * 3
        length = await speak(dm, words)
        done = await end(dm, length, "The end.")
        assert done["type"] == "committed"
        logged = await events(table)
        kinds = [event["kind"] for event in logged]
        assert kinds[0] == "narration.begun"
        assert kinds[-1] == "narration.ended"
        assert set(kinds[1:-1]) == {"narration.added"}
        times = [event["at"] for event in logged]
        for index in range(len(times) - 4):
            # Five in a row take over a second; RFC 3339 times of one day compare as text.
            assert seconds(times[index + 4]) - seconds(times[index]) >= 0.99, times
        told = await entry(table)
        assert "".join(told["parts"]) == "".join(words) + "The end."
        assert (told["state"], told["speaker"]) == ("complete", "The bell")
        written = [
            op["value"] for event in logged for op in event["patch"] if "parts" in op["path"]
        ]
        assert written == told["parts"], "the log holds every character once"
        assert logged[-1]["data"] == {"id": "n1", "length": length + 8}
        spoken = [each for each in await so_far(mira) if each["type"] == "narration"]
        assert "".join(each["text"] for each in spoken) == "".join(words) + "The end."
        assert len(spoken) > len(words) // 2, "as it is spoken, and not as it is logged"


def seconds(at: str) -> float:
    hours, minutes, rest = at[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


async def test_who_comes_in_mid_sentence_has_all_of_it(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm = await come(stack, table)
        await begin(dm)
        length = await speak(dm, WORDS)
        await chunk(dm, length, "and then")
        await so_far(dm)
        late = await stack.enter_async_context(table.socket(campaign_id="c", player_id="late"))
        follower, spoken = Follower(), ""
        follower.take(await late.hear())
        parts = "".join(follower.document["all_narratives"][0]["parts"])
        for message in await heard(late, "narration"):
            # What is not in the document yet, from where the document ends.
            assert message["offset"] == len(parts) + len(spoken)
            spoken += message["text"]
        assert parts + spoken == "".join(WORDS) + "and then"
        await chunk(dm, length + 8, " it rang")
        assert (await late.until("narration"))["offset"] == length + 8


async def test_offsets_make_resending_harmless_and_gaps_known(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, table), await come(stack, table, "mira")
        await begin(dm)
        assert (await begin(dm))["duplicate"] is True
        for offset, text in (
            (0, "The "),
            (0, "The "),
            (0, "The be"),
            (4, "bell"),
            (2, "e b"),
            (8, ""),
        ):
            await chunk(dm, offset, text)
        for offset in (9, -1):
            await chunk(dm, offset, "?")
            gap = await dm.until("rejected")
            assert (gap["id"], gap["code"]) == ("n1", "invalid")
        assert "offset 8" in gap["message"]
        assert (await end(dm, 9, "?"))["code"] == "invalid"
        done = await end(dm, 4, "bell tolls")
        assert done["type"] == "committed"
        again = await end(dm, 4, "bell tolls")
        assert (again["duplicate"], again["version"]) == (True, done["version"])
        assert "".join((await entry(table))["parts"]) == "The bell tolls"
        told = await heard(mira, "narration")
        assert [(each["offset"], each["text"]) for each in told] == [
            (0, "The "),
            (4, "be"),
            (6, "ll"),
            (8, " tolls"),
        ]
        await chunk(dm, 14, "!")
        assert (await dm.until("rejected"))["code"] == "invalid"
        assert (await begin(dm))["duplicate"] is True, "one that is over is not begun again"
        await chunk(dm, 0, "The ")
        assert (await dm.until("rejected"))["code"] == "invalid"


@pytest.mark.parametrize("path", ["/private/mira/tales", "/dm/notes", "/secret"])
async def test_a_hidden_narration_is_heard_by_those_who_may_see_it(
    table: Caller, path: str
) -> None:
    rules = [
        {"path": "/dm", "to": ["dm"]},
        {"path": "/private/{player}", "to": ["dm", "{player}"]},
        {"path": "/secret/*", "when": {"speaker": "CANARY"}, "to": ["dm"]},
    ]
    await table("PUT", "/api/campaigns/c/visibility", json={"rules": rules})
    async with AsyncExitStack() as stack:
        dm, lia = await come(stack, table), await come(stack, table)
        mira, tobin = await come(stack, table, "mira"), await come(stack, table, "tobin")
        await begin(dm, path=path, speaker="CANARY")
        length = await speak(dm, ["CANARY ", "sings"], pause=0.3)
        assert (await heard(lia, "narration"))[0]["text"] == "CANARY "
        late = await come(stack, table, "oda")
        await end(dm, length, " CANARY")
        for peer in (mira, tobin, late):
            everything = await so_far(peer)
            allowed = peer is mira and "mira" in path
            spoken = [each["text"] for each in everything if each["type"] == "narration"]
            assert spoken == (["CANARY ", "sings", " CANARY"] if allowed else [])
            assert ("CANARY" in str(everything)) is allowed
            assert allowed or "narration." not in str(everything), "nor that there is one"


async def test_what_is_hidden_in_mid_sentence_is_heard_no_further(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm, mira = await come(stack, table), await come(stack, table, "mira")
        await begin(dm)
        await chunk(dm, 0, "Once ")
        assert (await mira.until("narration"))["text"] == "Once "
        rules = {"rules": [{"path": "/all_narratives", "to": ["dm"]}]}
        await table("PUT", "/api/campaigns/c/visibility", json=rules)
        await chunk(dm, 5, "CANARY")
        await end(dm, 11)
        assert "CANARY" not in str(await so_far(mira))


async def test_a_narrator_who_goes_away_is_interrupted(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        mira = await come(stack, table, "mira")
        async with table.socket("dm", campaign_id="c") as dm:
            await begin(dm)
            await chunk(dm, 0, "The bell ")
            assert (await mira.until("narration"))["text"] == "The bell "
        over = await until_over(table)
        assert (over["state"], over["parts"]) == ("interrupted", ["The bell "])
        assert (await events(table))[-1]["kind"] == "narration.interrupted"
        dm = await come(stack, table)
        await chunk(dm, 9, "tolls")
        assert (await dm.until("rejected"))["code"] == "invalid"
        assert (await end(dm, 9, "tolls"))["code"] == "invalid"
        assert (await until_over(table))["parts"] == ["The bell "]


async def test_another_connection_goes_on_where_one_was_lost(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        async with table.socket("dm", campaign_id="c") as first:
            await begin(first)
            await chunk(first, 0, "The bell ")
            await so_far(first)
        dm = await come(stack, table)
        assert (await begin(dm))["duplicate"] is True
        await chunk(dm, 0, "The bell tolls")
        assert (await end(dm, 14, "."))["type"] == "committed"
        assert "".join((await entry(table))["parts"]) == "The bell tolls."


async def test_whoever_takes_the_entry_away_ends_the_stream(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        dm, other = await come(stack, table), await come(stack, table)
        await begin(dm)
        await chunk(dm, 0, "The ")
        await other.ask(type="commit", patch=[put("/all_narratives", [])])
        refused = await dm.until("rejected")
        assert (refused["id"], refused["code"]) == ("n1", "invalid")
        await chunk(dm, 4, "bell")
        assert (await dm.until("rejected"))["code"] == "invalid"
        while (await other.until("campaign_updated"))["events"][-1][
            "kind"
        ] != "narration.interrupted":
            pass


async def test_an_end_that_cannot_be_logged_leaves_no_stream_open(tmp_path: Path) -> None:
    config = Config(open=True, max_document=4_000)
    async with (
        serving(tmp_path / "q.db", config=config) as url,
        calling(url) as call,
        AsyncExitStack() as stack,
    ):
        await call.create("c", {})
        dm = await come(stack, call)
        await begin(dm)
        assert (await end(dm, 0, "x" * 5_000))["code"] == "too_large"
        over = await until_over(call)
        assert (over["state"], over["parts"]) == ("interrupted", [])


async def test_killed_in_mid_sentence_it_is_interrupted_when_next_loaded(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as server:
        async with calling(server.url) as call, call.socket("dm", campaign_id="c") as dm:
            await call.create("c", {})
        async with calling(server.url) as call, call.socket("dm", campaign_id="c") as dm:
            await dm.until("presence")
            await begin(dm)
            await chunk(dm, 0, "The bell ")
            await dm.until("campaign_updated")
            await chunk(dm, 9, "tol")
            await so_far(dm)
            await server.kill()
        await server.restart()
        async with calling(server.url) as call, call.socket("dm", campaign_id="c") as dm:
            over = await until_over(call)
            assert over["state"] == "interrupted"
            assert "The bell tol".startswith("".join(over["parts"]))
            assert over["parts"][0] == "The bell "
            last = (await events(call))[-1]
            assert (last["kind"], last["actor"]["member"]) == ("narration.interrupted", "questlog")
            assert (await end(dm, 12, "ls."))["code"] == "invalid"


async def test_a_server_that_stops_in_good_order_keeps_every_word(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as server:
        async with calling(server.url) as call:
            await call.create("c", {})
            async with call.socket("dm", campaign_id="c") as dm:
                await dm.until("presence")
                await begin(dm)
                await chunk(dm, 0, "The bell ")
                await chunk(dm, 9, "tol")
                await so_far(dm)
                assert (await server.stop())[0] == 0
        await server.restart()
        async with calling(server.url) as call:
            over = await entry(call)
            assert (over["state"], "".join(over["parts"])) == ("interrupted", "The bell tol")


async def test_only_a_dm_narrates(table: Caller) -> None:
    async with AsyncExitStack() as stack:
        mira = await come(stack, table, "mira")
        assert (await begin(mira))["code"] == "forbidden"
        await chunk(mira, 0, "x")
        assert (await mira.until("rejected"))["code"] == "forbidden"
