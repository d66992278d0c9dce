"""Rewinding recorded play: whatever version one goes back to, its document is there, exactly."""

from __future__ import annotations

import random
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest

from questlog.campaign.commands import Commit, Create, Request, Rewind
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor
from questlog.campaign.evolve import Step, fold
from questlog.campaign.state import CampaignState
from questlog.document import Limits, encode, equal
from tests.support.server import ROOT
from tools.demo import recording_path
from tools.recording import Recording

RECORDINGS = ROOT.parent / "shared" / "data"
DM = Actor("dm", "dm")
LIMITS = Limits(max_bytes=64 * 1024 * 1024)


def played(path: Path, most: int) -> list[CampaignState]:
    """Return the campaign after each step of a recording, version 0 first."""
    state = CampaignState(campaign_id="c")
    states = [state]
    with Recording(path) as recording:
        commands: list[Any] = [Create(recording.header.initial_state)]
        for number, step in enumerate(recording, start=1):
            commands.append(Commit(structured_data=step.state))
            if number == most:
                break
    for command in commands:
        decision = decide(state, Request(DM, command), minted(state), LIMITS)
        state = decision.state
        states.append(state)
    return states


def minted(state: CampaignState) -> Minted:
    return Minted("2026-01-02T19:30:00.000Z", f"id-{state.version}")


@pytest.mark.parametrize(
    ("name", "most", "tries"),
    [
        ("the demo", 1_000, 200),
        ("fireball_one_combat.jsonl.gz", 400, 200),
        ("fireball_raw_sea_hag.jsonl.gz", 400, 100),
        ("crd3_c2e001_full_history.jsonl.xz", 300, 60),
        ("foundry_hyrule_mit.jsonl.xz", 12, 8),
    ],
)
def test_any_version_comes_back_exactly_and_so_does_what_was_undone(
    name: str, most: int, tries: int
) -> None:
    path = recording_path() if name == "the demo" else RECORDINGS / name
    if not path.exists():
        pytest.skip(f"{name} is not in ../shared/data")
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    states = played(path, most)
    for _ in range(tries):
        now, then = rng.choice(states[1:]), rng.choice(states[1:])
        command = Rewind(then.version, then.document)
        decision = decide(now, Request(DM, command), minted(now), LIMITS)
        event = decision.event
        assert event is not None
        patch = Step(now.version + 1, event.at, msgspec.json.decode(event.patch), event.fact)
        after = fold(now, [patch])
        assert equal(after.document, then.document), f"seed {seed}: {now.version} {then.version}"
        assert after.size == len(encode(then.document))
        back = decide(after, Request(DM, Rewind(now.version, now.document)), minted(after), LIMITS)
        assert equal(back.state.document, now.document), f"seed {seed}"
