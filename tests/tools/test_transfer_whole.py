"""What is exported and imported is the same log, however long, broken off or killed."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from eventstore.sqlite import importing
from eventstore.sqlite.store import SqliteReader
from tests.eventstore.scribe import Scribe, any_command, create, open_store, put, url_of
from tests.tools.stores import run
from tests.tools.transfers import exported, rows, staged, taken


def test_random_campaigns_come_back_to_the_last_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    # Small pieces, so that there are many, and snapshots between them.
    monkeypatch.setattr(importing, "PIECE_EVENTS", rng.randint(1, 9))

    async def make(path: Path) -> None:
        store = await open_store(path)
        scribe = Scribe(store)
        for _ in range(rng.randint(1, 120)):
            await scribe.write(any_command(rng, scribe.state))
        await store.close()

    async def head(path: Path) -> Any:
        reader = await SqliteReader.open(url_of(path))
        try:
            return await reader.load("c")
        finally:
            await reader.close()

    for number in range(12):
        path, new = tmp_path / f"{number}.db", tmp_path / f"{number}-new.db"
        asyncio.run(make(path))
        file = exported(path, tmp_path / "file")
        whole = file.read_bytes()
        if rng.random() < 0.5:
            # Broken off somewhere behind the header, it goes on from there.
            file.write_bytes(whole[: rng.randint(whole.index(b"\n") + 1, len(whole) - 2)])
            assert run(new, "import", str(file)).exit_code == 1, f"seed {seed}"
            assert rows(new) == []
            file.write_bytes(whole)
        taken(new, str(file))
        assert rows(new) == rows(path), f"seed {seed}"
        there, back = asyncio.run(head(path)), asyncio.run(head(new))
        assert (back.hash, back.state) == (there.hash, there.state), f"seed {seed}"
        assert run(new, "verify").exit_code == 0, f"seed {seed}"
        assert exported(new, tmp_path / "again").read_bytes() == whole, f"seed {seed}"
        copied = taken(new, str(file), "--as", "d")
        assert copied["version"] - (copied["left"] is not None) == there.state.version
        assert run(new, "verify").exit_code == 0, f"seed {seed}"


async def test_a_killed_import_leaves_nothing_to_see_and_goes_on(tmp_path: Path) -> None:
    log, new, file = tmp_path / "log.db", tmp_path / "new.db", tmp_path / "file"
    store = await open_store(log)
    scribe = Scribe(store)
    await scribe.write(create())
    for _ in range(20):
        await scribe.write(*(put("/hp", number) for number in range(300)))
    await store.close()
    await asyncio.to_thread(exported, log, file)
    whole = file.read_bytes()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools", "import", "-", "--store", url_of(new)),
        stdin=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(whole[: len(whole) // 2])
    await process.stdin.drain()
    # It waits for the second half now, with most of the first staged.
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert rows(new) == []
    assert staged(new)
    done = await asyncio.to_thread(taken, new, str(file))
    assert done["added"] == 6001
    assert rows(new) == rows(log)
    assert staged(new) == []
    assert not [name for name in os.listdir(tmp_path) if "import" in name]
