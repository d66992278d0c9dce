"""The SDK where sockets do not get through: down to streams and polls, and up again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from questlog.campaign.errors import IdReused, Invalid, LeaseLost
from questlog.client import CampaignClient
from questlog.sync import ladder as ladders
from questlog.sync.backoff import Backoff
from questlog.sync.closing import ClosedError
from questlog.sync.company import Key
from questlog.sync.ladder import Ladder, Way
from questlog.sync.talk import SignalTold
from tests.support.server import Served, activate, create, serving

QUICK = Backoff(base=0.02, cap=0.1)
PATIENCE = 20.0
DOCUMENT = {"hp": 7, "story": "Long ago. " * 50}
HIT = [{"op": "replace", "path": "/hp", "value": 3}]


class Filter:
    """A proxy of HTTP that knows nothing of sockets, and perhaps nothing of streams.

    Attributes:
        blocked: the calls that do not get through, as the last word of their path.
        passed: the calls that did.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self.blocked: set[str] = {"player", "dm"}
        self.passed: list[str] = []
        self._target = target

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, if it is one of those that get through."""
        call = request.path.rpartition("/")[2]
        if call in self.blocked:
            raise web.HTTPBadGateway
        self.passed.append(call)
        if "Upgrade" in request.headers:
            return await self._bridge(request)
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                self._target + str(request.rel_url),
                headers={k: v for k, v in request.headers.items() if k != "Host"},
                data=await request.read(),
            ) as there,
        ):
            answer = web.StreamResponse(status=there.status)
            answer.content_type = there.content_type
            await answer.prepare(request)
            async for piece in there.content.iter_any():
                await answer.write(piece)
            return answer

    async def _bridge(self, request: web.Request) -> web.WebSocketResponse:
        here = web.WebSocketResponse(protocols=("questlog.v1",))
        await here.prepare(request)
        async with (
            ClientSession() as session,
            session.ws_connect(self._target + str(request.rel_url)) as there,
        ):

            async def up() -> None:
                async for message in here:
                    await there.send_str(message.data)

            rising = asyncio.create_task(up())
            async for message in there:
                await here.send_str(message.data)
            rising.cancel()
            await here.close(code=there.close_code or 1000)
        return here


@asynccontextmanager
async def filtering(target: str, *blocked: str) -> AsyncIterator[Filter]:
    """Stand before a server; blocks sockets, and what else is named."""
    proxy = Filter(target)
    proxy.blocked.update(blocked)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield proxy
    finally:
        await runner.cleanup()


async def within(work: object) -> None:
    """Wait for `work`, not forever."""
    await asyncio.wait_for(work, PATIENCE)  # type: ignore[arg-type]


@pytest.mark.parametrize(("blocked", "way"), [((), "stream"), (("stream",), "poll")])
async def test_where_no_socket_gets_through_everything_works_all_the_same(
    tmp_path: Path, blocked: tuple[str, ...], way: Way
) -> None:
    async with serving(tmp_path / "q.db") as url, filtering(url, *blocked) as proxy:
        await create(url, "c", DOCUMENT)
        async with (
            CampaignClient(proxy.url, "c", role="dm", backoff=QUICK) as dm,
            CampaignClient(proxy.url, "c", player_id="mira", backoff=QUICK) as mira,
        ):
            await within(mira.live())
            await within(dm.live())
            assert (mira.way, dm.way) == (way, way)
            done = await asyncio.wait_for(dm.commit(patch=HIT), PATIENCE)
            await within(mira.reached(done.version))
            assert mira.document == {**DOCUMENT, "hp": 3}
            suggested = await asyncio.wait_for(mira.suggest("A bribe?", id="s1"), PATIENCE)
            await within(dm._until(lambda: ("mira", "s1") in dm.company.suggestions))
            await asyncio.wait_for(dm.decide("s1", "mira", "accepted", answer="Ha."), PATIENCE)
            told = mira.company.suggestions
            await within(mira._until(lambda: told["mira", "s1"].state == "accepted"))
            assert told["mira", "s1"].answer == "Ha."
            assert suggested.version == 3
            with pytest.raises(Invalid, match="waiting"):
                await asyncio.wait_for(dm.decide("s1", "mira", "dismissed"), PATIENCE)
            mira.say_status("ready")
            key: Key = ("player", "mira")
            await within(
                dm._until(lambda: getattr(dm.company.members.get(key), "status", 0) == "ready")
            )


async def test_up_again_once_sockets_get_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladders, "FIRST_CLIMB", 0.2)
    async with serving(tmp_path / "q.db") as url, filtering(url) as proxy:
        await create(url, "c", DOCUMENT)
        async with CampaignClient(proxy.url, "c", player_id="mira", backoff=QUICK) as mira:
            await within(mira.live())
            assert mira.way == "stream"
            proxy.blocked.clear()
            await within(mira._until(lambda: mira.way == "socket" and mira.status == "live"))
            assert mira.document == DOCUMENT


async def test_a_table_is_followed_without_sockets_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from questlog.client import calls

    monkeypatch.setattr(calls, "SEATS_EVERY", 0.05)
    async with serving(tmp_path / "q.db") as url, filtering(url, "stream") as proxy:
        await create(url, "one", DOCUMENT)
        await create(url, "two", {"hp": 1})
        async with CampaignClient(proxy.url, backoff=QUICK) as client:
            await within(client._until(lambda: client.status == "waiting"))
            await activate(url, "one")
            await within(client._until(lambda: client.document == DOCUMENT))
            await activate(url, "two")
            await within(client._until(lambda: client.document == {"hp": 1}))


async def test_what_is_refused_on_every_way_ends_the_client(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "q.db") as url,
        filtering(url) as proxy,
        CampaignClient(proxy.url, "none", backoff=QUICK) as client,
    ):
        with pytest.raises(ClosedError) as closed:
            await asyncio.wait_for(client.live(), PATIENCE)
        assert closed.value.code == "unknown_campaign"


async def test_a_server_that_is_killed_is_come_back_to_by_polls(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as served:
        await create(served.url, "c", DOCUMENT)
        async with CampaignClient(served.url, "c", role="dm", ways=("poll",), backoff=QUICK) as dm:
            await dm.commit(patch=HIT)
            await served.kill()
            waiting = asyncio.create_task(
                dm.commit(patch=[{"op": "replace", "path": "/hp", "value": 1}])
            )
            await served.restart()
            assert (await asyncio.wait_for(waiting, PATIENCE)).version == 3
            await within(dm.reached(3))
            assert dm.document == {**DOCUMENT, "hp": 1}


async def test_the_wheel_is_named_by_commits_until_it_is_lost(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", DOCUMENT)
        async with (
            CampaignClient(url, "c", role="dm") as first,
            CampaignClient(url, "c", role="dm") as second,
        ):
            taken = await first.take_lease("laptop")
            assert first.lease == taken.version
            await first.commit(patch=HIT)
            newer = await second.take_lease("phone")
            told = first.company
            await within(
                first._until(lambda: told.lease is not None and told.lease.lease == newer.version)
            )
            with pytest.raises(LeaseLost):
                await first.commit(patch=HIT)
            assert not first.lease
            await first.commit(patch=HIT)
            await second.commit(patch=HIT)
            await second.release_lease()
            assert not second.lease


async def test_signals_are_heard_and_narration_is_composed_as_it_is_spoken(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", DOCUMENT)
        async with (
            CampaignClient(url, "c", role="dm") as dm,
            CampaignClient(url, "c", player_id="mira") as mira,
        ):
            await mira.live()
            await dm.live()
            dm.signal("dice", {"d20": 20}, to="mira")
            async for message in mira.heard():
                if isinstance(message, SignalTold):
                    assert (message.name, message.data) == ("dice", {"d20": 20})
                    break
            words = [f"word {number} " for number in range(40)]

            def heard() -> str:
                entries = (mira.document or {}).get("all_narratives", [])
                return mira.company.text_of(entries[-1]) if entries else ""

            async with dm.narrate(speaker="The bell") as narration:
                for said in words:
                    narration.say(said)
                await within(mira._until(lambda: heard() == "".join(words)))
            entry = (mira.document or {})["all_narratives"][-1]
            await within(
                mira._until(lambda: mira.document["all_narratives"][-1]["state"] == "complete")  # type: ignore[index]
            )
            assert entry["speaker"] == "The bell"
            assert heard() == "".join(words)
            with pytest.raises(IdReused):
                async with dm.narrate(id=narration.id, speaker="Another"):
                    pass


def test_the_ladder_goes_down_by_misses_and_round_when_nothing_leads_there() -> None:
    ladder = Ladder()
    steps = [(False, False), (None, False), (False, False), (False, False), (True, False)]
    ways = [ladder.way]
    for sure, round_again in [*steps, (True, True)]:
        if sure is None:
            ladder.unanswered()
        else:
            assert ladder.missed(sure=sure) is round_again
        ways.append(ladder.way)
    assert ways == ["socket", "socket", "socket", "socket", "stream", "poll", "socket"]


def test_the_ladder_is_climbed_ever_more_seldom_until_the_best_way_brings_something() -> None:
    ladder = Ladder(("socket", "poll"))
    ladder.missed(sure=True)
    first = ladder.climb_after
    for _ in range(9):
        ladder.climbed(through=False)
    assert (ladder.best, ladder.climb_after) == (False, 16 * first)
    ladder.climbed(through=True)
    ladder.brought()
    assert (ladder.best, ladder.climb_after) == (True, first)


def test_a_ladder_has_ways_that_are_known() -> None:
    with pytest.raises(ValueError, match="ways"):
        Ladder(())
    with pytest.raises(ValueError, match="ways"):
        Ladder(("pigeon",))  # type: ignore[arg-type]
