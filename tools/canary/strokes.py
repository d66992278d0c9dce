"""Strokes: what a DM does with secrets. Each is a patch that fits the document it is made for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from questlog.campaign.visibility import Rules
from questlog.document import DocumentError, apply, encode, join, parse
from tools.canary.planting import Operation, Planter, Tokens, places

# A document is not copied into itself past this many bytes.
ENOUGH = 20_000
DEEPER = 0.65


class Desk(Struct):
    """What a stroke is made of.

    Attributes:
        free: everything may be moved about, not only what was planted: no recording that goes on
            needs its members where they are.
    """

    rng: random.Random
    planter: Planter
    document: dict[str, Any]
    rules: Rules
    free: bool


def stroke(desk: Desk) -> list[Operation]:
    """Return a random one."""
    kinds: list[Callable[[Desk], list[Operation]]] = [carry, carry, carry, flip, flip, juggle]
    kinds += [copy, drop, sow]
    for _ in range(4):
        patch = desk.rng.choice(kinds)(desk)
        if patch and _fits(desk.document, patch):
            return patch
    return sow(desk)


def sow(desk: Desk) -> list[Operation]:
    """Put something new into some object, one that a rule speaks of where there is such."""
    spot = _spot(desk)
    name = (*spot, desk.planter.name(spot))
    return [{"op": "add", "path": join(name), "value": desk.planter.thing(name)}]


def carry(desk: Desk) -> list[Operation]:
    """Move something elsewhere: a secret comes out, or what all have seen becomes one."""
    return _take(desk, "move")


def copy(desk: Desk) -> list[Operation]:
    """Have something in two places."""
    return _take(desk, "copy") if len(encode(desk.document)) < ENOUGH or not desk.free else []


def drop(desk: Desk) -> list[Operation]:
    """Take something away."""
    found = [tokens for tokens, _ in _own(desk)]
    return [{"op": "remove", "path": join(desk.rng.choice(found))}] if found else []


def flip(desk: Desk) -> list[Operation]:
    """Hide what a `when` rule shows, or the reverse."""
    found = [
        (tokens, value["hidden"])
        for tokens, value in _own(desk)
        if isinstance(value, dict) and "hidden" in value
    ]
    if not found:
        return []
    tokens, hidden = desk.rng.choice(found)
    return [{"op": "replace", "path": join((*tokens, "hidden")), "value": not hidden}]


def juggle(desk: Desk) -> list[Operation]:
    """Add to a list, take from it, or change the order in it."""
    found = [(tokens, value) for tokens, value in _own(desk) if isinstance(value, list)]
    if not found:
        return []
    tokens, value = desk.rng.choice(found)
    there, here = (str(desk.rng.randrange(max(1, len(value)))) for _ in range(2))
    new = {"hidden": desk.rng.random() < 0.5, "name": desk.planter.text((*tokens, there))}
    add = {"op": "add", "path": join((*tokens, there)), "value": new}
    if not value:
        return [add]
    move = {"op": "move", "from": join((*tokens, here)), "path": join((*tokens, there))}
    remove = {"op": "remove", "path": join((*tokens, here))}
    return desk.rng.choice([[add], [move], [remove], [remove, add], [add, move]])


def _take(desk: Desk, op: str) -> list[Operation]:
    found = [tokens for tokens, _ in _own(desk)]
    if not found:
        return []
    source, spot = desk.rng.choice(found), _spot(desk)
    name = desk.planter.name(spot)
    if desk.free and desk.rng.random() < 0.4:
        name = desk.rng.choice(["a", "b", "c", *desk.planter.players])
    return [{"op": op, "from": join(source), "path": join((*spot, name))}]


def _own(desk: Desk) -> list[tuple[Tokens, Any]]:
    """Return what may be moved about: what was planted, and all that is in it; or everything."""
    found = [((), desk.document)] if desk.free else list(_planted((), desk.document))
    return [part for tokens, value in found for part in _walk(tokens, value) if part[0]]


def _planted(tokens: Tokens, value: Any) -> Iterator[tuple[Tokens, Any]]:
    """Yield every member whose name is a canary, but none that is in such a one."""
    for key, member in _members(value):
        if key.startswith("canary-"):
            yield (*tokens, key), member
        elif isinstance(member, dict | list):
            yield from _planted((*tokens, key), member)


def _walk(tokens: Tokens, value: Any) -> Iterator[tuple[Tokens, Any]]:
    yield tokens, value
    for key, member in _members(value):
        yield from _walk((*tokens, key), member)


def _members(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return [(str(index), each) for index, each in enumerate(value)]
    return []


def _spot(desk: Desk) -> Tokens:
    """Return where an object is: every other time one that a rule speaks of."""
    rng, rules = desk.rng, desk.rules.rules
    if rules and rng.random() < 0.5:
        found = list(places(desk.document, parse(rng.choice(rules).path), rng))
        objects = [tokens for tokens, value in found if isinstance(value, dict)]
        if objects:
            return rng.choice(objects)
    return wander(rng, desk.document)


def wander(rng: random.Random, document: dict[str, Any]) -> Tokens:
    """Return where some object of a document is; the deeper, the less likely."""
    best: Tokens = ()
    tokens: Tokens = ()
    value: Any = document
    while rng.random() < DEEPER:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        inner = [key for key in keys if isinstance(value[key], dict | list)]
        if not inner:
            break
        key = rng.choice(inner)
        tokens, value = (*tokens, str(key)), value[key]
        if isinstance(value, dict):
            best = tokens
    return best


def _fits(document: dict[str, Any], patch: list[Operation]) -> bool:
    try:
        return isinstance(apply(document, patch), dict)
    except DocumentError:
        return False
