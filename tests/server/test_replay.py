"""A replay over HTTP: what was told then is told again, and may be stopped and gone back in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, WSServerHandshakeError

from server.config import Config
from tests.support.access import Guarded, guarded
from tests.support.follower import Follower
from tests.support.peer import Caller, Events, Peer, calling, put, refused, wire
from tests.support.server import serving

DOCUMENT = {"hp": 9, "private": {"mira": {}}, "dm": {"plan": "a trap"}}
HIDDEN = [{"path": "/hp", "to": ["dm"]}, {"path": "/dm", "to": ["dm"]}]
RULES = {"default": "visible", "rules": HIDDEN}
HEAD = 7


@pytest.fixture
async def played(call: Caller) -> Caller:
    """Yield calls to a server whose campaign `c` has seven versions."""
    await play(call)
    return call


async def play(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    await call.commit("c", put("/hp", 4))
    await call.commit("c", put("/private/mira/note", "you hear a knock"))
    await call.commit("c", put("/dm/plan", "mercy"))
    await call("PUT", "/api/campaigns/c/visibility", json=RULES)
    await call.commit("c", put("/hp", 0))
    await call.commit("c", put("/scene", "the crypt"))


@asynccontextmanager
async def replaying(
    call: Caller, last: str | None = None, **query: Any
) -> AsyncIterator[tuple[ClientResponse, Events]]:
    headers = {} if last is None else {"Last-Event-ID": last}
    given = {name.rstrip("_"): str(value) for name, value in query.items()}
    url = f"{call.url}/api/campaigns/c/replay"
    async with call.session.get(url, headers=headers, params=given) as answer:
        yield answer, Events(answer)


async def whole(call: Caller, last: str | None = None, **query: Any) -> list[dict[str, Any]]:
    """Return every message of a replay at full speed, having seen that it ends."""
    async with replaying(call, last, speed="max", **query) as (answer, events):
        assert answer.status == 200, await answer.text()
        messages = [await events.hear()]
        while not (messages[-1]["type"] == "replay" and messages[-1]["ended"]):
            messages.append(await events.hear())
        assert await answer.content.read() == b""
        return messages


@asynccontextmanager
async def showing(call: Caller, **query: Any) -> AsyncIterator[Peer]:
    """Replay over a socket."""
    given = {name.rstrip("_"): str(value) for name, value in query.items()}
    url = f"{call.url}/api/campaigns/c/replay"
    async with call.session.ws_connect(url, params=given) as socket:
        yield Peer(socket)


def about(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] == kind]


@pytest.mark.parametrize("viewer", ["dm", "player", "player:mira", "spectator"])
async def test_every_version_is_what_that_viewer_saw_then(played: Caller, viewer: str) -> None:
    messages = await whole(played, as_=viewer)
    assert [message["type"] for message in messages] == [
        "campaign_active",
        "replay",
        *["campaign_updated"] * (HEAD - 1),
        "replay",
    ]
    follower = Follower()
    for message in messages:
        if message["type"] == "replay":
            continue
        follower.take(message)
        path = f"/api/campaigns/c/state?as={viewer}&version={message['version']}"
        _, state = await played("GET", path)
        assert follower.document == state["structured_data"], message
        assert message["position"] == state["position"]
    if viewer != "dm":
        assert "trap" not in str(messages)
        assert "mercy" not in str(messages)


async def test_its_messages_are_those_of_live_play(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    async with call.socket(campaign_id="c", player_id="mira") as mira:
        live = [await mira.until("campaign_active")]
        for patch in (
            put("/hp", 4),
            put("/private/mira/note", "a knock"),
            put("/dm/plan", "mercy"),
        ):
            await call.commit("c", patch)
            live.append(await mira.until("campaign_updated"))
    told = [m for m in await whole(call, as_="player:mira") if m["type"] != "replay"]
    _, log = await call("GET", "/api/campaigns/c/events")
    times = [event["at"] for event in log["events"]]
    assert [message.pop("timestamp") for message in told] == times
    for message in live:
        del message["timestamp"]
    assert told == live


async def test_a_part_of_the_log_from_a_version_or_moment(played: Caller) -> None:
    messages = await whole(played, from_=3, to=5)
    versions = [m["version"] for m in messages if m["type"] != "replay"]
    assert versions == [3, 4, 5]
    _, log = await played("GET", "/api/campaigns/c/events")
    at = log["events"][2]["at"]
    async with replaying(played, speed="max", from_=at, to="2100-01-01T00:00+02:00") as (_, events):
        first = await events.hear()
    assert first["type"] == "campaign_active"
    assert first["version"] >= 3
    for to in (1, 0, "2000-01-01"):
        [told] = about(await whole(played, from_="2000-01-01", to=to), "replay")
        assert (told["first"], told["last"], told["version"]) == (1, 1, 1)


async def propose(call: Caller) -> dict[str, list[dict[str, Any]]]:
    """Have two players propose something, and return what they and the DM were told of it live."""
    await call.create("c", DOCUMENT)
    heard: dict[str, list[dict[str, Any]]] = {"dm": [], "player:mira": [], "player:tobin": []}
    async with (
        call.socket("dm", campaign_id="c") as dm,
        call.socket(campaign_id="c", player_id="mira") as mira,
        call.socket(campaign_id="c", player_id="tobin") as tobin,
        call.socket(campaign_id="c") as nobody,
    ):
        peers = {"dm": dm, "player:mira": mira, "player:tobin": tobin}

        async def told(*names: str) -> None:
            for name in names:
                heard[name].append(await peers[name].until("suggestion"))

        for peer in (*peers.values(), nobody):
            await peer.until("campaign_active")
        await dm.say(type="take_lease", id="wheel", name="tablet")
        assert (await dm.until("lease"))["lease"] is None
        heard["lease"] = [await dm.until("lease")]
        await mira.say(type="player_suggestion", id="s", content="I wedge the door.")
        await told("dm", "player:mira")
        await tobin.say(type="player_suggestion", id="s", content="I run.", metadata={"to": "inn"})
        await told("dm", "player:tobin")
        decide = {"type": "decide_suggestion", "id": "s", "player_id": "mira"}
        await dm.say(**decide, decision="answer", answer="With what?")
        await told("dm", "player:mira")
        await dm.say(**decide, decision="accept", patch=[put("/door", "wedged")])
        await told("dm", "player:mira")
        await nobody.say(type="player_suggestion", id="s", content="I hide.")
        await told("dm")
    for messages in heard.values():
        for message in messages:
            del message["timestamp"]
    return heard


async def test_suggestions_and_the_wheel_are_told_as_they_were_and_to_whom(call: Caller) -> None:
    live = await propose(call)
    _, log = await call("GET", "/api/campaigns/c/events")
    times = {event["version"]: event["at"] for event in log["events"]}
    for viewer in ("dm", "player:mira", "player:tobin", "player", "spectator", "player:jun"):
        messages = await whole(call, as_=viewer)
        version, told = 0, []
        for message in messages:
            version = message.get("version", version)
            if message["type"] == "suggestion":
                assert message.pop("timestamp") == times[version]
                told.append(message)
        assert told == live.get(viewer, []), viewer
        wheel = about(messages, "lease")
        assert [each["member"] for each in wheel] == (["dm"] if viewer == "dm" else [])
    # In the middle of it: what waits then, and what was decided in that very version.
    for first, states in ((3, ["pending"]), (4, ["pending"] * 2), (6, ["accepted", "pending"])):
        messages = await whole(call, from_=first, to=first)
        assert [each["state"] for each in about(messages, "suggestion")] == states
        assert [each["lease"] for each in about(messages, "lease")] == [2]


async def test_a_replay_that_goes_back_tells_who_has_the_wheel_then(call: Caller) -> None:
    await propose(call)
    async with showing(call, gap=3600, speed=0.01) as peer:
        for to, holder in ((3, "dm"), (1, None), (2, "dm")):
            await peer.say(type="seek", to=to)
            assert (await peer.until("lease"))["member"] == holder


async def test_a_browser_that_comes_back_goes_on_and_is_told_of_the_end(played: Caller) -> None:
    async with replaying(played, speed="max") as (_, events):
        while (await events.hear()).get("version") != 4:
            pass
        position = events.last_id
    assert position.startswith("4.")
    messages = await whole(played, position)
    assert [m["version"] for m in about(messages, "campaign_updated")] == [5, 6, 7]
    assert about(messages, "campaign_active") == [], "what it holds proves out"
    made_up = await whole(played, "4.0123456789abcdef")
    assert [m["version"] for m in about(made_up, "campaign_active")] == [4]
    _, state = await played("GET", "/api/campaigns/c/state")
    async with replaying(played, state["position"]) as (answer, _):
        assert answer.status == 204


async def test_a_socket_takes_controls(played: Caller) -> None:
    async with showing(played, gap=3600, speed=0.01) as peer:
        assert (await peer.hear())["version"] == 1
        assert (await peer.hear())["paused"] is False
        await peer.say(type="step")
        assert (await peer.hear())["version"] == 2
        told = await peer.hear()
        assert (told["type"], told["version"], told["paused"]) == ("replay", 2, True)
        await peer.say(type="step", by=-1)
        back = await peer.hear()
        assert (back["type"], back["version"], back["reason"]) == ("campaign_active", 1, "resync")
        assert (await peer.hear())["version"] == 1
        await peer.say(type="seek", to=5)
        assert (await peer.hear())["structured_data"]["dm"] == {"plan": "mercy"}
        assert (await peer.hear())["paused"] is True
        await peer.say(type="speed", speed="max")
        assert (await peer.hear())["speed"] == "max"
        await peer.say(type="resume")
        assert (await peer.hear())["paused"] is False
        assert [(await peer.hear())["version"] for _ in range(2)] == [6, 7]
        assert (await peer.hear())["ended"] is True
        await peer.say(type="seek", to="2000-01-01")
        assert (await peer.hear())["version"] == 1, "one may go back after the end"


async def test_recorded_times_are_kept_to(played: Caller) -> None:
    async with showing(played, gap=3600, speed=0.01) as peer:
        assert (await peer.hear())["version"] == 1
        assert (await peer.hear())["type"] == "replay"
        await peer.say(type="pause")
        assert (await peer.hear())["type"] == "replay"
        await peer.say(type="speed", speed=10_000)
        assert (await peer.hear())["type"] == "replay"
        await peer.say(type="resume")
        assert (await peer.hear())["paused"] is False
        assert [(await peer.hear())["version"] for _ in range(6)] == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("frame", "code", "close"),
    [
        ("{", "bad_json", 4400),
        ('{"type":"commit"}', "invalid", 4400),
        ('{"type":"speed","speed":0}', "invalid", 4400),
        ('{"type":"seek","to":"yesterday"}', "invalid", 4400),
        (" " * 4097, "too_large", 4413),
        ('{"type":"pause","' + "x" * 200_000, "too_large", 4413),
    ],
)
async def test_a_bad_control_ends_it_with_a_reason(
    played: Caller, frame: str, code: str, close: int
) -> None:
    async with showing(played, gap=3600, speed=0.01) as peer:
        await peer.socket.send_str(frame)
        assert (await peer.until("error"))["code"] == code
        assert await peer.closed() == close


async def test_a_frame_that_is_no_text_ends_it_with_a_reason(played: Caller) -> None:
    async with showing(played, gap=3600, speed=0.01) as peer:
        wire(peer).write(bytes.fromhex("8182 00000000 fffe"))
        await refused(peer, "bad_json", 4400)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"from_": 8}, 404, "unknown_version"),
        ({"to": 99}, 404, "unknown_version"),
        ({"from_": 2, "to": "2000-01-01"}, 422, "invalid"),
        ({"from_": 5, "to": 3}, 422, "invalid"),
        ({"from_": "yesterday"}, 422, "invalid"),
        ({"as_": "goblin"}, 422, "invalid"),
        ({"speed": 0}, 422, "invalid"),
        ({"speed": "nan"}, 422, "invalid"),
        ({"speed": "fast"}, 422, "invalid"),
        ({"gap": -1}, 422, "invalid"),
        ({"gap": "inf"}, 422, "invalid"),
    ],
)
async def test_what_is_wrong_is_said_before_anything_is_shown(
    played: Caller, query: dict[str, Any], status: int, code: str
) -> None:
    async with replaying(played, **query) as (answer, _):
        assert answer.status == status
        assert (await answer.json())["code"] == code
    with pytest.raises(WSServerHandshakeError) as refused:
        async with showing(played, **query):
            pass
    assert refused.value.status == status


async def test_a_campaign_that_is_not_there_is_404(call: Caller) -> None:
    async with replaying(call) as (answer, _):
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_campaign")


async def test_there_are_so_many_at_once_at_most(tmp_path: Path) -> None:
    config = Config(open=True, max_replays=1)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await play(call)
        async with showing(call, gap=3600, speed=0.01) as peer:
            await peer.hear()
            async with replaying(call) as (answer, _):
                assert answer.status == 429
                assert answer.headers["Retry-After"] == "10"
                assert (await answer.json())["code"] == "rate_limited"
        while True:
            async with replaying(call, speed="max") as (answer, _):
                if answer.status == 200:
                    break


async def test_a_server_that_stops_says_so(tmp_path: Path) -> None:
    async with AsyncExitStack() as ends:
        async with serving(tmp_path / "q.db") as url:
            call = await ends.enter_async_context(calling(url))
            await play(call)
            peer = await ends.enter_async_context(showing(call, gap=3600, speed=0.01))
            await peer.hear()
            answer, events = await ends.enter_async_context(replaying(call, gap=3600, speed=0.01))
            await events.hear()
            closed = asyncio.create_task(peer.closed())
        assert await closed == 1012
        await answer.content.read()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server that asks for tokens, with a campaign `c`."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await play(dm)
        yield served


@pytest.mark.parametrize("role", ["player", "spectator"])
async def test_only_a_dm_may_look_back(served: Guarded, role: Any) -> None:
    async with served.calling(role, "mira" if role == "player" else None) as call:
        for query in ({}, {"as_": "player:mira"}):
            async with replaying(call, **query) as (answer, _):
                assert (answer.status, (await answer.json())["code"]) == (403, "forbidden")


async def test_a_browsers_socket_shows_its_token_in_the_query(served: Guarded) -> None:
    token = await served.token("dm")
    async with served.calling() as call, showing(call, token=token, speed="max") as peer:
        assert (await peer.hear())["version"] == 1


async def test_whoever_loses_the_seat_sees_no_more(served: Guarded) -> None:
    async with served.calling("dm", "lia") as call, showing(call, gap=3600, speed=0.01) as peer:
        await peer.hear()
        await peer.hear()
        await served.access.remove_member("c", "lia", 2**42)
        await asyncio.wait_for(until_refused(peer), 20)


async def until_refused(peer: Peer) -> None:
    """Ask for one step after the other until one is refused."""
    while True:
        await peer.say(type="step", by=0)
        message = await peer.hear()
        if message["type"] == "error":
            assert message["code"] in ("forbidden", "unauthenticated")
            assert await peer.closed() in (4401, 4403)
            return
