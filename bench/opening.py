"""Opening a campaign and reading any version of it, by the length of its log.

The document keeps its size (about 100 kB): each event changes a few members of it. A campaign is
opened at a hundred places of its log, so that the distance to the last snapshot, which is chance,
is averaged out.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from eventstore import policy
from eventstore.port import Appended
from eventstore.sqlite.store import SqliteReader, SqliteStore
from questlog.campaign.commands import Commit, Create, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor
from questlog.campaign.state import CampaignState
from questlog.document import Limits
from server.process import run

SHORT = 1_000
LONG = 100_000
SAMPLES = 100
BATCH = 250
SEED = 7
DM = Actor("dm", "dm")


def document() -> dict[str, Any]:
    """Return a document of about 100 kB."""
    return {
        "turn": 0,
        "characters": {
            f"hero-{n}": {"name": f"Hero {n}", "hp": {"current": 20, "max": 20}, "note": "x" * 180}
            for n in range(400)
        },
    }


async def grow(store: SqliteStore, campaign_id: str, length: int) -> None:
    """Append `length` events to a new campaign, with snapshots as the policy has them."""
    chance = random.Random(SEED)
    state, weight = CampaignState(campaign_id=campaign_id), 0
    asked = Request(DM, Create(document()))
    while state.version < length:
        events = []
        for _ in range(min(BATCH, length - state.version)):
            minted = Minted("2026-11-23T20:00:00.000Z", f"event-{state.version}")
            decision = decide(state, asked, minted, Limits())
            assert decision.event is not None
            events.append(decision.event)
            state = decision.state
            weight += policy.weight(state.version, len(decision.event.patch))
            hero = f"hero-{chance.randrange(400)}"
            patch: list[dict[str, Any]] = [
                {"op": "replace", "path": "/turn", "value": state.version},
                {"op": "replace", "path": f"/characters/{hero}/hp/current", "value": 1},
                {"op": "replace", "path": f"/characters/{hero}/note", "value": "y" * 180},
            ]
            asked = Request(DM, Commit(patch=patch))
        outcomes = await store.append(campaign_id, events)
        last = outcomes[-1]
        assert isinstance(last, Appended)
        if policy.snapshot_due(weight, state.size):
            weight = 0
            await store.save_snapshot(state, last.hash)


async def milliseconds(reader: SqliteReader, campaign_id: str, versions: list[int]) -> list[float]:
    """Return how long reading each of `versions` takes."""
    taken = []
    for version in versions:
        begun = time.perf_counter()
        await reader.load(campaign_id, at=version)
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


async def main_async() -> None:
    """Print the three medians."""
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        store = await SqliteStore.open(url)
        await grow(store, "short", SHORT)
        await grow(store, "long", LONG)
        await store.close()
        reader = await SqliteReader.open(url)
        short = await milliseconds(
            reader, "short", chance.sample(range(SHORT // 2, SHORT), SAMPLES)
        )
        near = range(LONG - SHORT // 2, LONG)
        opened = await milliseconds(reader, "long", chance.sample(near, SAMPLES))
        anywhere = await milliseconds(reader, "long", chance.sample(range(2, LONG), SAMPLES))
        await reader.close()
    base, head, middle = map(statistics.median, (short, opened, anywhere))
    print(f"Opening, medians of {SAMPLES} (a document of 100 kB)")
    print(f"  with {SHORT:>7,} events  {base:6.2f} ms")
    print(f"  with {LONG:>7,} events  {head:6.2f} ms   ratio {head / base:.2f} (goal 1.5)")
    print(f"  any version        {middle:6.2f} ms   ratio {middle / head:.2f} (goal 3)")
    print(f"  the slowest        {max(anywhere):6.2f} ms   ratio {max(anywhere) / head:.2f}")


def main() -> None:
    """Run the benchmark."""
    run(main_async())


if __name__ == "__main__":
    main()
