"""Earlier versions of a live campaign, from memory where they are there, else from the log."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from eventstore.errors import StoreError
from eventstore.port import EventReader
from questlog.campaign.evolve import DamagedLogError
from questlog.sync.entries import Entry
from questlog.sync.feed import Feed

RECALLED = 4

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Memory:
    """Finds any version of one campaign.

    Args:
        spawn: runs a coroutine to its end under the server's supervision.
    """

    def __init__(self, feed: Feed, store: EventReader, spawn: Spawn) -> None:
        self._feed = feed
        self._store = store
        self._spawn = spawn
        self._recalling: dict[int, asyncio.Future[Entry | None]] = {}
        self._recalled: OrderedDict[int, Entry] = OrderedDict()

    async def recall(self, version: int) -> Entry | None:
        """Return a version from memory or the log, None where there is none.

        However many ask for a version at once, the log is read once; the last few read are kept,
        because after a restart a whole table comes back from the same place.

        Raises:
            StoreError, DamagedLogError: the log cannot be read, or does not lead there.
        """
        entry = self._feed.recall(version) or self._recalled.get(version)
        if entry is not None:
            return entry
        reading = self._recalling.get(version)
        if reading is None:
            reading = self._recalling[version] = asyncio.get_running_loop().create_future()
            self._spawn(self._read(version, reading))
        return await asyncio.shield(reading)

    async def _read(self, version: int, reading: asyncio.Future[Entry | None]) -> None:
        entry = None
        try:
            loaded = await self._store.load(self._feed.campaign_id, at=version)
        except (StoreError, DamagedLogError) as error:
            reading.set_exception(error)
            # Whoever asked may have gone; nobody is left to be told then.
            reading.exception()
        else:
            if loaded is not None:
                entry = self._recalled[version] = self._feed.entry(loaded.state, loaded.hash)
                if len(self._recalled) > RECALLED:
                    self._recalled.popitem(last=False)
            reading.set_result(entry)
        finally:
            del self._recalling[version]
