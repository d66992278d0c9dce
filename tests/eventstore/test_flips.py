"""One changed bit anywhere in a stored event is found, and the event is named."""

from __future__ import annotations

import random
import secrets
import sqlite3
from pathlib import Path

from tests.eventstore.scribe import Scribe, any_command, open_store, url_of
from tests.support.flips import disarm, flip, missed, undo

FLIPS = 250


async def fill(path: Path, rng: random.Random) -> None:
    """Write two campaigns with all kinds of events, one of them with snapshots."""
    store = await open_store(path)
    for name in ("c", "d"):
        scribe = Scribe(store, name)
        for number in range(25):
            table = scribe.state.table
            command = any_command(rng, scribe.state)
            if name == "d" and table is None and type(command).__name__ == "Activate":
                continue
            await scribe.write(command)
            if name == "c" and number in (8, 16):
                await scribe.snapshot()
    await store.close()


async def test_every_flipped_bit_is_found_and_its_version_named(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    path = tmp_path / "q.db"
    await fill(path, rng)
    connection = sqlite3.connect(path, isolation_level=None)
    disarm(connection)
    done, wrong = 0, []
    while done < FLIPS:
        flipped = flip(connection, rng)
        if flipped is None:
            continue
        done += 1
        why = await missed(path, url_of(path), flipped)
        if why is not None:
            wrong.append(why)
        undo(connection, flipped)
    connection.close()
    assert not wrong, f"seed {seed}: {len(wrong)} missed\n" + "\n".join(wrong[:5])
