"""What an application broadcasts is in the log, once, in order, and undoes nobody's work."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from questlog import CampaignBroadcaster, ClosedError, Rejection
from questlog.broadcast.http import HttpServer
from questlog.broadcast.work import commit_id
from server.config import Config
from tests.broadcast.servers import SLOW, WAYS, Place, Unreliable, log_of, place
from tests.support.peer import calling, put
from tests.support.server import activate, create, state


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path / "questlog.db") as found:
        yield found


def update(document: Any, campaign_id: str = "c", **more: Any) -> tuple[str, dict[str, Any]]:
    """Return the arguments of a broadcast that says what a campaign is now."""
    return "campaign_updated", {"campaign_id": campaign_id, "structured_data": document, **more}


async def document_of(here: Place, campaign_id: str = "c") -> Any:
    return (await state(here.url, campaign_id))["structured_data"]


@pytest.mark.parametrize("way", WAYS)
async def test_the_calls_of_the_earlier_design_do_what_they_did(here: Place, way: str) -> None:
    document = {"narrative": "Rain.", "turn": 1}
    async with (
        calling(here.url) as caller,
        caller.socket("player", mode="full") as player,
        here.broadcaster(way) as broadcaster,
    ):
        data = {"campaign_id": "c", "structured_data": document}
        await broadcaster.broadcast_campaign_update("campaign_loaded", data)
        loaded = await player.until("campaign_loaded")
        assert loaded["structured_data"] == {"narrative": "Rain.", "turn": 1}
        # Applications change the one document they have, in place.
        document["turn"] = 2
        await broadcaster.broadcast_campaign_update(*update(document))
        document["turn"] = 99
        updated = await player.until("campaign_updated")
        assert updated["structured_data"] == {"narrative": "Rain.", "turn": 2}
        await broadcaster.broadcast_campaign_update("campaign_deactivated", {"campaign_id": "c"})
        assert (await player.until("campaign_deactivated"))["campaign_id"] == "c"
        await broadcaster.flush()
    kinds = [event["kind"] for event in await log_of(here, "c")]
    assert kinds == [
        "campaign.created",
        "campaign.activated",
        "state.updated",
        "campaign.deactivated",
    ]


@pytest.mark.parametrize("way", WAYS)
async def test_it_never_undoes_what_others_changed_meanwhile(here: Place, way: str) -> None:
    party = [{"id": name, "hp": 10} for name in ("mira", "odo", "tam")]
    mine = {"party": party, "turn": 1}
    async with here.broadcaster(way) as broadcaster, calling(here.url) as other:
        await (await broadcaster.broadcast_campaign_update(*update(mine)))
        # Another DM: a newcomer at the front, a wound, and a plan of their own.
        await other.commit(
            "c",
            put("/party/0", {"id": "vex", "hp": 8}),
            put("/party/2/hp", 3),
            put("/dm", {"plan": "bell"}),
        )
        party[2]["hp"] = 7
        mine["turn"] = 2
        sent = await (await broadcaster.broadcast_campaign_update(*update(mine)))
        assert (sent.version, sent.duplicate) == (3, False)
        merged = await document_of(here)
        assert merged == {
            "party": [
                {"id": "vex", "hp": 8},
                {"id": "mira", "hp": 10},
                {"id": "odo", "hp": 3},
                {"id": "tam", "hp": 7},
            ],
            "turn": 2,
            "dm": {"plan": "bell"},
        }
        # And again, though the application still knows nothing of it.
        mine["turn"] = 3
        await (await broadcaster.broadcast_campaign_update(*update(mine)))
        assert await document_of(here) == {**merged, "turn": 3}


async def test_one_round_trip_is_enough_where_nobody_else_writes(here: Place) -> None:
    server = Unreliable(here.server("http"), random.Random(1), 0.0)
    async with CampaignBroadcaster(server) as broadcaster:
        for turn in range(4):
            await broadcaster.broadcast_campaign_update(*update({"turn": turn}))
        await broadcaster.flush()
        # Nothing changed, and nobody asked for an event.
        await (await broadcaster.broadcast_campaign_update(*update({"turn": 3})))
    assert server.calls == ["state", "create", "commit", "commit", "commit"]
    patches = [event["patch"] for event in (await log_of(here, "c"))[1:]]
    assert patches == [[{"op": "replace", "path": "/turn", "value": n}] for n in (1, 2, 3)]


@pytest.mark.parametrize("way", WAYS)
async def test_a_restarted_application_undoes_nothing_either(here: Place, way: str) -> None:
    async with here.broadcaster(way) as broadcaster:
        await broadcaster.broadcast_campaign_update(*update({"a": 1, "b": 1, "gone": 1}))
    async with calling(here.url) as other:
        await other.commit("c", put("/b", 2), put("/new", 1))
        await activate(here.url, "c")
    async with here.broadcaster(way) as broadcaster:
        # It has its own document from before, one turn later.
        await (await broadcaster.broadcast_campaign_update(*update({"a": 2, "b": 1})))
        assert await document_of(here) == {"a": 2, "b": 2, "new": 1}
        # It may as well begin with the campaign's: then what it leaves out, it means to leave out.
        document = await broadcaster.load_campaign("c")
        del document["new"]
        await (await broadcaster.broadcast_campaign_update(*update(document)))
        assert await document_of(here) == {"a": 2, "b": 2}
        with pytest.raises(Rejection) as refusal:
            await broadcaster.load_campaign("nowhere")
        assert refusal.value.code == "unknown_campaign"


async def test_what_another_made_is_added_to_and_not_replaced(here: Place) -> None:
    await create(here.url, "c", {"dm": {"plan": "bell"}, "turn": 1, "log": ["a"]})
    async with here.broadcaster() as broadcaster:
        await (await broadcaster.broadcast_campaign_update(*update({"turn": 2, "log": ["b"]})))
        assert await document_of(here) == {"dm": {"plan": "bell"}, "turn": 2, "log": ["a", "b"]}


async def test_kind_meta_and_id_are_the_events(here: Place) -> None:
    async with here.broadcaster(name="agent") as broadcaster:
        for _ in range(2):
            # The second changes nothing, and is in the log before.
            delivery = await broadcaster.broadcast_campaign_update(
                *update({"turn": 1}), kind="turn.ended", meta={"model": "x"}, id="turn-1"
            )
            sent = await delivery
        assert (sent.version, sent.duplicate) == (2, True)
    created, event = await log_of(here, "c")
    assert created["patch"][0]["value"] == {}
    assert (event["kind"], event["meta"], event["id"]) == (
        "turn.ended",
        {"model": "x"},
        "agent:turn-1",
    )


@pytest.mark.parametrize("way", WAYS)
async def test_lost_calls_and_lost_answers_lose_and_double_nothing(here: Place, way: str) -> None:
    seed = random.SystemRandom().getrandbits(48)
    server = Unreliable(here.server(way), random.Random(seed), 0.3)
    story: list[str] = []

    async def interfere(caller: Any) -> None:
        for number in range(20):
            patch = [put("/others/-", number)]
            await caller("POST", "/api/campaigns/c/events", json={"patch": patch})

    await create(here.url, "c", {"others": [], "story": []})
    async with (
        here.broadcaster(way) as _,
        CampaignBroadcaster(server, max_waiting=5, sleep=lambda _: asyncio.sleep(0)) as broadcaster,
        calling(here.url) as caller,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(interfere(caller))
        for number in range(40):
            story.append(f"line {number}")
            delivery = await broadcaster.broadcast_campaign_update(
                *update({"story": story}), id=f"line-{number}"
            )
        await delivery
        await broadcaster.flush()
    where = f"seed {seed}"
    assert server.lost > 10, where
    document = await document_of(here)
    assert document == {"others": list(range(20)), "story": story}, where
    ids = [event["id"] for event in await log_of(here, "c")]
    told = [name for name in ids if name.startswith("broadcaster:")]
    assert told == [f"broadcaster:line-{number}" for number in range(40)], where


async def test_a_server_that_goes_away_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "questlog.db"
    async with place(path) as here:
        port, url = int(here.url.split(":")[2].split("/")[0]), here.url
        server = Unreliable(HttpServer(url), random.Random(1), 0.0)
        broadcaster = CampaignBroadcaster(server, sleep=lambda _: asyncio.sleep(0.01))
        await broadcaster.__aenter__()
        await (await broadcaster.broadcast_campaign_update(*update({"turn": 0})))
    server.tried.clear()
    try:
        for turn in range(1, 6):
            # The earlier design never waited for anybody, and neither does this.
            async with asyncio.timeout(5.0):
                await broadcaster.broadcast_campaign_update(*update({"turn": turn}), id=f"t{turn}")
        await asyncio.wait_for(server.tried.wait(), SLOW)
        assert broadcaster.waiting == 5
        async with place(path, port) as here:
            await asyncio.wait_for(broadcaster.flush(), SLOW)
            assert (await state(url, "c"))["version"] == 6
            assert [event["id"][-2:] for event in await log_of(here, "c")][1:] == [
                f"t{turn}" for turn in range(1, 6)
            ]
            assert not broadcaster.away
    finally:
        await broadcaster.close()


async def test_a_full_queue_keeps_the_newest_state_of_each_campaign(here: Place) -> None:
    server = Unreliable(here.server("local"), random.Random(1), 0.0)
    server.down = True
    async with CampaignBroadcaster(
        server, max_waiting=3, sleep=lambda _: asyncio.sleep(0.001)
    ) as broadcaster:
        first = await broadcaster.broadcast_campaign_update(*update({"n": 0}))
        await asyncio.wait_for(server.tried.wait(), SLOW)
        a1 = await broadcaster.broadcast_campaign_update(*update({"n": 1}, "a"))
        b1 = await broadcaster.broadcast_campaign_update(*update({"n": 1}, "b"), id="b1")
        a2 = await broadcaster.broadcast_campaign_update(*update({"n": 2}, "a"))
        # Full: the newest takes the place of the last of its campaign.
        a3 = await broadcaster.broadcast_campaign_update(*update({"n": 3}, "a"))
        assert a3 is a2
        assert broadcaster.waiting == 4
        # What has an id of its own takes nobody's place, and nobody takes its.
        asked: tuple[tuple[str, dict[str, Any]], ...] = (("a", {"id": "a9"}), ("b", {}))
        waits = [
            asyncio.create_task(
                broadcaster.broadcast_campaign_update(*update({"n": 9}, name), **own)
            )
            for name, own in asked
        ]
        done, _ = await asyncio.wait(waits, timeout=0.05)
        assert not done
        server.down = False
        for delivery in (first, a1, b1, a2, *[await task for task in waits]):
            await asyncio.wait_for(asyncio.ensure_future(_result(delivery)), SLOW)
    assert await document_of(here, "a") == {"n": 9}
    assert await document_of(here, "b") == {"n": 9}
    versions = [event["patch"][0]["value"] for event in await log_of(here, "a")]
    assert versions == [{"n": 1}, 3, 9]


async def _result(delivery: Any) -> Any:
    return await delivery


async def test_a_refusal_reaches_whoever_asks_and_holds_nothing_up(tmp_path: Path) -> None:
    refused: list[tuple[str, str]] = []

    def note(campaign_id: str, error: Exception) -> None:
        refused.append((campaign_id, getattr(error, "code", "")))

    config = Config(open=True, max_document=1000)
    async with (
        place(tmp_path / "questlog.db", config=config) as here,
        here.broadcaster(on_refused=note) as broadcaster,
    ):
        await broadcaster.broadcast_campaign_update(*update({"n": 1}))
        large = await broadcaster.broadcast_campaign_update(*update({"n": 2, "text": "x" * 2000}))
        unnoticed = await broadcaster.broadcast_campaign_update(
            *update({"n": 3, "text": "x" * 2000})
        )
        last = await broadcaster.broadcast_campaign_update(*update({"n": 4, "more": True}))
        assert (await last).version == 2
        with pytest.raises(Rejection) as refusal:
            await large
        assert refusal.value.code == "too_large"
        with pytest.raises(Rejection) as refusal:
            await broadcaster.flush()
        assert refusal.value.code == "too_large"
        assert unnoticed.done
        await broadcaster.flush()
        assert refused == [("c", "too_large"), ("c", "too_large")]
        assert await document_of(here) == {"n": 4, "more": True}, "what was refused comes later"


@pytest.mark.parametrize(
    ("event_type", "data", "sentence"),
    [
        ("player_joined", {"campaign_id": "c"}, "no event to broadcast"),
        ("campaign_updated", {"campaign_id": "c"}, "brings structured_data"),
        ("campaign_updated", {"campaign_id": "c", "structured_data": None}, "is a NoneType"),
        ("campaign_updated", {"campaign_id": "c", "structured_data": [1]}, "is a list"),
        ("campaign_updated", {"campaign_id": "c", "structured_data": {"a": {1}}}, "type set"),
        ("campaign_updated", {"campaign_id": "c", "structured_data": {1: 2}}, "type int"),
        ("campaign_updated", {"campaign_id": "c", "structured_data": {"a": (1,)}}, "type tuple"),
        ("campaign_updated", {"campaign_id": "c", "structured_data": {"a": "\ud800"}}, "JSON"),
        (
            "campaign_updated",
            {"campaign_id": "c", "structured_data": {"a": float("nan")}},
            "number nan",
        ),
        ("campaign_updated", {"structured_data": {}}, "name a campaign_id"),
        ("campaign_updated", {"campaign_id": 7, "structured_data": {}}, "name a campaign_id"),
        ("campaign_updated", {"campaign_id": "a/b", "structured_data": {}}, "no spaces"),
        ("campaign_updated", ["c"], "The data of a broadcast"),
        ("campaign_loaded", {"campaign_id": "c", "narrative": "x"}, "The data of a broadcast"),
        ("campaign_loaded", {"campaign_id": "c", "table": 7}, "named by text"),
    ],
)
async def test_what_is_no_broadcast_is_told_at_once(
    here: Place, event_type: str, data: Any, sentence: str
) -> None:
    async with here.broadcaster() as broadcaster:
        with pytest.raises(Rejection, match=sentence) as refusal:
            await broadcaster.broadcast_campaign_update(event_type, data)
        assert refusal.value.code == "invalid"
        assert broadcaster.waiting == 0


async def test_kinds_and_meta_that_are_none_are_told_at_once(here: Place) -> None:
    async with here.broadcaster() as broadcaster:
        wrong: tuple[dict[str, Any], ...] = (
            {"kind": "campaign.created"},
            {"meta": {"x": "x" * 70_000}},
            {"meta": [1]},
        )
        for more in wrong:
            with pytest.raises(Rejection) as refusal:
                await broadcaster.broadcast_campaign_update(*update({}), **more)
            assert refusal.value.code == "invalid"
    with pytest.raises(Rejection):
        CampaignBroadcaster("http://127.0.0.1:1", name="a" * 21)


async def test_a_closed_broadcaster_says_what_it_could_not_send(here: Place) -> None:
    server = Unreliable(here.server("local"), random.Random(1), 0.0)
    server.down = True
    broadcaster = CampaignBroadcaster(server, patience=0.05)
    with pytest.raises(RuntimeError, match="async with"):
        await broadcaster.broadcast_campaign_update(*update({}))
    async with broadcaster:
        delivery = await broadcaster.broadcast_campaign_update(*update({"n": 1}))
    with pytest.raises(ClosedError):
        await delivery
    with pytest.raises(ClosedError):
        await broadcaster.broadcast_campaign_update(*update({}))


async def test_somebody_elses_server_is_a_refusal_and_not_a_wait(here: Place) -> None:
    root = here.url.removesuffix("/questlog")
    for url, sentence in ((root, "no Questlog server"), ("ftp://127.0.0.1", "No server to use")):
        async with CampaignBroadcaster(url) as broadcaster:
            delivery = await broadcaster.broadcast_campaign_update(*update({}))
            with pytest.raises(Rejection, match=sentence):
                await delivery


def test_the_id_in_the_log_is_the_applications_own_where_it_fits() -> None:
    assert commit_id("narrator", "chat-17") == "narrator:chat-17"
    strange = ["x" * 64, "naïve", "a\nb", "\ud800"]
    made = [commit_id("narrator", text) for text in strange]
    assert len(set(made)) == len(strange)
    assert all(name.startswith("narrator:") and len(name) <= 64 for name in made)
    assert made == [commit_id("narrator", text) for text in strange]
