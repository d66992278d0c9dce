"""A campaign whose log this release cannot read: refused in order, and no hindrance to others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.eventstore.scribe import Scribe, create, open_store, put
from tests.support.peer import calling
from tests.support.server import serving

DAMAGE = {
    "a newer release's": "schema = 99",
    "an older one's, cut off": "schema = 1, kind = 'campaign.activated', data = '{\"table\"'",
    "cut off": "kind = 'campaign.activated', data = '{\"table\"'",
    "no patch": "patch = '7'",
    "no JSON": "patch = '['",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_what_cannot_be_read_is_refused_on_every_way(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "questlog.db"
    store = await open_store(path)
    for name in ("c", "d"):
        await Scribe(store, name).write(create(), put("/hp", 1), put("/hp", 2))
    await store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (kept,) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'event_never_changes'"
        ).fetchone()
        connection.execute("DROP TRIGGER event_never_changes")
        connection.execute(f"UPDATE event SET {damage} WHERE campaign_id = 'c' AND version = 2")
        connection.execute(kept)
    async with serving(path) as url, calling(url) as call:
        status, problem = await call("GET", "/api/campaigns/c/state")
        assert (status, problem["code"]) == (503, "store_unavailable")
        answer = await call.commit("c", {"op": "add", "path": "/hp", "value": 3})
        assert answer["code"] == "store_unavailable"
        for role in ("player", "dm"):
            async with call.socket(role, campaign_id="c") as peer:
                assert (await peer.next())["code"] == "store_unavailable"
                assert await peer.closed() == 1012
        async with call.session.get(f"{url}/api/campaigns/c/replay?speed=max") as stream:
            assert '"code":"store_unavailable"' in await stream.text()
        status, state = await call("GET", "/api/campaigns/d/state")
        assert (status, state["structured_data"]["hp"]) == (200, 2)
