"""Walking: a log read from end to end, a piece at a time, and what is found on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct

from eventstore.port import EventReader
from questlog.campaign.errors import UnknownVersion
from questlog.campaign.events import Actor, Event
from questlog.campaign.evolve import DamagedLogError
from questlog.document import BadPointer, DocumentError, apply, equal, get, parse

# Bytes of a piece that are aimed at, and how many events it has at the least and the most.
PIECE = 1 << 20
FEWEST, MOST = 16, 4096
FIRST = 64
OVERHEAD = 256


class Value(Struct, frozen=True):
    """What was at a place from a version on.

    Attributes:
        there: whether anything was; where not, `value` is None.
    """

    version: int
    at: str
    kind: str
    actor: Actor
    there: bool
    value: Any


class Bisected(Struct, frozen=True):
    """The first version at which a condition held, and how many states were read to find it.

    Attributes:
        version: None where it does not hold at the end.
        from_the_start: whether it held at the very version it was looked for from.
    """

    version: int | None
    reads: int
    from_the_start: bool = False


async def pieces(
    reader: EventReader,
    campaign_id: str,
    *,
    after: int = 0,
    until: int | None = None,
    kind: str | None = None,
) -> AsyncIterator[list[Event]]:
    """Yield the events of versions `after` < v <= `until` in order, about a megabyte at a time.

    So a long log goes by fast, and large patches take no more memory than small ones.
    """
    limit = FIRST
    while True:
        events = await reader.read(campaign_id, after=after, until=until, limit=limit, kind=kind)
        if not events:
            return
        yield events
        after = events[-1].version
        size = sum(weight_of(event) for event in events) // len(events)
        limit = max(FEWEST, min(MOST, PIECE // size))


def weight_of(event: Event) -> int:
    """Return about how many bytes an event takes."""
    return OVERHEAD + sum(memoryview(part).nbytes for part in (event.patch, event.data, event.meta))


async def history(reader: EventReader, campaign_id: str, pointer: str) -> AsyncIterator[Value]:
    """Yield every value that was at `pointer`, each with the event that put or took it there.

    The place is what counts: an element of a list that moves on leaves its place to the next.

    Raises:
        BadPointer: it is no pointer.
        DamagedLogError: the log does not lead on.
    """
    tokens = parse(pointer)
    document: Any = {}
    was: list[Any] = []
    async for events in pieces(reader, campaign_id):
        for event in events:
            try:
                document = apply(document, event.operations())
            except DocumentError as error:
                sentence = f"version {event.version} of {campaign_id!r} fails"
                raise DamagedLogError(sentence) from error
            now = _at(document, tokens)
            if bool(now) != bool(was) or (now and not equal(now[0], was[0])):
                value = now[0] if now else None
                yield Value(event.version, event.at, event.kind, event.actor, bool(now), value)
            was = now


async def bisect(
    reader: EventReader,
    campaign_id: str,
    holds: Callable[[Any], bool],
    first: int,
    last: int,
) -> Bisected:
    """Return the first version from `first` to `last` whose document `holds` is true of.

    It is taken to stay true once it is. The states read are at most as many as the number of
    versions has binary digits: that it holds nowhere is one answer more, and no more reads.

    Raises:
        UnknownVersion: there is no such version.
    """
    reads = 0

    async def at(version: int) -> bool:
        nonlocal reads
        reads += 1
        loaded = await reader.load(campaign_id, at=version)
        if loaded is None:
            raise UnknownVersion(f"{campaign_id!r} has no version {version}.")
        return holds(loaded.state.document)

    # Behind the last one stands that it holds nowhere.
    least, most = first, last + 1
    while least < most:
        middle = (least + most) // 2
        if await at(middle):
            most = middle
        else:
            least = middle + 1
    return Bisected(None if least > last else least, reads, least == first)


def _at(document: Any, tokens: tuple[str, ...]) -> list[Any]:
    try:
        return [get(document, tokens)]
    except BadPointer:
        return []
