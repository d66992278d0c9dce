"""Canaries: strings that stand nowhere else, by which what leaks is known."""

from __future__ import annotations

import random
import re
from typing import Literal

from msgspec import Struct

Kind = Literal[
    "value",
    "member name",
    "event id",
    "event kind",
    "meta",
    "rule",
    "title",
    "suggestion",
    "answer",
    "signal",
    "narration",
    "player id",
    "status",
    "lease",
]

# The number alone tells which it is, so that one that was cut short is known too.
IN_TEXT = re.compile(r"canary-(\d{7})-")
IN_BYTES = re.compile(rb"canary-(\d{7})-")


class Canary(Struct, frozen=True):
    """One of them.

    Attributes:
        place: the pointer it was planted at, or what carried it.
        campaign_id: the campaign it belongs to.
    """

    text: str
    kind: Kind
    place: str
    campaign_id: str


class Aviary:
    """Every canary of a run, by its number."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._canaries: list[Canary] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._canaries)

    def hatch(self, kind: Kind, place: str, campaign_id: str) -> str:
        """Return the text of a new one: like `canary-0000012-9f3ab2c4d5e6`, good as an id too."""
        text = f"canary-{len(self._canaries):07d}-{self._rng.getrandbits(48):012x}"
        self._canaries.append(Canary(text, kind, place, campaign_id))
        return text

    def find(self, number: int) -> Canary | None:
        """Return the one of this number; None where there is none, so that a text made it up."""
        return self._canaries[number] if number < len(self._canaries) else None

    def strangers(self, numbers: set[int], campaign_id: str) -> set[int]:
        """Return those of `numbers` that do not belong to this campaign."""
        found = ((number, self.find(number)) for number in numbers)
        return {n for n, canary in found if canary is None or canary.campaign_id != campaign_id}


def numbers_in(data: str | bytes) -> set[int]:
    """Return the number of every canary in a text."""
    if isinstance(data, str):
        return set(map(int, IN_TEXT.findall(data)))
    return set(map(int, IN_BYTES.findall(data)))
