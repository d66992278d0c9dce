"""The narrator: streams of text on their way into a campaign's log.

A chunk is passed on at once and waits here until the next part is due, so that listeners hear every
word as it is spoken and the log gets two or three events a second, however many chunks there are.

What can go wrong, and what is done:
- The narrator goes away in mid-sentence: after a while without a chunk the stream is ended as
  `interrupted`, with all that came.
- The server goes away: what was not in the log yet (under half a second of it) is lost, and the
  stream is ended as `interrupted` when the campaign is next loaded.
- A chunk is sent again after a lost connection: what is known of it is passed over by its offset.
- Somebody takes the entry out of the document: the next part is refused, and its narrator told.
- The log cannot be written: the narrator is told, and the stream is ended as `interrupted` once it
  can. It cannot be taken up again: nobody knows which of its words were lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from questlog.campaign.commands import AddNarration, EndNarration, Request
from questlog.campaign.errors import Invalid, Rejection, TooLarge
from questlog.campaign.events import Actor
from questlog.campaign.ids import derived_id
from questlog.sync.talk import NarrationMessage, NarrationTold
from server.live import Done, LiveCampaign

# Seconds between two parts: with the beginning or the end never more than four events a second.
PART_EVERY = 0.4
MAX_CHUNK = 16_000
# Who ends a stream that nobody is left to end.
SERVER = Actor("questlog", "dm")

Refused = Callable[[Rejection], None]


class Stream:
    """A narration that has begun.

    Attributes:
        parts: what has come and is not in the log yet.
        start: the offset of its first character.
        length: the characters that have come.
        audible: whether the entry is in the log, so that listeners know what is spoken of.
        refused: tells whoever streams it that it cannot go on.
    """

    __slots__ = ("actor", "audible", "due", "heard", "id", "length", "parts", "refused", "start")

    def __init__(self, identifier: str, actor: Actor, now: float) -> None:
        self.id = identifier
        self.actor = actor
        self.parts: list[str] = []
        self.start = self.length = 0
        self.audible = False
        self.heard = now
        self.due: asyncio.TimerHandle | None = None
        self.refused: Refused = _nobody

    def add(self, text: str) -> None:
        """Add what has come."""
        self.parts.append(text)
        self.length += len(text)

    def take(self) -> str:
        """Return what is not in the log yet, which is about to be."""
        text = "".join(self.parts)
        self.parts.clear()
        self.start = self.length
        if self.due is not None:
            self.due.cancel()
            self.due = None
        return text


class Narrator:
    """The streams of one campaign.

    Args:
        tell: passes a chunk on to whoever may see the entry it belongs to.
        now: the time as messages give it.
        idle: seconds without a chunk after which a stream counts as broken off.
    """

    def __init__(
        self,
        live: LiveCampaign,
        tell: Callable[[NarrationTold], None],
        now: Callable[[], str],
        idle: float,
    ) -> None:
        self._live = live
        self._tell = tell
        self._now = now
        self._idle = idle
        self._streams: dict[str, Stream] = {}
        self._watching: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is being streamed, or has yet to be ended in the log."""
        return bool(self._streams or self._live.state.narrations)

    def begin(self, actor: Actor, message: NarrationMessage) -> asyncio.Future[Done]:
        """Begin a stream; the future is that of the event."""
        loop = asyncio.get_running_loop()
        self._give_up(message.id)
        identifier = derived_id("narration.begun", message.id)
        future = self._live.submit(Request(actor, message.begins(), identifier))
        begun_or_begins = any(each.id == message.id for each in self._live.accepted.narrations)
        if message.id in self._streams or not begun_or_begins:
            # An id that was used before, say: words for it are refused one by one.
            return future
        # Chunks may follow before the beginning is on disk.
        stream = self._streams[message.id] = Stream(message.id, actor, loop.time())
        self._watch()

        def begun(done: asyncio.Future[Done]) -> None:
            known = any(each.id == message.id for each in self._live.state.narrations)
            if done.cancelled() or done.exception() is not None or not known:
                self._drop(stream)
            else:
                stream.audible = True
                self._speak(stream, stream.start, "".join(stream.parts))

        future.add_done_callback(begun)
        return future

    def chunk(self, message: NarrationMessage, refused: Refused) -> None:
        """Take the next words of a stream.

        Raises:
            Rejection: there is no such stream, or there is a gap between what came and these.
        """
        stream = self._find(message.id)
        text = self._fresh(stream, message)
        stream.heard = asyncio.get_running_loop().time()
        stream.refused = refused
        if not text:
            return
        offset = stream.length
        stream.add(text)
        if stream.audible:
            self._speak(stream, offset, text)
        if stream.due is None:
            loop = asyncio.get_running_loop()
            stream.due = loop.call_later(PART_EVERY, self._flush, stream)

    def end(self, actor: Actor, message: NarrationMessage) -> asyncio.Future[Done]:
        """End a stream, with last words or none; the future is that of the event.

        Raises:
            Rejection: there is a gap between what came and these.
        """
        stream = self._streams.get(message.id)
        text = ""
        if stream is None:
            # A retry is answered from the log; whatever else it is, its words are not all there.
            self._give_up(message.id)
        else:
            fresh = self._fresh(stream, message)
            if fresh and stream.audible:
                self._speak(stream, stream.length, fresh)
            text = stream.take() + fresh
            self._drop(stream)
        identifier = derived_id("narration.ended", message.id)
        future = self._live.submit(Request(actor, message.ends(text), identifier))
        # Where it cannot be ended so, with these words, it is broken off.
        future.add_done_callback(lambda _: self._give_up(message.id))
        return future

    def unsaid(self) -> list[NarrationTold]:
        """Return what somebody who has just come has missed: it is not in the document yet."""
        now = self._now()
        return [
            NarrationTold(stream.id, stream.start, "".join(stream.parts), now)
            for stream in self._streams.values()
            if stream.audible and stream.parts
        ]

    def mend(self) -> None:
        """End what the log says is being streamed and nobody streams: a server went away."""
        for narration in self._live.state.narrations:
            self._give_up(narration.id)
        self._watch()

    def stop(self) -> None:
        """End every stream as interrupted: the server is going."""
        for stream in list(self._streams.values()):
            self._interrupt(stream.id, stream.take(), stream.actor)
            self._drop(stream)

    def _give_up(self, identifier: str) -> None:
        """End a narration that the log has open and nobody streams; where it can be, now."""
        open_ones = {each.id for each in self._live.state.narrations}
        if identifier in open_ones and identifier not in self._streams:
            self._interrupt(identifier, "", SERVER)

    def _find(self, identifier: str) -> Stream:
        stream = self._streams.get(identifier)
        if stream is None:
            raise Invalid("No narration of this id is being streamed.")
        return stream

    def _fresh(self, stream: Stream, message: NarrationMessage) -> str:
        """Return what of a chunk has not come before."""
        if len(message.text) > MAX_CHUNK:
            raise TooLarge(f"A chunk of narration has at most {MAX_CHUNK} characters.")
        known = stream.length - message.offset
        if message.text and (known < 0 or message.offset < 0):
            raise Invalid(f"The next chunk of this narration begins at offset {stream.length}.")
        return message.text[known:]

    def _speak(self, stream: Stream, offset: int, text: str) -> None:
        if text:
            self._tell(NarrationTold(stream.id, offset, text, self._now()))

    def _flush(self, stream: Stream) -> None:
        stream.due = None
        text = stream.take()
        future = self._live.submit(Request(stream.actor, AddNarration(stream.id, text)))
        future.add_done_callback(lambda done: self._flushed(stream, done))

    def _flushed(self, stream: Stream, done: asyncio.Future[Done]) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, Rejection) and self._streams.get(stream.id) is stream:
            self._drop(stream)
            # Where the log can still say so, it says that no more will come.
            self._interrupt(stream.id, "", stream.actor)
            stream.refused(error)

    def _interrupt(self, identifier: str, text: str, actor: Actor) -> None:
        ending = EndNarration(identifier, text, "interrupted")
        future = self._live.submit(Request(actor, ending))
        # Nobody waits for it; where it is refused the stream is over already.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _drop(self, stream: Stream) -> None:
        if self._streams.get(stream.id) is stream:
            del self._streams[stream.id]
        if stream.due is not None:
            stream.due.cancel()
            stream.due = None

    def _watch(self) -> None:
        """Look from time to time whether a stream has broken off, while any is open."""
        if self._watching is None and self.busy:
            loop = asyncio.get_running_loop()
            self._watching = loop.call_later(self._idle / 4, self._look)

    def _look(self) -> None:
        self._watching = None
        latest = asyncio.get_running_loop().time() - self._idle
        for stream in list(self._streams.values()):
            if stream.heard <= latest:
                self._interrupt(stream.id, stream.take(), stream.actor)
                self._drop(stream)
        self.mend()


def _nobody(_rejection: Rejection) -> None:
    """Nobody to tell: no chunk has come."""


def shows(view: dict[str, Any], path: list[str], identifier: str, last: str) -> bool:
    """Return whether a view has the entry of a narration, its last part and all."""
    value: Any = view
    for name in path:
        value = value.get(name) if type(value) is dict else None
    for entry in reversed(value if type(value) is list else []):
        if type(entry) is dict and entry.get("id") == identifier:
            parts = entry.get("parts")
            return type(parts) is list and parts[-1:] == [last]
    return False
