"""Proving a store of many campaigns on every processor there is, one campaign at a time on each.

A log is proved by itself, so the campaigns of a store can be proved side by side; each process has
the file open for reading and holds one piece of one log.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor

from eventstore.port import Finding
from eventstore.sqlite.store import SqliteReader
from eventstore.verifier import verify_campaign

MOST = 8


def processors() -> int:
    """Return how many campaigns may be proved at once."""
    return min(MOST, os.cpu_count() or 1)


async def prove(
    url: str, campaigns: Mapping[str, int], progress: Callable[[int], None]
) -> AsyncIterator[Finding]:
    """Yield what is wrong with each of these campaigns, one after the other in their order.

    Args:
        campaigns: ids, each with how many events it has: the longest are begun first.
        progress: told of each campaign, in that order, how many events were looked at.
    """
    loop = asyncio.get_running_loop()
    # A process that was forked from one with threads could inherit a lock that nobody lets go of.
    pool = ProcessPoolExecutor(
        processors(), multiprocessing.get_context("spawn"), initializer=_obey
    )
    try:
        longest = sorted(campaigns, key=lambda name: -campaigns[name])
        proofs = {name: loop.run_in_executor(pool, _prove, url, name) for name in longest}
        for name in campaigns:
            findings, walked = await proofs[name]
            progress(walked)
            for finding in findings:
                yield finding
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _obey() -> None:
    """Let an interrupt end this process without a word: the one that started it speaks."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _prove(url: str, name: str) -> tuple[list[Finding], int]:
    return asyncio.run(_proved(url, name))


async def _proved(url: str, name: str) -> tuple[list[Finding], int]:
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
