"""What changed between two documents, put on top of a third: a merge of three.

For a program that holds a document of its own while others change the campaign's. What it changed
since it last looked is `base` to `ours`; what the others did is `base` to `theirs`. A patch of the
first would name list elements by the places they had in `base`, where by now others may stand. Here
elements are followed by what they are:

- objects member by member;
- lists element by element: an object is known by its `id`, `_id` or `name`, where that is unique in
  all three lists; anything else by being equal, or by standing where one that has gone stood;
- what only one side changed is as that side has it; where both changed one thing, ours wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeAlias

from questlog.document.equality import equal
from questlog.document.limits import JsonValue
from questlog.document.lists import align, identity, whole

# An element of the merged list: the side it was first seen on, and its index there.
_Token: TypeAlias = tuple[str, int]

_MISSING: Any = object()
_START: _Token = ("start", 0)


def rebase(base: JsonValue, ours: JsonValue, theirs: JsonValue) -> JsonValue:
    """Return `theirs` with what changed between `base` and `ours` put on top of it.

    Nothing is mutated; the result shares parts with all three. `rebase(b, o, b)` equals `o`, and
    `rebase(b, b, t)` is `t`. Where both removed, moved or changed one thing, ours wins: what ours
    removed is gone, though theirs changed something in it, and what ours changed stays, though
    theirs removed it. Where both moved elements of one list, it has our order. What both added to
    one place of a list stands theirs first.

    Raises:
        InvalidDocument: a list holds something that JSON cannot.
    """
    return _merge(base, ours, theirs)


def _merge(base: JsonValue, ours: JsonValue, theirs: JsonValue) -> JsonValue:
    """Merge values, of which each may be missing."""
    if _same(ours, base):
        return theirs
    if _same(theirs, base) or _same(ours, theirs):
        return ours
    if type(ours) is dict and type(theirs) is dict:
        return _merge_objects(base if type(base) is dict else {}, ours, theirs)
    if type(ours) is list and type(theirs) is list:
        return _merge_lists(base if type(base) is list else [], ours, theirs)
    return ours


def _same(a: JsonValue, b: JsonValue) -> bool:
    if a is _MISSING or b is _MISSING:
        return a is b
    return equal(a, b)


def _merge_objects(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> dict[str, Any]:
    merged = {}
    for key in (*ours, *(key for key in theirs if key not in ours)):
        value = _merge(base.get(key, _MISSING), ours.get(key, _MISSING), theirs.get(key, _MISSING))
        if value is not _MISSING:
            merged[key] = value
    return merged


def _merge_lists(base: list[Any], ours: list[Any], theirs: list[Any]) -> list[Any]:
    known_by = _known_by(base, ours, theirs)
    mine, yours = _partners(base, ours, known_by), _partners(base, theirs, known_by)
    if mine is None or yours is None:
        # Finding out what became of which element would take too long.
        return ours
    mine_tokens = [_token("ours", at, partner) for at, partner in enumerate(mine)]
    your_tokens = _theirs(ours, theirs, mine, yours, known_by)
    my_places = {token: at for at, token in enumerate(mine_tokens)}
    your_places = {token: at for at, token in enumerate(your_tokens)}
    values: dict[_Token, JsonValue] = {}
    for token in (*mine_tokens, *your_tokens):
        value = _merge(
            base[token[1]] if token[0] == "base" else _MISSING,
            ours[my_places[token]] if token in my_places else _MISSING,
            theirs[your_places[token]] if token in your_places else _MISSING,
        )
        if value is not _MISSING:
            values[token] = value
    order = (
        _woven(mine_tokens, your_tokens, values)
        if _moved(mine)
        else _woven(your_tokens, mine_tokens, values, after_news=True)
    )
    return [values[token] for token in order]


def _known_by(*lists: list[Any]) -> Callable[[JsonValue], Hashable]:
    """Return what tells elements by their identities, where these are unique in every list."""
    doubled = {
        known
        for elements in lists
        for known, times in Counter(map(identity, elements)).items()
        if times > 1
    }

    def known_by(element: JsonValue) -> Hashable:
        known = identity(element)
        return whole(element) if known is None or known in doubled else ("known", *known)

    return known_by


def _is_identity(known: Hashable) -> bool:
    return type(known) is tuple and known[0] == "known"


def _partners(
    base: list[Any], other: list[Any], known_by: Callable[[JsonValue], Hashable]
) -> list[int | None] | None:
    """Return for each element of `other` the index of what it was in `base`, None for a new one.

    None altogether where that would take too long to find out.
    """
    alignment = align(base, other, known_by)
    if alignment is None:
        return None
    partners: list[int | None] = [None] * len(other)
    gone = set(alignment.removed) | {before for before, _ in alignment.kept}
    come = {target.final for _, target in alignment.placed} | {at for _, at in alignment.kept}
    # What the alignment does not speak of is the head and the tail the two have in common.
    still = (index for index in range(len(base)) if index not in gone)
    for at in range(len(other)):
        if at not in come:
            partners[at] = next(still)
    for before, at in alignment.kept:
        was, now = known_by(base[before]), known_by(other[at])
        # Two that stand in one gap are taken for one, unless either has a name of its own.
        if was == now or not (_is_identity(was) or _is_identity(now)):
            partners[at] = before
    return partners


def _token(side: str, at: int, partner: int | None) -> _Token:
    return (side, at) if partner is None else ("base", partner)


def _theirs(
    ours: list[Any],
    theirs: list[Any],
    mine: list[int | None],
    yours: list[int | None],
    known_by: Callable[[JsonValue], Hashable],
) -> list[_Token]:
    """Return the tokens of their list; what both sides added under one key is one element."""
    added: dict[Hashable, list[int]] = {}
    for at in reversed(range(len(ours))):
        if mine[at] is None:
            added.setdefault(known_by(ours[at]), []).append(at)
    tokens = []
    for at, partner in enumerate(yours):
        alike = added.get(known_by(theirs[at])) if partner is None else None
        tokens.append(("ours", alike.pop()) if alike else _token("theirs", at, partner))
    return tokens


def _moved(partners: Iterable[int | None]) -> bool:
    """Return whether elements have changed their order."""
    last = -1
    for partner in partners:
        if partner is not None:
            if partner < last:
                return True
            last = partner
    return False


def _woven(
    spine: list[_Token],
    other: list[_Token],
    values: dict[_Token, JsonValue],
    *,
    after_news: bool = False,
) -> Iterator[_Token]:
    """Yield what stays of the spine in its order, and the rest of `other` behind its neighbours.

    Args:
        after_news: what is woven in comes behind what is new in the spine at the same place.
    """
    there = set(spine)
    following: dict[_Token, list[_Token]] = {}
    anchor = _START
    for token in other:
        if token in there:
            anchor = token
        elif token in values:
            following.setdefault(anchor, []).append(token)
    waiting = following.get(_START, [])
    for token in spine:
        if not (after_news and token[0] == "theirs"):
            yield from waiting
            waiting = []
        if token in values:
            yield token
        waiting = waiting + following.get(token, [])
    yield from waiting
