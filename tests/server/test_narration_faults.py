"""A narration whose server cannot write: it is told so, and ends as soon as can be, not doubled."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from server.config import Config
from tests.server.test_live import through_writer
from tests.support.access import guarded
from tests.support.follower import Follower
from tests.support.peer import put


async def test_on_a_full_disk_it_breaks_off_and_says_so_once_it_can(tmp_path: Path) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    def empty(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1000000")

    config = Config(narration_idle=1.0)
    async with guarded(tmp_path, config=config) as served, served.calling("dm") as call:
        await call.create("c", {"hp": 7})
        store = served.services.store
        async with (
            call.socket("dm", campaign_id="c") as dm,
            call.socket("dm", campaign_id="c") as on,
        ):
            await dm.ask(type="narration", id="n1", phase="begin")
            await through_writer(store, fill)  # type: ignore[arg-type]
            text = "x" * 15_000
            await dm.say(type="narration", id="n1", phase="chunk", text=text)
            refused = await dm.until("rejected")
            assert (refused["id"], refused["code"]) == ("n1", "store_unavailable")
            end = {"type": "narration", "id": "n1", "phase": "end", "offset": 0, "text": text}
            assert (await dm.ask(**end))["type"] == "rejected", "not complete without its words"
            await through_writer(store, empty)  # type: ignore[arg-type]
            follower = Follower()
            while True:
                message = await on.next()
                if message["type"] != "heartbeat":
                    follower.take(message)
                entries = follower.document.get("all_narratives") or [{"state": "streaming"}]
                if entries[0]["state"] != "streaming":
                    break
            assert (entries[0]["state"], entries[0]["parts"]) == ("interrupted", [])
            assert (await dm.ask(**end))["code"] == "invalid"
            assert (await dm.ask(type="commit", patch=[put("/hp", 8)]))["type"] == "committed"
