"""Bisecting: the first version at which a condition holds, in as few reads as there can be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from eventstore.looking.walking import Bisected, bisect
from questlog.campaign.errors import UnknownVersion

FIRST = 7


class Numbered:
    """A reader of a campaign whose document is its version."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.read: list[int] = []

    async def load(self, _campaign_id: str, *, at: int | None = None) -> Any:
        """Return the version, and remember that it was read."""
        assert at is not None
        self.read.append(at)
        return SimpleNamespace(state=SimpleNamespace(document=at)) if at <= self.head else None


async def found(holds_from: int, first: int, last: int) -> Bisected:
    """Look for the first version of `holds_from` and later, and see what that took."""
    reader: Any = Numbered(last)
    done = await bisect(reader, "c", lambda document: document >= holds_from, first, last)
    assert done.reads == len(reader.read) == len(set(reader.read)), "none is read twice"
    return done


@pytest.mark.parametrize("versions", range(1, 40))
async def test_every_answer_is_found_in_as_many_reads_as_it_takes(versions: int) -> None:
    last = FIRST + versions - 1
    most = 0
    for holds_from in range(FIRST, last + 2):
        done = await found(holds_from, FIRST, last)
        assert done.version == (None if holds_from > last else holds_from)
        assert done.from_the_start is (holds_from == FIRST)
        most = max(most, done.reads)
    # Each read tells two answers apart, and "nowhere" is one.
    assert most == versions.bit_length()


@pytest.mark.parametrize("holds_from", [1, 2, 99_999, 100_001, 133_333, 199_999, 200_000, 200_001])
async def test_of_200_000_versions_18_are_read_at_the_most(holds_from: int) -> None:
    assert (await found(holds_from, 1, 200_000)).reads <= 18


async def test_of_a_condition_that_comes_and_goes_a_beginning_is_found() -> None:
    reader: Any = Numbered(64)
    for period in range(2, 20):
        done = await bisect(reader, "c", lambda n, p=period: n // p % 2 == 1, 1, 64)  # type: ignore[misc]
        if done.version is not None:
            assert done.version // period % 2 == 1
            assert done.from_the_start or (done.version - 1) // period % 2 == 0


async def test_a_version_that_is_not_there_is_said() -> None:
    reader: Any = Numbered(3)
    with pytest.raises(UnknownVersion):
        await bisect(reader, "c", lambda _: False, 1, 9)
