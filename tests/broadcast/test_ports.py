"""The server over the network and in process: one contract, told the same way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from questlog.broadcast.port import CampaignServer, Change, Held
from questlog.campaign.errors import (
    CampaignExists,
    IdReused,
    Rejection,
    StoreUnavailable,
    UnknownCampaign,
    UnknownVersion,
    VersionConflict,
)
from server.embedding import LocalServer, embedded
from tests.broadcast.servers import WAYS, place
from tests.support.peer import put
from tests.support.server import silent_log


@pytest.fixture(params=WAYS)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CampaignServer]:
    async with place(tmp_path / "questlog.db") as here:
        server = here.server(request.param)
        await server.open()
        yield server
        await server.close()


def change(identifier: str, version: int, value: int = 1) -> Change:
    return Change(identifier, "turn.ended", [put("/turn", value)], version, {"n": value})


async def test_a_campaign_is_made_once(server: CampaignServer) -> None:
    with pytest.raises(UnknownCampaign):
        await server.state("c")
    assert (await server.create("c", {"turn": 0}, "k")).duplicate is False
    assert (await server.create("c", {"turn": 0}, "k")).duplicate is True
    with pytest.raises((CampaignExists, IdReused)):
        await server.create("c", {"turn": 9}, "k")
    with pytest.raises(CampaignExists):
        await server.create("c", {"turn": 0}, "other")
    found = await server.state("c")
    assert (found.version, found.document) == (1, {"turn": 0})
    with pytest.raises(Rejection):
        await server.create("a/b", {}, "k")


async def test_a_commit_happens_once_and_only_where_it_was_meant(server: CampaignServer) -> None:
    await server.create("c", {"turn": 0}, "k")
    made = await server.commit("c", change("a", 1))
    assert (made.version, made.duplicate) == (2, False)
    again = await server.commit("c", change("a", 1))
    assert (again.version, again.duplicate) == (2, True)
    with pytest.raises(IdReused) as reused:
        await server.commit("c", change("a", 2))
    assert reused.value.version == 2
    with pytest.raises(VersionConflict) as conflict:
        await server.commit("c", change("b", 1, 5))
    assert conflict.value.version == 2
    # A refused condition leaves the id unused.
    assert (await server.commit("c", change("b", 2, 5))).version == 3
    with pytest.raises(UnknownCampaign):
        await server.commit("nowhere", change("a", 1))


async def test_what_is_held_is_sent_only_where_it_has_changed(server: CampaignServer) -> None:
    made = await server.create("c", {"turn": 0}, "k")
    held = Held(made.version, {"turn": 0}, made.position)
    assert await server.state("c", held) is held
    made = await server.commit("c", change("a", 1))
    newer = await server.state("c", held)
    assert (newer.version, newer.document) == (2, {"turn": 1})
    assert await server.state("c", newer) is newer
    own = Held(made.version, {"turn": 1}, made.position)
    assert await server.state("c", own) is own
    assert (await server.state("c", None, 1)).document == {"turn": 0}
    with pytest.raises(UnknownVersion):
        await server.state("c", None, 7)


async def test_an_event_is_found_by_its_id(server: CampaignServer) -> None:
    assert await server.find("c", "a") is None
    await server.create("c", {"turn": 0}, "k")
    assert await server.find("c", "a") is None
    await server.commit("c", change("a", 1, 7))
    await server.commit("c", change("b", 2, 8))
    found = await server.find("c", "a")
    assert found is not None
    assert (found.version, found.id, found.kind, found.meta) == (2, "a", "turn.ended", {"n": 7})
    events = await server.events("c", 1, 10)
    assert [(event.version, event.id) for event in events] == [(2, "a"), (3, "b")]
    assert [event.version for event in await server.events("c", 0, 2)] == [1, 2]
    assert (await server.state("c")).version == 3, "looking for it left no trace"


async def test_a_seat_is_taken_and_left_once(server: CampaignServer) -> None:
    with pytest.raises(UnknownCampaign):
        await server.activate("c", "main", "s")
    await server.create("c", {}, "k")
    assert (await server.activate("c", "main", "s")).version == 2
    assert (await server.activate("c", "main", "s")).duplicate is True
    assert (await server.deactivate("c", "t")).version == 3
    assert (await server.deactivate("c", "t")).duplicate is True


async def test_a_server_of_this_process_that_does_not_run_is_away(tmp_path: Path) -> None:
    path = (tmp_path / "q.db").as_posix().lstrip("/")
    questlog = embedded(f"sqlite:////{path}", log=silent_log())
    server = LocalServer(questlog)
    with pytest.raises(StoreUnavailable):
        await server.state("c")
    app = web.Application()
    app.add_subapp("/q", questlog)
    runner = web.AppRunner(app)
    await runner.setup()
    assert (await server.create("c", {}, "k")).version == 1
    await runner.cleanup()
    with pytest.raises(StoreUnavailable):
        await server.commit("c", change("a", 1))
