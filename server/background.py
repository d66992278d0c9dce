"""Background work under one supervisor: whatever is spawned is finished or cancelled before stop.

The task group lives in a task of its own, so that starting and stopping may happen in different
tasks, as they do under test runners and in embedding applications.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Runs coroutines in a TaskGroup. An exception in one is logged and ends it alone."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._group: asyncio.TaskGroup | None = None
        self._stop = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._endless: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """Whether work is taken: between start and stop."""
        return self._group is not None and not self._stop.is_set()

    async def start(self) -> None:
        """Open the group."""
        ready = asyncio.Event()
        self._main = asyncio.create_task(self._run(ready), name="background")
        await ready.wait()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end; stopping waits for it. What comes after that is dropped."""
        self._create(work)

    def spawn_endless(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until the group stops, which cancels it."""
        task = self._create(work)
        if task is not None:
            self._endless.append(task)

    async def stop(self) -> None:
        """Cancel the endless work, wait for the rest, and close the group."""
        self._stop.set()
        for task in self._endless:
            task.cancel()
        if self._main is not None:
            await self._main

    def _create(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        assert self._main is not None, "start() comes first"
        if self._group is None:
            # A peer may still be hanging up while everything else has stopped.
            work.close()
            return None
        return self._group.create_task(self._guard(work))

    async def _run(self, ready: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            ready.set()
            await self._stop.wait()
        self._group = None

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            self._log.exception("background work failed")
