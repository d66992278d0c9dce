"""Proving a store on every processor there is: its logs side by side, and a long one in stretches.

A log is proved by itself, and a stretch of one by the snapshot it begins with, which the stretch
before it proves. So each process has the file open for reading, and holds one piece of one log.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from eventstore.errors import UnreadableError
from eventstore.port import Auditor, Finding
from eventstore.proof.stretches import WHOLE, Part, Stretch, joined, parts, verify_stretch
from eventstore.proof.verifier import survey, verify_campaign
from eventstore.sqlite.store import SqliteReader

MOST = 8
# A stretch is no shorter: to begin one costs as much as a few hundred events.
STRETCH = 20_000
# Objects made between two collections.
RARELY = 100_000

Walked = tuple[list[Finding], int]
Proof = TypeVar("Proof")


def processors() -> int:
    """Return how many logs may be proved at once."""
    return min(MOST, os.cpu_count() or 1)


async def prove(
    reader: Auditor,
    url: str,
    campaign_id: str | None,
    progress: Callable[[int], None],
    stretch: int = STRETCH,
) -> AsyncIterator[Finding]:
    """Yield what `verify` would, of the store that `reader` reads and that `url` names.

    Args:
        progress: told how many events were looked at, log after log.
        stretch: how many events of a log are proved by themselves, at the least.
    """
    plan = await _plan(reader, campaign_id, stretch)
    # A process that was forked from one with threads could inherit a lock that nobody lets go of.
    pool = ProcessPoolExecutor(
        processors(), multiprocessing.get_context("spawn"), initializer=_settle
    )
    try:
        proofs = _Proofs(pool, url, plan)
        # Meanwhile one thread looks at the pages of the file, which takes long.
        names, findings = await survey(reader)
        for finding in findings:
            yield finding
        for name in names if campaign_id is None else [campaign_id]:
            for finding in await proofs.of(name, progress):
                yield finding
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _plan(
    reader: Auditor, campaign_id: str | None, stretch: int
) -> dict[str, tuple[Part, ...]]:
    """Return what there is to prove of each log, the longest first.

    Were a long one the last, all processes but one would wait for it. What cannot be read now is
    left to who proves it, who says so.
    """
    lengths: dict[str, int] = {}
    plan: dict[str, tuple[Part, ...]] = {}
    with suppress(UnreadableError):
        for name in await reader.logs() if campaign_id is None else [campaign_id]:
            with suppress(UnreadableError):
                kept = await reader.kept(name)
                lengths[name], plan[name] = kept.last or 0, parts(kept, stretch)
    return dict(sorted(plan.items(), key=lambda item: -lengths[item[0]]))


class _Proofs:
    """The proofs that are under way in a pool of processes."""

    def __init__(
        self, pool: ProcessPoolExecutor, url: str, plan: Mapping[str, tuple[Part, ...]]
    ) -> None:
        self._pool, self._url = pool, url
        self._whole: dict[str, asyncio.Future[Walked]] = {}
        self._stretches: dict[str, list[asyncio.Future[Stretch | None]]] = {}
        for name, reach in plan.items():
            if reach == WHOLE:
                self._whole[name] = self._begin(_prove, name)
            else:
                self._stretches[name] = [self._begin(_prove_stretch, name, *part) for part in reach]

    async def of(self, name: str, progress: Callable[[int], None]) -> list[Finding]:
        """Return what is wrong with a log."""
        proved: list[Stretch | None] = []
        for proof in self._stretches.get(name, ()):
            stretch = await proof
            progress(0 if stretch is None else stretch.events)
            proved.append(stretch)
        if proved and joined(proved):
            return []
        # What is wrong with one proved in stretches, and since when, only a walk can say.
        findings, walked = await (self._whole.get(name) or self._begin(_prove, name))
        if not proved:
            progress(walked)
        return findings

    def _begin(self, prove: Callable[..., Proof], *args: Any) -> asyncio.Future[Proof]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, prove, self._url, *args)


def _settle() -> None:
    """Make a new process ready: it works, and an interrupt ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What is decoded are trees: the collector would look through them for cycles in vain.
    gc.set_threshold(RARELY)


def _prove(url: str, name: str) -> Walked:
    return asyncio.run(_proved(url, name))


async def _proved(url: str, name: str) -> Walked:
    walked = 0

    def count(events: int) -> None:
        nonlocal walked
        walked += events

    reader = await SqliteReader.open(url)
    try:
        findings = [finding async for finding in verify_campaign(reader, name, count)]
    finally:
        await reader.close()
    return findings, walked


def _prove_stretch(url: str, name: str, after: int, until: int | None) -> Stretch | None:
    return asyncio.run(_proved_stretch(url, name, after, until))


async def _proved_stretch(url: str, name: str, after: int, until: int | None) -> Stretch | None:
    reader = await SqliteReader.open(url)
    try:
        return await verify_stretch(reader, name, after, until)
    finally:
        await reader.close()
