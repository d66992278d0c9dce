"""Blame: for each leaf of a document, the event that made it what it is.

The log is walked backward, a segment at a time: the state at the segment's beginning is loaded,
which costs no more than any version does, the segment's events are applied to it, and then every
leaf that is not settled is carried back through them. So what was changed lately is found without
the rest of the log, and one segment is held at a time: its documents share what did not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from eventstore.looking.tracing import Path, back
from eventstore.port import EventReader
from questlog.campaign.errors import Invalid, UnknownVersion
from questlog.campaign.events import Actor, Event
from questlog.campaign.evolve import DamagedLogError
from questlog.document import BadPointer, DocumentError, apply, get, join, parse

SEGMENT = 1_000


class Blamed(Struct, frozen=True):
    """A leaf, and the event that made it what it is.

    Attributes:
        path: its JSON Pointer.
    """

    path: str
    version: int
    at: str
    kind: str
    actor: Actor
    id: str
    value: Any


class _Leaves:
    """The leaves that are not settled: where each is now, and where it was to begin with.

    They are found by what is above them, as an operation names the container it changes.
    """

    def __init__(self, leaves: Iterator[tuple[Path, Any]]) -> None:
        self.order: list[Path] = []
        self.values: dict[Path, Any] = {}
        self._ends: dict[Path, Path] = {}
        self._under: dict[Path, dict[Path, None]] = {}
        for path, value in leaves:
            self.order.append(path)
            self.values[path] = value
            self._put(path, path)

    def __bool__(self) -> bool:
        return bool(self._ends)

    def touched(self, operations: list[dict[str, Any]]) -> list[Path]:
        """Return the places that any of these operations may have changed or moved."""
        found: dict[Path, None] = {}
        for operation in operations:
            for name in ("path", "from"):
                if name in operation:
                    found.update(self._under.get(parse(operation[name])[:-1], {}))
        return list(found)

    def end(self, place: Path) -> Path:
        """Return the leaf that is at a place."""
        return self._ends[place]

    def settle(self, place: Path) -> Path:
        """Take a leaf out, and return it."""
        for length in range(len(place) + 1):
            under = self._under[place[:length]]
            del under[place]
            if not under:
                del self._under[place[:length]]
        return self._ends.pop(place)

    def move(self, moves: dict[Path, Path]) -> None:
        """Have leaves at other places; two may change theirs with each other."""
        ends = {new: self.settle(old) for old, new in moves.items()}
        for new, end in ends.items():
            self._put(new, end)

    def rest(self) -> list[Path]:
        """Return the leaves that are not settled."""
        return list(self._ends.values())

    def _put(self, place: Path, end: Path) -> None:
        self._ends[place] = end
        for length in range(len(place) + 1):
            self._under.setdefault(place[:length], {})[place] = None


async def blame(
    reader: EventReader, campaign_id: str, pointer: str, *, at: int | None = None
) -> list[Blamed]:
    """Return the event that last changed each leaf at or below `pointer`, in the document's order.

    A leaf is a value that holds no other. Written again as it was, or moved with what it is in, it
    was not changed. `at` is the version to look at; None: the head.

    Raises:
        Invalid: there is nothing at `pointer`.
        UnknownVersion: there is no such version.
        DamagedLogError: the log does not lead there.
    """
    loaded = await reader.load(campaign_id, at=at)
    if loaded is None:
        raise UnknownVersion(f"{campaign_id} has no version {at}.")
    try:
        tokens = parse(pointer)
        found = get(loaded.state.document, tokens)
    except BadPointer as error:
        raise Invalid(f"There is nothing at {pointer}: {error}.") from error
    leaves = _Leaves(leaves_of(found, tokens))
    blamed: dict[Path, Blamed] = {}
    until = loaded.state.version
    while leaves:
        begin = max(1, until - SEGMENT)
        await _segment(reader, campaign_id, begin, until, leaves, blamed)
        if begin == 1:
            [first] = await reader.read(campaign_id, until=1)
            for path in leaves.rest():
                blamed[path] = _blamed(path, leaves.values[path], first)
            break
        until = begin
    return [blamed[path] for path in leaves.order]


def leaves_of(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield every value in `value` that holds no other, with its place."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves_of(child, (*path, key))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from leaves_of(child, (*path, str(index)))
    else:
        yield path, value


async def _segment(
    reader: EventReader,
    campaign_id: str,
    begin: int,
    until: int,
    leaves: _Leaves,
    blamed: dict[Path, Blamed],
) -> None:
    """Carry the leaves back from version `until` to `begin`, and settle those that changed."""
    loaded = await reader.load(campaign_id, at=begin)
    events = await reader.read(campaign_id, after=begin, until=until)
    if loaded is None or len(events) != until - begin:
        raise DamagedLogError(f"versions {begin} to {until} of {campaign_id!r} are not all there")
    documents = [loaded.state.document]
    patches = [event.operations() for event in events]
    for event, patch in zip(events[:-1], patches, strict=False):
        try:
            documents.append(apply(documents[-1], patch))
        except DocumentError as error:
            raise DamagedLogError(f"version {event.version} of {campaign_id!r} fails") from error
    for event, patch in zip(reversed(events), reversed(patches), strict=True):
        document = documents.pop()
        moves: dict[Path, Path] = {}
        for place in leaves.touched(patch):
            end = leaves.end(place)
            was = back(document, patch, place, leaves.values[end])
            if was is None:
                blamed[end] = _blamed(leaves.settle(place), leaves.values[end], event)
            elif was != place:
                moves[place] = was
        leaves.move(moves)
        if not leaves:
            return


def _blamed(path: Path, value: Any, event: Event) -> Blamed:
    return Blamed(join(path), event.version, event.at, event.kind, event.actor, event.id, value)
