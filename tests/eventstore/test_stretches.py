"""A log proved in stretches is found intact exactly where a walk along all of it finds nothing."""

from __future__ import annotations

import random
import secrets
import sqlite3
from pathlib import Path

import pytest

from eventstore.port import Finding
from eventstore.proof.stretches import Stretch, joined, parts, verify_stretch
from eventstore.proof.verifier import verify, verify_campaign
from eventstore.sqlite.proving import prove
from eventstore.sqlite.store import SqliteReader
from tests.eventstore.scribe import Scribe, any_command, open_store, url_of
from tests.support.flips import disarm, flip, undo

FLIPS = 200
EVENTS = 60


@pytest.fixture(name="seed")
def _seed() -> int:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return seed


async def fill(path: Path, rng: random.Random) -> None:
    """Write two campaigns that have a snapshot every few events."""
    store = await open_store(path)
    for name in ("c", "d"):
        scribe = Scribe(store, name)
        while scribe.state.version < EVENTS:
            command = any_command(rng, scribe.state)
            if type(command).__name__ != "Activate":
                await scribe.write(command)
                if rng.random() < 0.3:
                    await scribe.snapshot()
    await store.close()


async def in_stretches(reader: SqliteReader, name: str, least: int) -> bool:
    """Return whether a log is intact, by its stretches."""
    reach = parts(await reader.kept(name), least)
    return joined([await verify_stretch(reader, name, *part) for part in reach])


async def test_stretches_tell_what_the_whole_walk_tells(tmp_path: Path, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path / "q.db"
    await fill(path, rng)
    connection = sqlite3.connect(path, isolation_level=None)
    disarm(connection)
    reader = await SqliteReader.open(url_of(path))
    try:
        assert len(parts(await reader.kept("c"), 5)) > 3
        assert await in_stretches(reader, "c", 5)
        assert await in_stretches(reader, "d", 1)
        done = 0
        while done < FLIPS:
            flipped = flip(connection, rng)
            if flipped is None:
                continue
            done += 1
            for name in ("c", "d"):
                wrong = [finding async for finding in verify_campaign(reader, name)]
                assert await in_stretches(reader, name, rng.choice((1, 5, 20))) is not bool(wrong)
            undo(connection, flipped)
    finally:
        await reader.close()
        connection.close()


async def test_a_changed_snapshot_is_found_from_both_of_its_sides(
    tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "q.db"
    await fill(path, random.Random(seed))
    connection = sqlite3.connect(path, isolation_level=None)
    reader = await SqliteReader.open(url_of(path))
    try:
        before, after = parts(await reader.kept("c"), 20)[:2]
        version = after[0]
        changed = (
            "state = replace(state, '\"campaign_id\"', '\"campaign_ix\"')",
            "hash = replace(hash, substr(hash, 1, 1), 'x')",
            "state = '{}'",
            "state = 'x'",
        )
        where = "WHERE campaign_id = 'c' AND version = ?"
        for change in changed:
            kept = connection.execute(f"SELECT state, hash FROM snapshot {where}", (version,))
            was = kept.fetchone()
            connection.execute(f"UPDATE snapshot SET {change} {where}", (version,))
            assert await verify_stretch(reader, "c", *before) is None, change
            assert not await in_stretches(reader, "c", 20), change
            connection.execute(f"UPDATE snapshot SET state = ?, hash = ? {where}", (*was, version))
        assert await in_stretches(reader, "c", 20)
        connection.execute(f"DELETE FROM snapshot {where}", (version,))
        assert await verify_stretch(reader, "c", *before) is None
        assert await verify_stretch(reader, "c", *after) is None
        assert await in_stretches(reader, "c", 20)
    finally:
        await reader.close()
        connection.close()


def test_stretches_that_do_not_meet_prove_nothing() -> None:
    one, other = Stretch("", "a", 3), Stretch("b", "", 3)
    assert not joined([one, other])
    assert not joined([one, None])
    assert joined([one, Stretch("a", "", 2)])


async def test_side_by_side_is_found_what_is_found_one_after_the_other(
    tmp_path: Path, seed: int
) -> None:
    rng, path = random.Random(seed), tmp_path / "q.db"
    await fill(path, rng)
    walked = 0

    def progress(events: int) -> None:
        nonlocal walked
        walked += events

    async def both(name: str | None) -> tuple[list[Finding], list[Finding]]:
        reader = await SqliteReader.open(url_of(path))
        try:
            ours = [each async for each in prove(reader, url_of(path), name, progress, stretch=9)]
            return ours, [each async for each in verify(reader, name)]
        finally:
            await reader.close()

    assert await both(None) == ([], [])
    assert walked == 2 * EVENTS
    connection = sqlite3.connect(path, isolation_level=None)
    disarm(connection)
    while (flipped := flip(connection, rng)) is None:
        pass
    connection.close()
    for name in (None, flipped.campaign_id):
        ours, theirs = await both(name)
        assert ours == theirs
        assert ours
