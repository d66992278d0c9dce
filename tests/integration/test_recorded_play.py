"""A recorded campaign at full speed, with a dozen players and a server that dies in the middle."""

from __future__ import annotations

import asyncio
import io
import json
import random
import secrets
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from eventstore.sqlite.store import SqliteReader
from questlog.campaign.visibility import Projector
from questlog.document import encode, equal
from tests.client.proxy import Proxy
from tests.support.crowd import Crowd, seats
from tests.support.server import ROOT, Served, command
from tools.demo import recording_path
from tools.performer import step_id
from tools.recording import Recording

RECORDINGS = ROOT.parent / "shared" / "data"
LONGEST = 100.0


def rehearse(path: Path, most: int, copy: Path) -> tuple[Recording, int, dict[str, Any]]:
    """Copy the first steps of a recording; returns its header, how many there are, the last state.

    Of the recording only what is known from its first line is still there.
    """
    number, last = 0, {}
    with Recording(path) as recording, copy.open("wb") as file:
        file.write(recording.lead + b"\n")
        for number, step in enumerate(recording, start=1):
            last = step.state
            line = {"ts": step.ts, "actor": step.actor, "kind": step.kind, "state": last}
            file.write(encode(line) + b"\n")
            if number == most:
                break
    return recording, number, last


async def begin(url: str, recording: Recording) -> None:
    """Create the campaign as `questlog play` would, so that the crowd may follow it before."""
    async with aiohttp.ClientSession() as session:
        body = io.BytesIO(encode({"structured_data": recording.header.initial_state}))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": step_id("play", recording.lead, 0),
        }
        path = f"{url}/api/campaigns/play"
        async with session.put(path, data=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()


async def verified(store: Path) -> list[str]:
    """Return what `questlog verify` finds."""
    process = await command("verify", "--store", f"sqlite:///{store}", "--json")
    output, errors = await asyncio.wait_for(process.communicate(), LONGEST)
    findings = output.decode().splitlines()
    assert process.returncode == (1 if findings else 0), errors.decode()
    return findings


async def logged(store: Path, campaign_id: str) -> list[str]:
    """Return the id of every event, in order."""
    reader = await SqliteReader.open(f"sqlite:///{store}")
    try:
        events = await reader.read(campaign_id)
    finally:
        await reader.close()
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    return [event.id for event in events]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("the demo", 1_000),
        ("fireball_one_combat.jsonl.gz", 1_000),
        ("fireball_raw_sea_hag.jsonl.gz", 1_000),
        ("crd3_c2e001_full_history.jsonl.xz", 700),
        ("foundry_hyrule_mit.jsonl.xz", 40),
    ],
)
async def test_every_player_ends_with_the_recordings_last_state_though_the_server_is_killed(
    tmp_path: Path, name: str, most: int
) -> None:
    source = recording_path() if name == "the demo" else RECORDINGS / name
    if not source.exists():
        pytest.skip(f"{name} is not in ../shared/data")
    seed = secrets.token_hex(4)
    print(f"seed {seed}")
    store, copy = tmp_path / "questlog.db", tmp_path / "recording.jsonl"
    recording, steps, last = rehearse(source, most, copy)
    killed_at = random.Random(seed).randint(steps // 4, steps // 2)
    async with asyncio.timeout(LONGEST), Served.start(store) as served:
        await begin(served.url, recording)
        # The play goes through this process too: else, where the crowd keeps this process busy, it
        # could be over before the witness has seen half of it.
        async with (
            Proxy.before(served.url) as proxy,
            Crowd.gathered(served.url, "play", seed) as crowd,
        ):
            arguments = ("--url", proxy.url, "--campaign", "play", "--speed", "max", "--json")
            playing = await command("play", str(copy), *arguments)
            await crowd.witness.reached(killed_at)
            await served.kill()
            assert playing.returncode is None, f"seed {seed}: the play was over too soon"
            await served.restart()
            output, errors = await playing.communicate()
            assert await playing.wait() == 0, f"seed {seed}: {errors.decode()}"
            assert json.loads(output)["version"] == steps + 1, f"seed {seed}: {output.decode()}"
            for seat, document in await crowd.dismiss(steps + 1):
                expected = Projector(None).project(last, seat.viewer)
                assert equal(document, expected), f"seed {seed}: {seat}"
            assert crowd.visits > len(seats()), f"seed {seed}: nobody came back"
            print(f"{steps} steps, killed at {killed_at}, {crowd.visits} visits")
        assert (await served.stop())[0] == 0
    assert await verified(store) == []
    expected_ids = [step_id("play", recording.lead, number) for number in range(steps + 1)]
    assert await logged(store, "play") == expected_ids, f"seed {seed}"
