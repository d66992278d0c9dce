"""Who was there, and how far they followed: noted beside play, kept in the access file."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from questlog.campaign.visibility import Viewer
from server.access.attended import Attended, attended
from server.access.file import AccessFile, access_path
from server.config import Config
from tests.support.access import Guarded, guarded, store_url
from tests.support.peer import Peer, put

MIRA, TOBIN = Viewer("player", "mira"), Viewer("player", "tobin")
TRIES = 2000


async def holding(peer: Peer, version: int) -> None:
    """Have a peer say which version it holds, and wait until that was taken."""
    await peer.say(type="heartbeat", version=version)
    await peer.until("heartbeat")


async def created(served: Guarded) -> None:
    """Create campaign `c`."""
    async with served.calling("dm") as dm:
        await dm.create("c", {"hp": 10})


async def kept(served: Guarded) -> list[Attended]:
    """Return what the access file has once all was written."""
    await served.services.attendance.write(last=True)
    return await rows_in(served.path)


async def rows_in(path: Path) -> list[Attended]:
    access = await AccessFile.open(store_url(path))
    try:
        return await access.read(lambda c: attended(c, "c"))
    finally:
        await access.close()


async def gone(served: Guarded, viewer: Viewer) -> None:
    """Wait until the server has heard that a member's last connection is gone."""
    for _ in range(TRIES):
        if not (await served.services.attendance.seen("c"))[viewer].here:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{viewer} is still there")


async def test_what_a_player_says_it_holds_is_known_while_it_is_there_and_after(
    tmp_path: Path,
) -> None:
    async with guarded(tmp_path) as served:
        await created(served)
        attendance = served.services.attendance
        async with (
            served.calling("dm") as dm,
            served.calling("player", "mira") as mira,
            mira.socket(campaign_id="c") as peer,
        ):
            await peer.next()
            seen = (await attendance.seen("c"))[MIRA]
            assert (seen.held, seen.sent, seen.here) == (0, 1, True)
            assert await attendance.acknowledged("c") == {}
            await holding(peer, 1)
            await dm.commit("c", put("/hp", 9))
            await peer.until("campaign_updated")
            assert await attendance.acknowledged("c") == {MIRA: 1}
            assert (await attendance.seen("c"))[MIRA].sent == 2
            await holding(peer, 2)
            await peer.say(type="heartbeat", version=99)
            await peer.socket.pong(b"99")
            await holding(peer, 1)
            assert await attendance.acknowledged("c") == {MIRA: 2}, "it never goes back, nor ahead"
        await gone(served, MIRA)
        (row,) = await kept(served)
        assert (row.role, row.member, row.session, row.held, row.sent) == (
            "player",
            "mira",
            0,
            2,
            2,
        )
        assert row.day == row.first_at[:10]
        assert await attendance.acknowledged("c") == {MIRA: 2}


async def test_a_peer_that_says_nothing_shows_by_its_pong_what_has_arrived(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(heartbeat=0.05)) as served:
        await created(served)
        async with served.calling("player", "mira") as mira, mira.socket(campaign_id="c") as peer:
            await peer.until("campaign_active")
            for _ in range(TRIES):
                # To hear of a heartbeat is to have answered the ping before it, or soon to do so.
                await peer.until("heartbeat")
                if await served.services.attendance.acknowledged("c"):
                    break
            assert await served.services.attendance.acknowledged("c") == {MIRA: 1}


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served:
        await created(served)
        async with served.calling("player", "mira") as mira, mira.socket(campaign_id="c") as peer:
            await peer.next()
            await holding(peer, 1)
            # The server stops while she is there: what is noted of her is written.
            (before,) = await served.services.attendance.rows("c")
    assert [row.member for row in await rows_in(served.path)] == [before.member]
    async with guarded(tmp_path) as served:
        assert await served.services.attendance.acknowledged("c") == {MIRA: 1}
        assert not (await served.services.attendance.seen("c"))[MIRA].here


async def test_a_session_has_its_own_rows_and_those_without_a_name_are_counted(
    tmp_path: Path,
) -> None:
    async with guarded(tmp_path) as served:
        await created(served)
        async with (
            served.calling("dm") as dm,
            served.calling("player", "mira") as mira,
            served.calling("spectator") as crowd,
            mira.socket(campaign_id="c") as peer,
            crowd.socket(campaign_id="c") as one,
            crowd.socket(campaign_id="c") as two,
        ):
            for each in (peer, one, two):
                await each.next()
            await dm("POST", "/api/campaigns/c/activate", json={})
            await dm.commit("c", put("/hp", 9))
            await dm("POST", "/api/campaigns/c/deactivate", json={})
            for each in (peer, one, two):
                while (await each.until("campaign_updated"))["version"] != 4:
                    pass
            rows = await kept(served)
        found = {(row.session, row.member): row for row in rows}
        assert set(found) == {(0, "mira"), (2, "mira"), (0, "spectator"), (2, "spectator")}
        assert found[2, "spectator"].people == 2
        assert found[2, "mira"].people == 1
        assert found[2, "mira"].day == ""
        assert found[2, "mira"].sent == 4


async def test_play_goes_on_while_the_access_file_is_busy_and_it_is_written_later(
    tmp_path: Path,
) -> None:
    async with guarded(tmp_path) as served:
        await created(served)
        other = sqlite3.connect(access_path(store_url(served.path)), isolation_level=None)
        async with (
            served.calling("dm") as dm,
            served.calling("player", "mira") as mira,
            mira.socket(campaign_id="c") as peer,
        ):
            await peer.next()
            await holding(peer, 1)
            other.execute("BEGIN IMMEDIATE")
            await served.services.attendance.write()
            assert other.execute("SELECT count(*) FROM attendance").fetchone() == (0,)
            await dm.commit("c", put("/hp", 9))
            assert (await peer.until("campaign_updated"))["version"] == 2
            assert await served.services.attendance.acknowledged("c") == {MIRA: 1}
            other.execute("COMMIT")
            assert [row.held for row in await kept(served)] == [1]
        other.close()


async def test_writing_it_is_no_change_of_who_may_come_in(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served:
        await created(served)
        generation = served.services.admission.authenticator.generation
        async with served.calling("player", "mira") as mira, mira.socket(campaign_id="c") as peer:
            await peer.next()
            assert len(await kept(served)) == 1
        await served.services.admission.authenticator.refresh()
        assert served.services.admission.authenticator.generation == generation


async def test_an_open_server_keeps_it_in_memory(tmp_path: Path) -> None:
    async with guarded(tmp_path, config=Config(open=True)) as served:
        attendance = served.services.attendance
        attendance._access = None
        await created(served)
        async with (
            served.calling() as anybody,
            anybody.socket(campaign_id="c", player_id="mira") as peer,
        ):
            await peer.next()
            await holding(peer, 1)
        await gone(served, MIRA)
        await attendance.write()
        assert attendance._notes == {}
        assert await attendance.acknowledged("c") == {MIRA: 1}
        assert await rows_in(served.path) == []


async def test_who_comes_is_written_soon_without_being_asked(tmp_path: Path) -> None:
    async with guarded(tmp_path) as served:
        await created(served)
        async with (
            served.calling("player", "tobin") as tobin,
            tobin.socket(campaign_id="c") as peer,
        ):
            await peer.next()
            for _ in range(TRIES):
                if rows := await rows_in(served.path):
                    break
                await asyncio.sleep(0.01)
        assert [row.viewer for row in rows] == [TOBIN]
