"""A flight of the canary: a server, and one recorded campaign or many small ones played on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from questlog.campaign.visibility import Rules
from tools.canary.canaries import Aviary
from tools.canary.cast import players_of, small_cast, speakers_of, whole_cast
from tools.canary.evening import Evening, Pace
from tools.canary.oracle import where_none_are_given
from tools.canary.planting import Planter, spared_by
from tools.canary.script import Company, Excerpt, Invented, Recorded
from tools.canary.stage import Stage
from tools.canary.watch import Finding, Tally, Watch

CAMPAIGN = "canary"
TABLE = "main"
SMALL = Pace(climb=4, turn=4, nap=0, restart=0, call=8, blunders=2, batches=(1, 1, 2, 3))
SMALL_LENGTH = 8
TOGETHER = 16
OWN = 40
# After so many findings nothing is learned from more.
ENOUGH = 20


class Outcome(Struct, frozen=True):
    """What came of a flight: nothing found is what is hoped for."""

    findings: list[Finding]
    tally: Tally


async def fly_recording(
    path: Path,
    seed: int,
    *,
    most: int = 0,
    own: int = OWN,
    rules: Rules | None = None,
    on_scene: Callable[[int], None] = lambda version: None,
) -> Outcome:
    """Play a recording before a whole cast.

    Args:
        most: how many of its steps, spread over it; 0: all.
        own: how many scenes of the canary's own there are; half as many as steps, if that is more.
        rules: the visibility rules; None: the default ones, and then others, changing on the way.

    Raises:
        RecordingError: it cannot be read.
        CanaryError: the server refuses what the DM does.
    """
    rng = random.Random(seed)
    watch = Watch(Aviary(random.Random(rng.random())))
    excerpt = Excerpt(path, most)
    with excerpt:
        document = excerpt.header.initial_state
        players = players_of(document, rules or where_none_are_given(), rng)
        spared = frozenset() if rules is None else spared_by(rules)
        planter = Planter(watch.aviary, CAMPAIGN, rng, players, spared)
        hidden = planter.hatch("player id", "/presence/player")
        parts = whole_cast(players, hidden, TABLE)
        company = Company(speakers_of(parts), hidden)
        script = Recorded(rng, planter, rules, company, excerpt, own)
        async with Stage.opened(watch) as stage:
            pace = _pace(script.length)
            await Evening(stage, script, parts, TABLE, pace, on_scene).play()
            await stage.check_metrics()
    return _outcome(watch)


async def fly_random(
    campaigns: int, seed: int, *, on_campaign: Callable[[int], None] = lambda number: None
) -> Outcome:
    """Play so many small campaigns, made up at random, side by side on one server.

    Raises:
        CanaryError: the server refuses what a DM does.
    """
    watch = Watch(Aviary(random.Random(seed)))
    left = iter(range(1, campaigns + 1))
    async with Stage.opened(watch) as stage:

        async def some() -> None:
            for number in left:
                if len(watch.findings) >= ENOUGH:
                    return
                await _small(stage, number, seed)
                on_campaign(watch.tally.campaigns)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(TOGETHER):
                    group.create_task(some())
        except ExceptionGroup as failed:
            # The first says why; the others fail because of it.
            raise failed.exceptions[0] from failed
        await stage.check_metrics()
    return _outcome(watch)


async def _small(stage: Stage, number: int, seed: int) -> None:
    rng = random.Random(f"{seed} {number}")
    name, table = f"canary-{number}", f"table-{number}"
    planter = Planter(stage.watch.aviary, name, rng, ("mira", "tom"))
    hidden = planter.hatch("player id", "/presence/player")
    parts = small_cast(rng, hidden, table)
    there = speakers_of(parts)
    script = Invented(
        rng, planter, Company(there, hidden if hidden in there else None), SMALL_LENGTH
    )
    await Evening(stage, script, parts, table, SMALL, lambda version: None).play()


def _pace(versions: int) -> Pace:
    """Return a pace at which of everything happens enough, however long a recording is."""
    return Pace(
        climb=max(6, versions // 12),
        turn=max(6, versions // 12),
        nap=max(12, versions // 9),
        restart=max(20, versions // 3),
        call=max(5, versions // 40),
        blunders=99,
        batches=(1, 1, 1, 2, 3, 6),
    )


def _outcome(watch: Watch) -> Outcome:
    watch.tally.canaries = len(watch.aviary)
    return Outcome(watch.findings, watch.tally)
