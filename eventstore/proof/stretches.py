"""A long log proved in stretches, from one of its snapshots to another, each by itself.

A stretch takes the snapshot it begins with as it is, and proves the one it ends with; so, where
each begins with what the one before it ended with, all of them together prove the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

from eventstore.errors import UnreadableError
from eventstore.port import Auditor, Kept
from eventstore.proof.walk import BROKEN, Walk, advance

# After which version, and until which; None: the end.
Part = tuple[int, int | None]
WHOLE: tuple[Part, ...] = ((0, None),)


class Stretch(Struct, frozen=True):
    """A part of a log that was found to follow, to its end, from the snapshot it begins with.

    Attributes:
        begins, ends: digests of those two snapshots, as of `Walk.proved`; empty where a log begins
            or ends.
        events: how many it has.
    """

    begins: str
    ends: str
    events: int


def parts(kept: Kept, least: int) -> tuple[Part, ...]:
    """Return the stretches to prove a log in, of `least` events or more each."""
    head = 0 if kept.summary is None else kept.summary.version
    begins = [0]
    for version, _ in kept.snapshots:
        if version - begins[-1] >= least and head - version >= least:
            begins.append(version)
    return (*pairwise(begins), (begins[-1], None))


def joined(stretches: Iterable[Stretch | None]) -> bool:
    """Return whether all of a log's stretches, in order, prove it intact."""
    ends = ""
    for stretch in stretches:
        if stretch is None or stretch.begins != ends:
            return False
        ends = stretch.ends
    return True


async def verify_stretch(
    reader: Auditor, name: str, after: int, until: int | None
) -> Stretch | None:
    """Return what was proved of the versions `after` < v <= `until` of a log; None is: to its end.

    `after`, if not 0, and `until` are versions that have a snapshot. Returns None where anything
    at all is not as it should be, or cannot be told: a walk along the whole log says what.
    """
    try:
        kept = await reader.kept(name)
        if kept.summary is None:
            return None
        walk = Walk(kept.summary, kept)
        if after:
            texts = await reader.stored_snapshots(name, after - 1, after)
            walk.begin(after, texts[after])
        begins, events = walk.proved() if after else "", 0
        while taken := await advance(reader, walk, until or kept.summary.version):
            events += taken
        if until is None:
            walk.end()
        whole = not walk.found() and walk.whole_until(until)
    except (UnreadableError, KeyError, *BROKEN):
        return None
    return Stretch(begins, "" if until is None else walk.proved(), events) if whole else None
