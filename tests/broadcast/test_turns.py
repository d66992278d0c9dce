"""A turn happens once, whoever asks for it how often, and whatever others do meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from questlog import CampaignBroadcaster, ClosedError, Rejection, loads_campaign, takes_turn
from server.services import SERVICES
from tests.broadcast.servers import SLOW, WAYS, Place, Unreliable, log_of, place
from tests.support.access import guarded
from tests.support.peer import calling, put
from tests.support.server import create, state


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path / "questlog.db") as found:
        yield found


async def document_of(here: Place) -> Any:
    return (await state(here.url, "c"))["structured_data"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("there", [True, False])
async def test_a_turn_asked_for_again_is_done_and_knows_what_was_said(
    here: Place, way: str, there: bool
) -> None:
    if there:
        await create(here.url, "c", {"turn": 0})
    for life in range(2):
        async with here.broadcaster(way) as broadcaster:
            for ask in range(2):
                async with broadcaster.turn("c", id="m-1", kind="chat.answered") as turn:
                    assert turn.done == bool(life or ask)
                    # In vain where it is done.
                    turn.structured_data["turn"] = turn.structured_data.get("turn", 0) + 1
                    if not turn.done:
                        turn.meta = {"answer": f"You look, in life {life}."}
                assert turn.meta == {"answer": "You look, in life 0."}
                assert turn.version == 2
    assert await document_of(here) == {"turn": 1}
    events = await log_of(here, "c")
    assert [event["id"] for event in events[1:]] == ["broadcaster:m-1"]
    assert events[1]["kind"] == "chat.answered"


async def test_a_turn_with_nothing_said_in_a_new_campaign_is_its_creation(here: Place) -> None:
    async with here.broadcaster() as broadcaster:
        for done in (False, True):
            async with broadcaster.turn("c", id="m-1") as turn:
                assert turn.done is done
                turn.structured_data["a"] = 1
        # One that changes nothing is in the log all the same.
        for done in (False, True):
            async with broadcaster.turn("c", id="m-2") as turn:
                assert turn.done is done
            assert turn.version == 2
    assert await document_of(here) == {"a": 1}


async def test_turns_of_one_campaign_come_one_after_the_other(here: Place) -> None:
    await create(here.url, "c", {"hp": 20})

    async def hit(broadcaster: CampaignBroadcaster, number: int) -> None:
        async with broadcaster.turn("c", id=f"hit-{number}") as turn:
            hp = turn.structured_data["hp"]
            await asyncio.sleep(0)
            turn.structured_data["hp"] = hp - 1

    async with here.broadcaster() as broadcaster, asyncio.TaskGroup() as group:
        for number in [*range(10), *range(10)]:
            group.create_task(hit(broadcaster, number))
    assert await document_of(here) == {"hp": 10}


async def test_what_others_do_while_a_turn_is_told_stays(here: Place) -> None:
    await create(here.url, "c", {"story": ["a"], "hp": 5, "mood": "calm"})
    async with here.broadcaster() as broadcaster, calling(here.url) as other:
        async with broadcaster.turn("c", id="m-1") as turn:
            turn.structured_data["story"].append("mine")
            turn.structured_data["mood"] = "grim"
            await other.commit("c", put("/story/-", "theirs"), put("/hp", 3), put("/mood", "odd"))
        assert await document_of(here) == {
            "story": ["a", "theirs", "mine"],
            "hp": 3,
            "mood": "grim",
        }


async def test_a_turn_that_fails_never_happened(here: Place) -> None:
    await create(here.url, "c", {"hp": 5})
    async with here.broadcaster() as broadcaster:
        with pytest.raises(ZeroDivisionError):
            async with broadcaster.turn("c", id="m-1") as turn:
                turn.structured_data["hp"] = 1 // 0
        with pytest.raises(Rejection) as refusal:
            async with broadcaster.turn("c", id="m-1") as turn:
                turn.structured_data = [1]  # type: ignore[assignment]
        assert refusal.value.code == "invalid"
        for wrong in ({"id": ""}, {"id": "m", "kind": "lease.taken"}):
            with pytest.raises(Rejection):
                async with broadcaster.turn("c", **wrong):
                    pytest.fail("it began")
        async with broadcaster.turn("c", id="m-1") as turn:
            assert not turn.done
            turn.structured_data["hp"] = 4
    assert await document_of(here) == {"hp": 4}


async def test_a_document_that_was_never_looked_at_is_the_applications_own(here: Place) -> None:
    mine: dict[str, Any] = {"a": 1, "b": 1}
    async with here.broadcaster() as broadcaster, calling(here.url) as other:
        data = {"campaign_id": "c", "structured_data": mine}
        await broadcaster.broadcast_campaign_update("campaign_updated", data)
        await broadcaster.flush()
        await other.commit("c", put("/b", 2))
        async with broadcaster.turn("c", id="m-1") as turn:
            mine["a"] = 2
            turn.structured_data = mine
        assert await document_of(here) == {"a": 2, "b": 2}
        async with broadcaster.turn("c", id="m-2"):
            pass
        await broadcaster.broadcast_campaign_update("campaign_updated", data)
        await broadcaster.flush()
        assert await document_of(here) == {"a": 2, "b": 2}


@pytest.mark.parametrize("way", WAYS)
async def test_two_lives_that_tell_one_turn_at_once_tell_it_once(here: Place, way: str) -> None:
    await create(here.url, "c", {"story": []})
    async with here.broadcaster(way) as one, here.broadcaster(way) as other:
        async with one.turn("c", id="m-1") as turn:
            turn.structured_data["story"].append("one")
            turn.meta = {"answer": "one"}
            async with other.turn("c", id="m-1") as quicker:
                quicker.structured_data["story"].append("other")
                quicker.meta = {"answer": "other"}
        assert (turn.done, turn.meta, turn.version) == (True, {"answer": "other"}, 2)
    assert await document_of(here) == {"story": ["other"]}


async def test_random_turns_over_lost_calls_happen_once_each(here: Place) -> None:
    seed = random.SystemRandom().getrandbits(48)
    rng = random.Random(seed)
    server = Unreliable(here.server("http"), rng, 0.3)
    await create(here.url, "c", {"story": []})
    asked = [f"m-{number}" for number in range(30)]
    for _ in range(3):
        # Each life is asked for all of them, in some order; a third of them it does not survive.
        rng.shuffle(asked)
        async with CampaignBroadcaster(server, sleep=lambda _: asyncio.sleep(0)) as broadcaster:
            for number in asked:
                try:
                    async with broadcaster.turn("c", id=number) as turn:
                        turn.structured_data["story"].append(number)
                        if rng.random() < 0.3:
                            raise ConnectionError
                except ConnectionError:
                    pass
    async with here.broadcaster() as broadcaster:
        for number in asked:
            async with broadcaster.turn("c", id=number) as turn:
                turn.structured_data["story"].append(number)
    story = (await document_of(here))["story"]
    assert sorted(story) == sorted(asked), f"seed {seed}"
    assert server.lost, f"seed {seed}"


async def test_a_turn_ends_with_the_broadcaster(here: Place) -> None:
    server = Unreliable(here.server("local"), random.Random(1), 0.0)
    server.down = True
    broadcaster = CampaignBroadcaster(server, patience=0.05, sleep=lambda _: asyncio.sleep(0.001))
    async with broadcaster:
        turn = broadcaster.turn("c", id="m-1")
        begun = asyncio.create_task(turn.__aenter__())
        await asyncio.wait_for(server.tried.wait(), SLOW)
    with pytest.raises(ClosedError):
        await begun


class Orchestrator:
    """An orchestrator as applications built on the earlier design have it."""

    def __init__(self) -> None:
        self.campaign_broadcaster: CampaignBroadcaster | None = None
        self.active_campaign_id: str | None = None
        self.campaigns: dict[str, dict[str, Any]] = {"c": {"story": []}}
        self.told = 0

    @loads_campaign
    async def activate_campaign(self, campaign_id: str) -> dict[str, Any] | None:
        document = self.campaigns.get(campaign_id)
        if document is None:
            return None
        self.active_campaign_id = campaign_id
        return {"structured_data": document}

    @takes_turn
    async def process_chat_message(self, message: str) -> dict[str, Any]:
        """Answer a message."""
        self.told += 1
        document = self.campaigns[self.active_campaign_id or ""]
        document["story"].append(message)
        return {"response": f"{message}!", "structured_data": document}


async def test_the_decorators_broadcast_what_an_orchestrator_does(here: Place) -> None:
    orchestrator = Orchestrator()
    orchestrator.campaigns["alone"] = {"story": []}
    await orchestrator.activate_campaign("alone")
    assert (await orchestrator.process_chat_message("hm"))["response"] == "hm!"
    orchestrator.active_campaign_id = None
    async with here.broadcaster() as broadcaster:
        orchestrator.campaign_broadcaster = broadcaster
        assert await orchestrator.activate_campaign("nowhere") is None
        assert await orchestrator.activate_campaign("c")
        await orchestrator.process_chat_message("look")
        first = await orchestrator.process_chat_message("attack", id="m-2")
        again = await orchestrator.process_chat_message("attack", id="m-2")
        assert (
            first == again == {"response": "attack!", "structured_data": again["structured_data"]}
        )
        assert orchestrator.told == 3
    # The next life has saved nothing of this, and is asked again by a client that got no answer.
    reborn = Orchestrator()
    async with here.broadcaster() as broadcaster:
        reborn.campaign_broadcaster = broadcaster
        reborn.campaigns["c"] = await broadcaster.load_campaign("c")
        await reborn.activate_campaign("c")
        assert (await reborn.process_chat_message("attack", id="m-2"))["response"] == "attack!"
        assert reborn.told == 0
        await reborn.process_chat_message("rest", id="m-3")
    assert await document_of(here) == {"story": ["look", "attack", "rest"]}
    kinds = [event["kind"] for event in await log_of(here, "c")]
    assert kinds == ["campaign.created", "campaign.activated", *["state.updated"] * 3]
    assert await here.questlog[SERVICES].store.seated("main") == "c"


async def test_a_token_opens_its_own_campaign_and_can_be_renewed(tmp_path: Path) -> None:
    async with guarded(tmp_path) as table:
        good, bad = await table.token("dm"), await table.token("player", "mira")
        async with CampaignBroadcaster(table.url, token=bad) as broadcaster:
            for token, code in (("nonsense", "unauthenticated"), (bad, "forbidden")):
                broadcaster.authenticate(token)
                with pytest.raises(Rejection) as refusal:
                    async with broadcaster.turn("c", id="m-1"):
                        pytest.fail("it began")
                assert refusal.value.code == code
            broadcaster.authenticate(good)
            async with broadcaster.turn("c", id="m-1") as turn:
                turn.structured_data["a"] = 1
            assert (await state(table.url, "c", good))["structured_data"] == {"a": 1}
