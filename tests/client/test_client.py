"""The SDK against a real server over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from questlog.campaign.errors import Invalid, Rejection, VersionConflict
from questlog.client import CampaignClient
from questlog.sync.backoff import Backoff
from questlog.sync.closing import ClosedError
from questlog.sync.replica import Changed, Deactivated
from tests.client.proxy import Proxy
from tests.support.server import Served, activate, create, serving, state

QUICK = Backoff(base=0.02, cap=0.1)
HIT = [{"op": "replace", "path": "/hp", "value": 3}]


async def test_a_commit_reaches_every_player_and_their_documents_are_the_servers(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7})
        async with (
            CampaignClient(url, "c", role="dm") as dm,
            CampaignClient(url, "c", player_id="mira") as mira,
        ):
            await mira.live()
            done = await dm.commit(patch=HIT, kind="combat.hit", meta={"by": "goblin"})
            await mira.reached(done.version)
            assert (done.version, done.duplicate) == (2, False)
            assert mira.document == dm.document == {"hp": 3}
            assert mira.position is not None
            assert mira.position.startswith("2.")
            assert mira.status == "live"


async def test_updates_are_iterated_in_order_and_end_when_the_owner_closes(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7})
        seen: list[tuple[int, str | None]] = []
        async with CampaignClient(url, "c", role="dm") as dm:
            await dm.live()
            for hp in (6, 5):
                await dm.commit(structured_data={"hp": hp})
            async for update in dm:
                assert isinstance(update, Changed)
                seen.append((update.version, update.reason))
                if update.version == 3:
                    await dm.close()
        assert seen == [(1, "connected"), (2, None), (3, None)]
        assert dm.status == "closed"


async def test_commits_are_made_in_the_order_of_the_calls(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"n": 0})
        async with CampaignClient(url, "c", role="dm") as dm:
            commits = [dm.commit(structured_data={"n": n}) for n in range(1, 201)]
            done = await asyncio.gather(*commits)
        assert [answer.version for answer in done] == list(range(2, 202))
        assert (await state(url, "c"))["structured_data"] == {"n": 200}


async def test_rejections_are_raised_as_the_class_of_their_code(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7})
        async with (
            CampaignClient(url, "c", role="dm") as dm,
            CampaignClient(url, "c") as player,
        ):
            with pytest.raises(VersionConflict) as conflict:
                await dm.commit(patch=HIT, expected_version=9)
            assert conflict.value.version == 1
            with pytest.raises(Rejection) as forbidden:
                await player.commit(patch=HIT)
            assert forbidden.value.code == "forbidden"
            with pytest.raises(Invalid, match="nan at '/hp'"):
                await dm.commit(structured_data={"hp": float("nan")})
            with pytest.raises(Invalid, match="either"):
                await dm.commit()
        assert (await state(url, "c"))["version"] == 1


async def test_the_same_id_is_committed_once(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7})
        async with CampaignClient(url, "c", role="dm") as dm:
            first = await dm.commit(patch=HIT, id="one")
            again = await dm.commit(patch=HIT, id="one")
        assert (first.version, first.duplicate) == (2, False)
        assert (again.version, again.duplicate) == (2, True)


async def test_a_commit_whose_answer_was_lost_is_sent_again_and_happens_once(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path / "q.db") as url, Proxy.before(url) as proxy:
        await create(url, "c", {"hp": 7})
        async with (
            CampaignClient(proxy.url, "c", role="dm", backoff=QUICK) as dm,
            CampaignClient(url, "c") as witness,
        ):
            await dm.live()
            proxy.deaf = True
            commit = asyncio.create_task(dm.commit(patch=HIT))
            await witness.reached(2)
            assert not commit.done()
            proxy.deaf = False
            proxy.cut()
            done = await asyncio.wait_for(commit, 10)
            assert (done.version, done.duplicate) == (2, True)
            assert dm.document == {"hp": 3}
        assert (await state(url, "c"))["version"] == 2
        assert proxy.accepted >= 2


async def test_a_client_comes_back_to_a_killed_server_from_its_position(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as served:
        await create(served.url, "c", {"hp": 7, "story": ["once"] * 400})
        async with CampaignClient(served.url, "c", role="dm", backoff=QUICK) as dm:
            await dm.commit(patch=HIT)
            await served.kill()
            waiting = asyncio.create_task(
                dm.commit(patch=[{"op": "replace", "path": "/hp", "value": 1}])
            )
            await served.restart()
            done = await asyncio.wait_for(waiting, 20)
            assert done.version == 3
            await dm.reached(3)
            reasons = []
            async for update in dm:
                assert isinstance(update, Changed)
                reasons.append(update.reason)
                if update.version == 3:
                    break
            # Its position proved out: no second snapshot was needed.
            assert reasons.count("connected") == 1
        assert (await state(served.url, "c"))["structured_data"]["hp"] == 1


async def test_an_unknown_campaign_closes_the_client_for_good(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url, CampaignClient(url, "nowhere") as client:
        with pytest.raises(ClosedError) as closed:
            await client.live()
        assert (closed.value.code, closed.value.close_code) == ("unknown_campaign", 4404)
        assert client.status == "closed"
        with pytest.raises(ClosedError):
            async for _ in client:
                pass
        with pytest.raises(ClosedError):
            await client.commit(patch=[])


async def test_waits_grow_with_full_jitter_up_to_the_cap() -> None:
    waits: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            enough.set()
            await asyncio.Event().wait()

    backoff = Backoff(base=0.25, cap=10.0, random=lambda: 0.5)
    async with CampaignClient("http://127.0.0.1:9", "c", backoff=backoff, sleep=sleep):
        await asyncio.wait_for(enough.wait(), 10)
    assert waits == [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


async def test_a_consumer_that_does_not_iterate_costs_a_bounded_queue(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"n": 0})
        async with CampaignClient(url, "c", role="dm") as dm, CampaignClient(url, "c") as idle:
            await idle.live()
            for n in range(1, 301):
                await dm.commit(structured_data={"n": n})
            await idle.reached(301)
            assert idle.document == {"n": 300}
            updates = aiter(idle)
            first = await anext(updates)
            assert isinstance(first, Changed)
            assert (first.reason, first.patch) == ("lagged", None)
            assert first.version > 200


async def test_a_table_is_followed_from_empty_through_a_campaign_to_empty(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7})
        statuses: list[str] = []
        async with CampaignClient(
            url, table="upstairs", on_status=lambda status, _: statuses.append(status)
        ) as client:
            updates = aiter(client)
            while "waiting" not in statuses:
                await client._line.moved.wait()
            await activate(url, "c", "upstairs")
            loaded = await anext(updates)
            assert isinstance(loaded, Changed)
            assert loaded.reason == "activated"
            assert client.document == {"hp": 7}
            await create(url, "d", {"hp": 1})
            await activate(url, "d", "upstairs")
            assert isinstance(await anext(updates), Deactivated | Changed)
            await client._until(lambda: client.document == {"hp": 1})
        assert statuses[-1] == "closed"


async def test_a_refused_handshake_is_final_and_says_so(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "q.db") as url,
        CampaignClient(f"{url}/elsewhere", "c") as client,
    ):
        with pytest.raises(ClosedError, match="HTTP 404"):
            await client.live()


async def test_a_client_is_used_within_its_context(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"n": 0})
        client = CampaignClient(url, "c", role="dm")
        with pytest.raises(RuntimeError, match="async with"):
            await client.commit(patch=[])
        async with client:
            await client.live()
        with pytest.raises(ClosedError):
            await client.live()
        with pytest.raises(ClosedError):
            await client.commit(patch=[])
