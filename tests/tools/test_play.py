"""`questlog play` performs a recording once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from questlog.client import CampaignClient
from tests.support.server import Served, command, create, serving, state
from tools.performer import Pace

STEPS = 400


def start() -> dict[str, Any]:
    """Return the document before the first step."""
    return {"n": 0, "log": [], "big": 2**70}


def write_recording(path: Path, steps: int = STEPS) -> dict[str, Any]:
    """Write a recording of so many steps; returns its last document."""
    document = start()
    lines: list[dict[str, Any]] = [{"campaign_id": "hunt", "initial_state": document}]
    for n in range(1, steps + 1):
        document = {**document, "n": n, "log": [*document["log"][-9:], f"step {n}"]}
        lines.append({"ts": None, "actor": "Player 1", "kind": "Campaign.Turn", "state": document})
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return document


async def play(path: Path, url: str, *more: str) -> dict[str, Any]:
    """Run `questlog play --speed max --json` to its end; returns what it printed."""
    process = await command("play", str(path), "--url", url, "--speed", "max", "--json", *more)
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    summary: dict[str, Any] = json.loads(output)
    return summary


async def test_a_performance_ends_in_the_recordings_last_document_with_a_version_a_step(
    tmp_path: Path,
) -> None:
    last = write_recording(tmp_path / "r.jsonl", 60)
    async with serving(tmp_path / "q.db") as url:
        done = await play(tmp_path / "r.jsonl", url)
        assert (done["committed"], done["version"]) == (60, 61)
        found = await state(url, "hunt")
        assert (found["version"], found["structured_data"]) == (61, last)
        again = await play(tmp_path / "r.jsonl", url)
        assert (again["committed"], again["resumed_after"], again["version"]) == (0, 60, 61)


async def test_a_performance_killed_again_and_again_doubles_nothing(tmp_path: Path) -> None:
    last = write_recording(tmp_path / "r.jsonl")
    async with serving(tmp_path / "q.db") as url:
        await create(url, "hunt", start())
        for until in (40, 150):
            arguments = ("play", str(tmp_path / "r.jsonl"), "--url", url, "--speed", "max")
            process = await command(*arguments)
            async with CampaignClient(url, "hunt") as witness:
                await asyncio.wait_for(witness.reached(until), 30)
            process.kill()
            await process.communicate()
        await play(tmp_path / "r.jsonl", url)
        found = await state(url, "hunt")
        assert (found["version"], found["structured_data"]) == (STEPS + 1, last)


async def test_a_performance_outlives_the_server(tmp_path: Path) -> None:
    last = write_recording(tmp_path / "r.jsonl")
    async with Served.start(tmp_path / "q.db") as served:
        await create(served.url, "hunt", start())
        playing = asyncio.create_task(play(tmp_path / "r.jsonl", served.url))
        async with CampaignClient(served.url, "hunt") as witness:
            await asyncio.wait_for(witness.reached(30), 30)
            await served.kill()
            await served.restart()
            done = await playing
            await asyncio.wait_for(witness.reached(done["version"]), 30)
            assert witness.document == last
        assert done["version"] == STEPS + 1


async def test_what_others_write_meanwhile_does_not_spoil_a_step(tmp_path: Path) -> None:
    last = write_recording(tmp_path / "r.jsonl")
    async with serving(tmp_path / "q.db") as url:
        await create(url, "hunt", start())
        playing = asyncio.create_task(play(tmp_path / "r.jsonl", url))
        async with CampaignClient(url, "hunt", role="dm") as other:
            while not playing.done():
                await other.commit(patch=[{"op": "add", "path": "/n", "value": "spoilt"}])
        await playing
        await play(tmp_path / "r.jsonl", url)
        async with CampaignClient(url, "hunt", role="dm") as reader:
            await reader.live()
            document = reader.document
        assert document in (last, {**last, "n": "spoilt"})


@pytest.mark.parametrize(
    ("before", "now", "speed", "pause"),
    [
        ("2026-03-14T18:30:00Z", "2026-03-14T18:30:04Z", 1.0, 4.0),
        ("2026-03-14T18:30:00Z", "2026-03-14T18:30:04+00:00", 2.0, 2.0),
        ("2026-03-14T18:30:00Z", "2026-03-15T18:30:00Z", 4.0, 2.0),
        ("2026-03-14T18:30:00Z", "2026-03-14T18:29:00Z", 1.0, 0.0),
        (None, "2026-03-14T18:29:00Z", 1.0, 1.5),
        ("yesterday", "today", 3.0, 0.5),
        ("2026-03-14T18:30:00Z", "2026-03-14T18:30:04", 1.0, 1.5),
        (None, None, None, 0.0),
    ],
)
def test_the_pace_follows_the_recording_and_stays_readable(
    before: str | None, now: str | None, speed: float | None, pause: float
) -> None:
    assert Pace(speed).pause(before, now) == pause


async def test_a_bad_file_and_a_bad_speed_are_said_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("nothing\n", "utf-8")
    for arguments, status, sentence in (
        (("play", str(path)), 1, "line 1 is no header"),
        (("play", str(path), "--speed", "-1"), 2, "neither a factor above 0 nor max"),
    ):
        process = await command(*arguments)
        _, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == status
        assert sentence in errors.decode()
