"""What a reviewer broke of what is said: decisions lost with a connection, and words with an id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.client.proxy import Proxy
from tests.support.access import Guarded, guarded
from tests.support.peer import Caller
from tests.support.talk import heard, until_told


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"story": "Long ago. " * 100})
        yield served


@pytest.mark.parametrize("with_position", [True, False])
async def test_a_decision_written_to_a_dying_connection_is_told_again(
    served: Guarded, with_position: bool
) -> None:
    async with (
        Proxy.before(served.url) as proxy,
        served.calling("player", "mira") as direct,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        mira = Caller(direct.session, proxy.url)
        async with mira.socket(campaign_id="c") as dying:
            await dying.next()
            await dying.ask(type="player_suggestion", id="s1", content="A bribe?")
            # The news of it comes before the answer, and is the last that comes through.
            position = (await direct("GET", "/api/campaigns/c/state"))[1]["position"]
            proxy.deaf = True
            await table.ask(
                type="decide_suggestion",
                id="s1",
                player_id="mira",
                decision="accepted",
                answer="Yes.",
            )
            proxy.cut()
        proxy.deaf = False
        query = {"since": position} if with_position else {}
        async with mira.socket(campaign_id="c", **query) as back:
            told = await until_told(back, "suggestion", id="s1")
            assert (told["state"], told["answer"]) == ("accepted", "Yes.")
            await back.say(type="heartbeat", version=3)
            await back.until("heartbeat")
        async with mira.socket(campaign_id="c") as again:
            await again.next()
            assert await heard(again, "suggestion") == [], "it has shown that it knows"


async def test_a_pong_shows_that_a_decision_has_arrived(served: Guarded) -> None:
    async with (
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        dm.socket("dm", campaign_id="c") as table,
    ):
        await table.next()
        async with mira.socket(campaign_id="c") as peer:
            await peer.next()
            await peer.ask(type="player_suggestion", id="s1", content="A bribe?")
            await table.ask(
                type="decide_suggestion", id="s1", player_id="mira", decision="dismissed"
            )
            await until_told(peer, "suggestion", state="dismissed")
            # The pong went before this.
            assert await heard(peer, "suggestion") == []
        async with mira.socket(campaign_id="c") as again:
            await again.next()
            assert await heard(again, "suggestion") == []


async def test_a_spectator_of_a_players_name_hears_nothing_of_the_players(
    served: Guarded,
) -> None:
    async with (
        served.calling("spectator", "mira") as watching,
        served.calling("player", "mira") as mira,
        served.calling("dm") as dm,
        watching.socket(campaign_id="c") as spectator,
        mira.socket(campaign_id="c") as player,
        dm.socket("dm", campaign_id="c") as table,
    ):
        for peer in (spectator, player, table):
            await peer.next()
        await player.ask(type="player_suggestion", id="s1", content="CANARY")
        await table.say(type="signal", name="psst", data="CANARY", to=["mira", "player:mira"])
        assert (await player.until("signal"))["data"] == "CANARY"
        assert await heard(spectator, "suggestion", "signal") == []


async def test_words_under_an_id_that_was_used_are_refused_and_not_lost(
    served: Guarded,
) -> None:
    async with served.calling("dm") as dm, dm.socket("dm", campaign_id="c") as table:
        await table.next()
        narration = {"type": "narration", "id": "t"}
        await table.ask(**narration, phase="begin")
        await table.ask(**narration, phase="end", text="done")
        await table.say(**narration, phase="begin")
        await table.say(**narration, phase="chunk", offset=0, text="LOST WORDS")
        answers = [await table.until("committed"), await table.until("rejected")]
        assert [answer["id"] for answer in answers] == ["t", "t"]
        assert answers[0]["duplicate"] is True
        assert answers[1]["code"] == "invalid"
