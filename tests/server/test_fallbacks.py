"""Long poll and Server-Sent Events: the sockets' messages, for whom no socket gets through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.config import Config
from tests.support.access import Guarded, guarded
from tests.support.peer import PATIENCE, TALK, Caller, Events, put

STORY = "Long ago. " * 100
DOCUMENT = {"hp": 10, "story": STORY, "dm": {"secret": "assassin"}}


def told(answer: Any) -> list[dict[str, Any]]:
    """Return the messages of an answer that are about the document."""
    return [message for message in answer["messages"] if message["type"] not in TALK]


async def poll(call: Caller, since: str | None = None, **more: Any) -> Any:
    """Poll once; returns the answer."""
    query = {name: str(value) for name, value in more.items()}
    if since is not None:
        query["since"] = since
    status, answer = await call("GET", "/api/campaigns/c/updates", params=query)
    assert status == 200, answer
    return answer


async def say(call: Caller, **message: Any) -> Any:
    """Send a message by a call; returns the answers."""
    status, answer = await call("POST", "/api/campaigns/c/messages", json=message)
    assert status == 200, answer
    return answer["messages"]


@asynccontextmanager
async def streaming(call: Caller, last: str | None = None, **query: str) -> AsyncIterator[Events]:
    """Follow the campaign by a stream."""
    headers = {} if last is None else {"Last-Event-ID": last}
    url = f"{call.url}/api/campaigns/c/stream"
    async with call.session.get(url, headers=headers, params=query) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        yield Events(answer)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(tmp_path, config=Config(poll_gap=0.5, leave_grace=0.1)) as served:
        async with served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
        yield served


async def test_a_poller_gets_a_snapshot_and_then_every_change_once(served: Guarded) -> None:
    async with served.calling("dm") as dm, served.calling("player", "mira") as mira:
        first = await poll(mira)
        (snapshot,) = told(first)
        assert snapshot["type"] == "campaign_active"
        assert snapshot["structured_data"] == {"hp": 10, "story": STORY}
        assert first["position"] == snapshot["position"]
        assert [message["type"] for message in first["messages"]][:2] == [
            "campaign_active",
            "presence",
        ]
        waiting = asyncio.create_task(poll(mira, first["position"]))
        await dm.commit("c", put("/hp", 9))
        (update,) = told(await waiting)
        assert (update["base"], update["version"]) == (1, 2)
        await dm.commit("c", put("/hp", 8))
        await dm.commit("c", put("/dm/secret", "none"))
        later = await poll(mira, update["position"])
        versions = [message["version"] for message in told(later)]
        assert versions in ([3, 4], [4]), versions
        assert later["position"].startswith("4.")
        assert await poll(mira, later["position"], wait=0.1) == {
            "messages": [],
            "position": later["position"],
        }


async def test_a_position_from_elsewhere_is_good_and_one_at_the_head_says_nothing(
    served: Guarded,
) -> None:
    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        _, state = await mira("GET", "/api/campaigns/c/state")
        answer = await poll(mira, state["position"], wait=0)
        assert answer == {"messages": [], "position": state["position"]}
        await dm.commit("c", put("/hp", 9))
        (update,) = told(await poll(mira, state["position"], wait=0))
        assert update["patch"] == [{"op": "replace", "path": "/hp", "value": 9}]
        again = await poll(mira, update["position"], wait=0, introduce=1)
        assert [message["type"] for message in again["messages"]] == ["presence"]


async def test_an_answer_that_was_lost_is_given_again(served: Guarded) -> None:
    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        first = await poll(mira)
        await dm.commit("c", put("/hp", 9))
        lost = await poll(mira, first["position"])
        assert told(lost)[-1]["version"] == 2
        (again,) = told(await poll(mira, first["position"]))
        assert (again["base"], again["version"]) == (1, 2)


async def test_another_viewers_position_gets_a_snapshot(served: Guarded) -> None:
    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        position = (await poll(dm))["position"]
        (snapshot,) = told(await poll(mira, position))
        assert (snapshot["type"], snapshot["structured_data"]) == (
            "campaign_active",
            {"hp": 10, "story": STORY},
        )


async def test_a_poller_counts_as_there_between_two_polls_and_is_gone_after(
    served: Guarded,
) -> None:
    async with served.calling("dm") as dm, dm.socket("dm", campaign_id="c") as table:
        await table.next()
        async with served.calling("player", "mira") as mira:
            position = (await poll(mira))["position"]
            joined = await table.until("player_joined")
            assert (joined["player_id"], joined["connections"]) == ("mira", 1)
            await poll(mira, position, wait=0)
            assert (await table.until("player_left"))["player_id"] == "mira"


async def test_a_poller_who_is_let_go_of_after_the_server_has_stopped_needs_no_work(
    tmp_path: Path,
) -> None:
    """A server within another application: its timers may run out when it is gone."""
    async with guarded(tmp_path, config=Config(poll_gap=60.0)) as served:
        async with served.calling("dm") as dm:
            await dm.create("c", DOCUMENT)
            await poll(dm)
        polls = served.services.polls
        ((waiting,),) = polls._idle.values()
    assert waiting.until is not None
    waiting.until.cancel()
    polls._expire(waiting)
    assert not polls._idle


async def test_what_is_said_between_two_polls_waits(served: Guarded) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        position = (await poll(mira))["position"]
        await table.until("player_joined")
        await table.say(type="signal", name="dice", data=20)
        await table.until("signal")
        (signal,) = (await poll(mira, position))["messages"]
        assert (signal["type"], signal["name"], signal["data"]) == ("signal", "dice", 20)


async def test_a_message_can_be_sent_by_a_call(served: Guarded) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        await poll(mira)
        (done,) = await say(mira, type="player_suggestion", id="s1", content="A bribe?")
        assert (done["type"], done["id"], done["version"]) == ("committed", "s1", 2)
        assert (await table.until("suggestion"))["content"] == "A bribe?"
        assert await say(mira, type="player_status", status="ready") == []
        assert (await table.until("player_status"))["status"] == "ready"
        (heartbeat,) = await say(mira, type="heartbeat", version=1, digest=True)
        assert heartbeat["version"] == 2
        assert len(heartbeat["digest"]) == 64
        (refused,) = await say(mira, type="commit", id="x", patch=[])
        assert (refused["type"], refused["code"]) == ("rejected", "forbidden")
        (committed,) = await say(dm, type="commit", id="x", patch=[put("/hp", 7)])
        assert (committed["type"], committed["version"]) == ("committed", 3)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"[]", "invalid"),
        (b'{"type":"authenticate","token":"x"}', "invalid"),
        (b'"' + b"x" * 20_000 + b'"', "too_large"),
    ],
)
async def test_a_call_that_brings_no_message_is_refused(
    served: Guarded, body: bytes, code: str
) -> None:
    async with served.calling("player", "mira") as mira:
        status, problem = await mira("POST", "/api/campaigns/c/messages", data=body)
        assert (problem["code"], status >= 400) == (code, True)


@pytest.mark.parametrize(
    "query", ["wait=soon", "wait=-1", "wait=nan", "wait=inf", "mode=half", "introduce=yes"]
)
async def test_a_poll_that_asks_nonsense_is_refused(served: Guarded, query: str) -> None:
    async with served.calling("player", "mira") as mira:
        status, problem = await mira("GET", f"/api/campaigns/c/updates?{query}")
        assert (status, problem["code"]) == (422, "invalid")


@pytest.mark.parametrize("path", ["updates", "stream"])
async def test_strangers_get_no_news(served: Guarded, path: str) -> None:
    token = await served.token("player", "mira")
    async with served.calling() as stranger:
        status, problem = await stranger("GET", f"/api/campaigns/c/{path}")
        assert (status, problem["code"]) == (401, "unauthenticated")
        status, problem = await stranger("GET", f"/api/campaigns/other/{path}?token={token}")
        assert (status, problem["code"]) == (403, "forbidden")
        async with stranger.session.get(
            f"{served.url}/api/campaigns/c/{path}?token={token}"
        ) as answer:
            assert answer.status == 200


async def test_a_stream_brings_the_sockets_messages_and_resumes(served: Guarded) -> None:
    async with served.calling("player", "mira") as mira, served.calling("dm") as dm:
        async with streaming(mira) as stream:
            snapshot = await stream.next()
            assert snapshot["structured_data"] == {"hp": 10, "story": STORY}
            assert stream.last_id == snapshot["position"]
            assert (await stream.hear())["type"] == "presence"
            await dm.commit("c", put("/hp", 9))
            update = await stream.next()
            assert (update["base"], update["version"]) == (1, 2)
        await dm.commit("c", put("/hp", 8))
        async with streaming(mira, stream.last_id) as stream:
            missed = await stream.next()
            assert (missed["base"], missed["version"]) == (2, 3)
        async with streaming(mira, stream.last_id, mode="full") as stream:
            assert (await stream.next())["structured_data"] == {"hp": 8, "story": STORY}


async def test_a_stream_ends_with_why_where_its_seat_is_lost(served: Guarded) -> None:
    async with served.calling("dm") as dm:
        url = f"{served.url}/api/campaigns/none/stream"
        async with dm.session.get(url) as answer:
            assert answer.status == 403
    lapsing = await served.token("player", "mira", lasts=1.0)
    async with served.calling(token=lapsing) as mira, streaming(mira) as stream:
        await stream.next()
        while (message := await stream.next())["type"] != "error":
            pass
        assert message["code"] == "unauthenticated"
        async with asyncio.timeout(PATIENCE):
            assert await stream.answer.content.read() == b""


async def test_flipping_between_transports_shows_every_change_once(served: Guarded) -> None:
    async with served.calling("dm") as dm, served.calling("player", "mira") as mira:
        position = ""
        seen: list[int] = []
        held: dict[str, Any] = {}
        for number in range(12):
            await dm.commit("c", put("/n", number))
            query = {"since": position} if position else {}
            if number % 3 == 0:
                async with mira.socket(campaign_id="c", **query) as peer:
                    messages = [await peer.next()]
            elif number % 3 == 1:
                messages = told(await poll(mira, position or None))
            else:
                async with streaming(mira, position or None) as stream:
                    messages = [await stream.next()]
            for message in messages:
                if message["type"] == "campaign_updated":
                    assert message["base"] == seen[-1]
                    seen.append(message["version"])
                    held.update({op["path"]: op["value"] for op in message["patch"]})
                else:
                    seen.append(message["version"])
                position = message["position"]
        assert seen == list(range(2, 14))
        assert held["/n"] == 11


async def test_a_poller_who_was_away_learns_what_became_of_its_suggestions(
    served: Guarded,
) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        await say(mira, type="player_suggestion", id="s1", content="A bribe?")
        position = (await poll(mira))["position"]
        assert (await table.until("player_left"))["player_id"] == "mira"
        await table.say(type="decide_suggestion", id="s1", player_id="mira", decision="accepted")
        await table.until("committed")
        answer = await poll(mira, position, wait=0)
        kinds = [message["type"] for message in answer["messages"]]
        assert kinds == ["campaign_updated", "suggestion"]
        assert answer["messages"][1]["state"] == "accepted"
        assert (await poll(mira, answer["position"], wait=0))["messages"] == []


async def test_a_stream_is_no_answer_to_an_old_request_nor_to_one_for_the_head_alone(
    served: Guarded,
) -> None:
    token = await served.token("player", "mira")
    async with served.calling(token=token) as mira:
        url = f"{served.url}/api/campaigns/c/stream"
        async with mira.session.head(url) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
            assert await answer.read() == b""
        async with mira.session.head(url) as answer:
            assert answer.status == 200, "the connection can still be read"
    host, _, port = served.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /api/campaigns/c/stream HTTP/1.0\r\nHost: x\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    async with asyncio.timeout(PATIENCE):
        assert b'"code":"invalid"' in await reader.read()
    writer.close()


async def test_one_stream_too_many_of_an_address_ends_with_why(tmp_path: Path) -> None:
    config = Config(max_address_connections=1)
    async with guarded(tmp_path, config=config) as served, served.calling("dm") as dm:
        await dm.create("c", DOCUMENT)
        async with streaming(dm) as first, streaming(dm) as second:
            await first.next()
            error = await second.next()
            assert (error["type"], error["code"]) == ("error", "rate_limited")
            async with asyncio.timeout(PATIENCE):
                assert await second.answer.content.read() == b""
