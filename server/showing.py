"""A showing: a replay and a tape, run for whoever looks, over HTTP or on a terminal."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

import msgspec
from msgspec import Struct

from eventstore.moments import version_at
from eventstore.port import EventReader
from questlog.campaign.errors import Rejection
from questlog.campaign.moments import parse_moment
from questlog.campaign.position import Position
from questlog.campaign.visibility import Viewer
from questlog.sync.messages import Encoded
from questlog.sync.replay import Control, Replay, Seek, Speed
from server.tape import Tape

DAY = 86_400.0
CONTROLS = 16
# Seconds between two looks at whether the one who looks may still look, and is there.
LOOK_EVERY = 5.0
DIGITS = 18


class Wanted(Struct, frozen=True):
    """What of a log is to be shown, to whom, how fast, and from which position, if from one."""

    campaign_id: str
    first: int
    last: int
    viewer: Viewer
    speed: Speed
    gap: float
    since: Position | None = None


class GoneError(Exception):
    """Whoever looked has gone."""


class Outlet(ABC):
    """Where the messages go, and where controls come from.

    Attributes:
        controls: what came: a control, why something is none, or None, where nobody is there.
    """

    # Whether whoever looks may stop it and go elsewhere, and so back from the end.
    controlled = False

    def __init__(self) -> None:
        self.controls: asyncio.Queue[Control | Rejection | None] = asyncio.Queue(CONTROLS)

    @abstractmethod
    async def send(self, payload: bytes, place: str | None = None) -> None:
        """Send a message, and wait until there is room for more.

        Args:
            place: the position of whoever has got it, where it is about the document.

        Raises:
            GoneError: nobody is there.
        """

    @abstractmethod
    async def look(self, *, at_rest: bool) -> None:
        """See whether the showing may go on: before every version, and now and then at rest.

        Raises:
            GoneError: nobody is there.
            Rejection: they may not look any more.
        """


class Showing:
    """One replay, from its first message to its end."""

    def __init__(
        self,
        store: EventReader,
        wanted: Wanted,
        outlet: Outlet,
        now: Callable[[], float],
        stopping: asyncio.Event,
    ) -> None:
        """Prepare.

        Args:
            now: seconds of a clock that never runs back.
            stopping: ends it.
        """
        self._store = store
        self._wanted = wanted
        self._outlet = outlet
        self._now = now
        self._stopping = stopping
        self._replay = Replay(wanted.first, wanted.last, speed=wanted.speed, gap=wanted.gap)
        self._tape = Tape(store, wanted.campaign_id, wanted.viewer, wanted.last)
        # They outlast a wait that is over before a control comes: else that one could be lost.
        self._coming: asyncio.Task[Control | Rejection | None] | None = None
        self._ending: asyncio.Task[bool] | None = None

    async def run(self) -> None:
        """Show it until it has ended and nobody can ask for more, or it is stopped.

        Raises:
            GoneError: nobody is there any more.
            Rejection: they may not look any more, or sent what is no control.
            StoreError, DamagedLogError: the log cannot be read.
        """
        self._ending = asyncio.create_task(self._stopping.wait())
        try:
            await self._begin()
            while not self._stopping.is_set():
                if self._replay.ended and not self._outlet.controlled:
                    return
                between = await self._tape.between()
                control = await self._wait(self._replay.wait(between, self._now()), self._ending)
                if control is not None:
                    await self._obey(control)
                elif self._replay.wait(between, self._now()) == 0.0:
                    await self._step()
        finally:
            self._ending.cancel()
            if self._coming is not None:
                self._coming.cancel()

    async def _begin(self) -> None:
        since = self._wanted.since
        begin = self._wanted.first if since is None else since.version
        snapshot = await self._tape.wind(begin, "connected")
        self._replay.shown(begin, self._now())
        held = since is not None and self._tape.proves(since)
        await self._send(None if held else snapshot)
        await self._tell()

    async def _wait(self, seconds: float | None, ending: asyncio.Task[bool]) -> Control | None:
        """Wait for a control, at most so long (None: for as long as it takes) or for one look."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._outlet.controls.get())
        most = min(LOOK_EVERY, DAY if seconds is None else seconds)
        waits = {self._coming, ending}
        await asyncio.wait(waits, timeout=most, return_when=asyncio.FIRST_COMPLETED)
        if not self._coming.done():
            if seconds is None or seconds > LOOK_EVERY:
                await self._outlet.look(at_rest=True)
            return None
        control, self._coming = self._coming.result(), None
        if control is None:
            raise GoneError
        if isinstance(control, Rejection):
            raise control
        return control

    async def _step(self) -> None:
        """Show the next version; at full speed, leave the processor to others for as long again."""
        begun = self._now()
        await self._outlet.look(at_rest=False)
        await self._send(await self._tape.advance())
        self._replay.shown(self._tape.entry.version, self._now())
        if self._replay.ended:
            await self._tell()
        if self._replay.speed == "max":
            await asyncio.sleep(self._now() - begun)

    async def _obey(self, control: Control) -> None:
        await self._outlet.look(at_rest=False)
        if isinstance(control, Seek) and isinstance(control.to, str):
            named = await version_of(self._store, self._wanted.campaign_id, control.to)
            control = Seek(named)
        to = self._replay.control(control, self._now())
        if to is not None and to != self._replay.version:
            ahead = to == self._replay.version + 1
            message = await (self._tape.advance() if ahead else self._tape.wind(to, "resync"))
            await self._send(message)
            self._replay.shown(to, self._now())
        await self._tell()

    async def _send(self, message: Encoded | None) -> None:
        """Send what is about the document, if anything is, and what is told beside it."""
        for each in (message, *self._tape.beside):
            if each is not None:
                await self._outlet.send(each.payload, each.place)

    async def _tell(self) -> None:
        told = self._replay.told(self._wanted.campaign_id, self._tape.at)
        await self._outlet.send(msgspec.json.encode(told))


async def version_of(store: EventReader, campaign_id: str, text: str) -> int:
    """Return the version that a text names, by its number or by a moment.

    Raises:
        Invalid: it names none.
    """
    if text.isascii() and text.isdigit() and len(text) <= DIGITS:
        return int(text)
    return await version_at(store, campaign_id, parse_moment(text))
