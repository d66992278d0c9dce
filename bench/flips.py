"""Flip single bits of stored events, and have verify find each: `python -m bench.flips`."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

from tests.eventstore.scribe import url_of
from tests.eventstore.test_flips import fill
from tests.support.flips import disarm, flip, missed, undo


@click.command()
@click.option("--count", default=10_000, help="How many bits.")
@click.option("--seed", type=int, help="Chance is repeated by it.")
def main(count: int, seed: int | None) -> None:
    """Flip COUNT bits, one at a time, and print which were missed."""
    chosen = secrets.randbits(32) if seed is None else seed
    click.echo(f"seed {chosen}")
    wrong = asyncio.run(_hunt(count, random.Random(chosen)))
    raise SystemExit(1 if wrong else 0)


async def _hunt(count: int, rng: random.Random) -> int:
    begun, wrong = time.perf_counter(), 0
    columns: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "q.db"
        await fill(path, rng)
        connection = sqlite3.connect(path, isolation_level=None)
        disarm(connection)
        while columns.total() < count:
            flipped = flip(connection, rng)
            if flipped is None:
                continue
            columns[flipped.column] += 1
            why = await missed(path, url_of(path), flipped)
            if why is not None:
                wrong += 1
                click.echo(f"missed: {why}")
            undo(connection, flipped)
        connection.close()
    for column, flips in sorted(columns.items()):
        click.echo(f"{flips:>8,}  {column}")
    seconds = time.perf_counter() - begun
    click.echo(f"{count:,} bits flipped in {seconds:.0f} s, {wrong:,} not found or not named")
    return wrong


if __name__ == "__main__":
    main()
