"""Align two versions of a list: which elements stayed, moved, came and went.

Elements know each other by a key: the first of `id`, `_id` and `name` that an object has as text
or integer, a scalar's value, or else all that they are. Keys that occur more than once are told
apart by their occurrence. Of the elements on both sides, those on a longest increasing
subsequence stay where they are; the others move. What is left of the old and the new list
between the same two that stay is paired, since mending one element of a list is shorter than
removing it and adding another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator
from itertools import compress, islice
from operator import is_not, ne
from typing import Any, NamedTuple, TypeAlias

from questlog.document.codec import canonical
from questlog.document.equality import equal, same_kinds
from questlog.document.limits import JsonValue

_Order: TypeAlias = Callable[[list[Any]], Iterator[Any]]
# What an element is known by; unlike kinds of elements never share a key.
Key: TypeAlias = Callable[[JsonValue], Hashable]

# Placing one element among others that still have to move means searching for its neighbour.
# Where that adds up to more steps than this (2,000 elements out of 2,000 moved), we give up.
MAX_SEARCH = 4_000_000
# Between the common head and tail: giving each of more elements than this a key takes seconds.
MAX_ALIGNED = 100_000


class Target(NamedTuple):
    """Where an element goes: the place when its turn comes, and its index in the new list."""

    at: int
    final: int


class Alignment(NamedTuple):
    """How to turn the old list into the new one, in this order.

    Attributes:
        removed: old indices to take out, from the highest down.
        placed: one at a time, from where (None: it is new) to where.
        kept: pairs of old and new index that may differ in themselves, to be mended last.
    """

    removed: list[int]
    placed: list[tuple[int | None, Target]]
    kept: list[tuple[int, int]]


def align(old: list[Any], new: list[Any], known_by: Key | None = None) -> Alignment | None:
    """Return how `new` comes of `old`, or None where finding out would cost too much.

    `known_by` gives what an element is known by; None: its `key`.
    The work grows with the size of the elements between the common head and tail and with
    n log n of their number, up to `MAX_ALIGNED`; `MAX_SEARCH` bounds what is worse than that.
    Longer lists of equal length are compared place by place, others are not compared.
    """
    shorter = min(len(old), len(new))
    head = _common(old, new, iter, shorter)
    tail = _common(old, new, reversed, shorter - head)
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    if not before or not after:
        return Alignment(
            list(range(head + len(before) - 1, head - 1, -1)),
            [(None, Target(index, index)) for index in range(head, head + len(after))],
            [],
        )
    if max(len(before), len(after)) > MAX_ALIGNED:
        if len(before) != len(after):
            return None
        return Alignment([], [], [(index, index) for index in range(head, head + len(before))])
    partner = _partners(before, after, known_by or key)
    staying = _longest_increasing(partner)
    _pair_gaps(partner, staying, len(before))
    return _placements(partner, staying, len(before), head)


def _common(old: list[Any], new: list[Any], ordered: _Order, limit: int) -> int:
    """Return how many elements the two have in common in that order, at most `limit`.

    In C as far as possible: first by identity, then by Python's `==`, whose "yes" is then
    confirmed for all of them at once.
    """
    same = _first(map(is_not, ordered(old), ordered(new)), limit)
    ours, theirs = islice(ordered(old), same, limit), islice(ordered(new), same, limit)
    alike = same + _first(map(ne, ours, theirs), limit - same)
    if alike > same:
        mine, yours = list(islice(ordered(old), alike)), list(islice(ordered(new), alike))
        if not same_kinds(mine[same:], yours[same:]):
            return next(at for at in range(same, alike) if not equal(mine[at], yours[at]))
    return alike


def _first(differs: Iterator[bool], limit: int) -> int:
    """Return at which place, before `limit`, the first of `differs` is true, or else `limit`."""
    return next(compress(range(limit), differs), limit)


def _partners(before: list[Any], after: list[Any], known_by: Key) -> list[int | None]:
    """Return for each of `after` the index in `before` of the element with its key."""
    places = {known: index for index, known in enumerate(_keys(before, known_by))}
    return [places.get(known) for known in _keys(after, known_by)]


def _keys(elements: list[Any], known_by: Key) -> Iterator[Hashable]:
    """Yield a key for each element, no two the same."""
    seen: dict[Hashable, int] = {}
    for element in elements:
        known = known_by(element)
        occurrence = seen.get(known, 0)
        seen[known] = occurrence + 1
        yield known, occurrence


def key(element: JsonValue) -> Hashable:
    """Return what an element is known by: its identity where it has one, else all that it is."""
    return identity(element) or whole(element)


def identity(element: JsonValue) -> tuple[str, str | int] | None:
    """Return the member an object is known by, and its value; None where it has none."""
    if type(element) is dict:
        for name in ("id", "_id", "name"):
            value = element.get(name)
            if type(value) is str or type(value) is int:
                return name, value
    return None


def whole(element: JsonValue) -> tuple[str, Hashable]:
    """Return all that an element is; the first part keeps unlike kinds apart."""
    kind = type(element)
    if kind is dict or kind is list:
        return "whole", canonical(element)
    return ("bool" if kind is bool else "scalar"), element


def _longest_increasing(partner: list[int | None]) -> set[int]:
    """Return the positions in `partner` of a longest increasing run of its numbers."""
    lasts: list[int] = []
    holders: list[int] = []
    previous: list[int] = [-1] * len(partner)
    for position, number in enumerate(partner):
        if number is None:
            continue
        length = bisect_left(lasts, number)
        previous[position] = holders[length - 1] if length else -1
        if length == len(lasts):
            lasts.append(number)
            holders.append(position)
        else:
            lasts[length] = number
            holders[length] = position
    staying: set[int] = set()
    position = holders[-1] if holders else -1
    while position >= 0:
        staying.add(position)
        position = previous[position]
    return staying


def _pair_gaps(partner: list[int | None], staying: set[int], length: int) -> None:
    """Pair what has no partner on either side between the same two staying elements, in place."""
    taken = {number for number in partner if number is not None}
    start = 0
    fresh: list[int] = []
    for position in range(len(partner) + 1):
        if position < len(partner) and position not in staying:
            if partner[position] is None:
                fresh.append(position)
            continue
        end = length if position == len(partner) else partner[position] or 0
        gone = (index for index in range(start, end) if index not in taken)
        for unmatched, index in zip(fresh, gone, strict=False):
            partner[unmatched] = index
            staying.add(unmatched)
        start, fresh = end + 1, []


def _placements(
    partner: list[int | None], staying: set[int], length: int, head: int
) -> Alignment | None:
    """Return the steps, played through on a list of the new indices of what is there."""
    final = {number: position for position, number in enumerate(partner) if number is not None}
    removed = [head + index for index in range(length - 1, -1, -1) if index not in final]
    present = [final[index] for index in range(length) if index in final]
    waiting = len(present) - len(staying)
    if waiting and (len(partner) - len(staying)) * len(partner) > MAX_SEARCH:
        return None
    placed: list[tuple[int | None, Target]] = []
    for position, number in enumerate(partner):
        if position in staying:
            continue
        # All before `position` are in order by now, so it belongs right behind the last of them;
        # only what still waits to be moved can stand between.
        index = position
        if waiting and position:
            index = present.index(position - 1) + 1
        if number is None:
            placed.append((None, Target(head + index, head + position)))
        else:
            source = present.index(position)
            del present[source]
            index -= source < index
            placed.append((head + source, Target(head + index, head + position)))
            waiting -= 1
        present.insert(index, position)
    kept = [(head + number, head + at) for at, number in enumerate(partner) if number is not None]
    return Alignment(removed, placed, kept)
