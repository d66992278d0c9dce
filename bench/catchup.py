"""Catch-up: the bytes a player receives after missing 1, 10 and 100 changes of each recording.

Against the smaller of what could have been sent: the net diff and the snapshot, each in the same
envelope (type, campaign, versions, position, time: about 170 bytes that every message has).
Measured on a campaign in memory and again after the server's memory of recent versions is gone, as
after a restart.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import structlog
from aiohttp import ClientSession, web

from bench.recordings import recordings, steps
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import Commit, Create, Request
from questlog.campaign.events import Actor
from questlog.document import diff, encode
from server.app import make_app, make_runner
from server.clock import SystemClock
from server.config import Config
from server.process import run
from server.services import SERVICES

MISSED = (1, 10, 100)
MAX_STEPS = 400
DM = Actor("dm", "dm")


class Running:
    """A server on a port of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Running:
        self.store = await SqliteStore.open(self.url)
        self.app = make_app(Config(open=True), self.store, SystemClock(), structlog.get_logger())
        self.runner = make_runner(self.app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.http = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()
        await self.store.close()


async def received(http: str, campaign_id: str, since: str) -> tuple[int, dict[str, Any]]:
    """Return the size of the first message on a socket that names `since`, and the message."""
    url = f"{http}/ws/campaign/player?campaign_id={campaign_id}&since={since}"
    async with ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        text = await socket.receive_str()
        return len(text.encode()), json.loads(text)


def envelope(message: dict[str, Any]) -> int:
    """Return the size of what stands round the patch or the document in a message."""
    bare = {
        **{name: value for name, value in message.items() if name not in ("patch", "events")},
        **(
            {"structured_data": {}} if "structured_data" in message else {"events": [], "patch": []}
        ),
    }
    return len(json.dumps(bare, separators=(",", ":")).encode()) - 2


async def measure(running: Running, campaign_id: str, states: list[Any]) -> list[str]:
    """Return a line for each number of missed changes."""
    found = []
    for missed in MISSED:
        if missed >= len(states):
            continue
        async with ClientSession(running.http) as session:
            path = f"/api/campaigns/{campaign_id}/state"
            query = {"version": str(len(states) - missed), "as": "player"}
            async with session.get(path, params=query) as reply:
                position = (await reply.json())["position"]
        size, message = await received(running.http, campaign_id, position)
        ours = {name: states[which].copy() for name, which in (("old", -1 - missed), ("new", -1))}
        for view in ours.values():
            # A player's view: what the default rules hide is not part of the bargain.
            view.pop("dm", None)
            view.pop("private", None)
        content = min(len(encode(diff(ours["old"], ours["new"]))), len(encode(ours["new"])))
        best = content + envelope(message)
        found.append(
            f"    missed {missed:>3}: received {size:>9,} B, best {best:>9,} B,"
            f" ratio {size / best:.2f} ({message['type']})"
        )
    return found


async def main_async() -> None:
    """Print a block for each recording."""
    print("Catch-up: bytes received over the smaller of net diff and snapshot (goal 1.1)")
    for name in recordings():
        header, states = steps(name, MAX_STEPS)
        campaign_id = "recorded"
        documents = [header["initial_state"], *states]
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'bench.db'}"
            async with Running(url) as running:
                registry = running.app[SERVICES].registry
                await registry.create(campaign_id, Request(DM, Create(documents[0])))
                live = (await registry.find(campaign_id)).live
                for document in documents[1:]:
                    await live.submit(Request(DM, Commit(structured_data=document)))
                print(f"  {name.name}")
                print("\n".join(await measure(running, campaign_id, documents)))
            async with Running(url) as running:
                print("   after a restart")
                print("\n".join(await measure(running, campaign_id, documents)))


def main() -> None:
    """Run the benchmark."""
    run(main_async())


if __name__ == "__main__":
    main()
