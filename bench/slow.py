"""A player that stops reading for a minute at full speed: what it costs the server, and its end.

A server in a process of its own; a DM commits as fast as it is answered, each time a text of 4 kB;
one player reads along and one has stopped. After the minute the stopped one reads again, on the
same socket, and must come to the head. Prints the server's memory through it all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from questlog.client import CampaignClient
from questlog.document import apply
from server.process import run
from tests.support.server import Served, create

CAMPAIGN = "slow"
IN_FLIGHT = 32


def resident(served: Served) -> float:
    """Return the server's resident memory in MB (Linux)."""
    process = served._process
    assert process is not None
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def commit_until(client: CampaignClient, end: float, numbers: Any) -> None:
    """Commit one after the other until the time is up."""
    while time.monotonic() < end:
        number = next(numbers)
        patch = [
            {"op": "add", "path": "/n", "value": number},
            {"op": "add", "path": "/text", "value": f"{number} " + "z" * 4000},
        ]
        await client.commit(patch=patch)


async def catch_up(socket: Any, version: int, held: int, document: Any) -> tuple[Any, int, int]:
    """Read until a version; return the document, and messages and bytes received."""
    messages = size = 0
    while held < version:
        text = await socket.receive_str()
        message = json.loads(text)
        if message["type"] == "campaign_updated":
            assert message["base"] == held
            document = apply(document, message["patch"])
        elif message["type"] == "campaign_active":
            document = message["structured_data"]
        else:
            continue
        held, messages, size = message["version"], messages + 1, size + len(text)
    return document, messages, size


async def soak(seconds: float) -> None:
    """Run the whole story and print it."""
    with tempfile.TemporaryDirectory() as folder:
        async with Served.start(Path(folder) / "slow.db") as served, ClientSession() as session:
            await create(served.url, CAMPAIGN, {"n": 0, "text": ""})
            async with (
                CampaignClient(served.url, CAMPAIGN, role="dm") as dm,
                CampaignClient(served.url, CAMPAIGN) as reader,
                session.ws_connect(
                    f"{served.url}/ws/campaign/player?campaign_id={CAMPAIGN}", max_msg_size=0
                ) as stopped,
            ):
                await dm.live()
                first = json.loads(await stopped.receive_str())
                transport: Any = stopped._writer.transport
                transport.pause_reading()
                before, peak = resident(served), 0.0
                end = time.monotonic() + seconds
                numbers = iter(range(1, 1 << 60))
                async with asyncio.TaskGroup() as group:
                    for _ in range(IN_FLIGHT):
                        group.create_task(commit_until(dm, end, numbers))
                    while time.monotonic() < end:
                        await asyncio.sleep(0.25)
                        peak = max(peak, resident(served))
                await reader.reached(dm.version)
                transport.resume_reading()
                document, messages, size = await catch_up(
                    stopped, dm.version, first["version"], first["structured_data"]
                )
                assert document == dm.document == reader.document
                print(
                    f"{seconds:.0f} s, {dm.version:,} versions; the server's memory {before:.0f} MB"
                    f" before, {peak:.0f} MB at most; the player that had stopped came to the head"
                    f" by {messages:,} messages of {size / 1e6:.1f} MB"
                )


def main() -> None:
    """Stop reading for the seconds named, a minute where none are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    run(soak(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
