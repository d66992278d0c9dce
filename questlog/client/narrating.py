"""Narration from a program: text that is streamed into the campaign as it is made.

async with client.narrate(speaker="The bell") as narration:
    async for words in model:
        narration.say(words)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import msgspec

from questlog.campaign.errors import Rejection
from questlog.sync.messages import Committed
from questlog.sync.talk import NarrationMessage

# Characters of the longest chunk that is sent.
PIECE = 8_000

Ask = Callable[[str, str], Awaitable[Committed]]


class Narration:
    """One stream of text, from `async with` to its end.

    What was lost with a connection is said again over the next, from what the log has of it; a
    block that ends with an exception leaves the stream to be found interrupted.

    Attributes:
        id: of the entry that is filled.
        text: all that was said.
    """

    def __init__(
        self,
        identifier: str,
        path: str,
        speaker: str | None,
        ask: Ask,
        send: Callable[[str], None],
        held: Callable[[str, str], int],
    ) -> None:
        self.id = identifier
        self.text = ""
        self._path = path
        self._speaker = speaker
        self._ask = ask
        self._send = send
        self._held = held
        self._refusal: Rejection | None = None

    async def __aenter__(self) -> Narration:
        """Begin; returns once the entry is in the document.

        Raises:
            Rejection: it cannot be begun.
        """
        begin = NarrationMessage(self.id, "begin", path=self._path, speaker=self._speaker)
        await self._ask(self.id, _frame(begin))
        return self

    def say(self, words: str) -> None:
        """Say the next words; returns at once.

        Raises:
            Rejection: the stream is over: it was interrupted, or its entry is gone.
        """
        if self._refusal is not None:
            raise self._refusal
        offset = len(self.text)
        self.text += words
        self._say_from(offset)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, where nothing went wrong; returns once all of it is durable.

        Raises:
            Rejection: the stream was over before.
        """
        if error is not None:
            return
        if self._refusal is not None:
            raise self._refusal
        # What was said is sent before it, over this connection or the next.
        end = NarrationMessage(self.id, "end", offset=len(self.text))
        await self._ask(self.id, _frame(end))

    def resume(self) -> None:
        """Say again what the log is not known to have: the connection is another one."""
        self._say_from(self._held(self._path, self.id))

    def refused(self, refusal: Rejection) -> None:
        """Note that no more words are taken."""
        self._refusal = refusal

    def _say_from(self, offset: int) -> None:
        for start in range(offset, len(self.text), PIECE):
            words = self.text[start : start + PIECE]
            self._send(_frame(NarrationMessage(self.id, "chunk", offset=start, text=words)))


def _frame(message: NarrationMessage) -> str:
    return msgspec.json.encode(message).decode()


def held_of(document: Any, path: list[str], identifier: str) -> int:
    """Return how many characters of a narration a document has."""
    value = document
    for name in path:
        value = value.get(name) if type(value) is dict else None
    for entry in reversed(value if type(value) is list else []):
        if type(entry) is dict and entry.get("id") == identifier:
            parts = entry.get("parts")
            return sum(len(part) for part in parts) if type(parts) is list else 0
    return 0
