"""Random documents with everything in them that is easily got wrong, and random changes to them."""

from __future__ import annotations

import random
from typing import Any

KEYS = (
    *("", "/", "~", "~0", "~1", "~01", "a/b", "-", "0", "01", " ", '"', "\\", "\n"),
    *("a", "b", "hp", "id", "_id", "name", "é", "龍", "😀", "\u2028", "__proto__", "constructor"),
)
SCALARS = (
    *(0, 1, -1, 2, 1.0, 0.0, -0.0, 1.5, 1e300, 2**53 + 1, 2**63, 2**64, 2**70, -(2**70)),
    *(True, False, None, "", "a", "b", "0", "é", "😀", "\u0000", "true"),
)


def value(rng: random.Random, depth: int) -> Any:
    """Return a random JSON value, at most `depth` containers deep."""
    choice = rng.random()
    if depth == 0 or choice < 0.45:
        return rng.choice(SCALARS)
    if choice < 0.72:
        return {rng.choice(KEYS): value(rng, depth - 1) for _ in range(rng.randrange(5))}
    return [value(rng, depth - 1) for _ in range(rng.randrange(7))]


def changed(rng: random.Random, old: Any) -> Any:
    """Return a value that differs from `old` here and there, or not at all, sharing the rest."""
    if rng.random() < 0.1:
        return value(rng, 2)
    if isinstance(old, dict):
        members = [(key, _maybe_changed(rng, child)) for key, child in old.items()]
        kept = {key: child for key, child in members if rng.random() > 0.1}
        if rng.random() < 0.3:
            kept[rng.choice(KEYS)] = value(rng, 2)
        return dict(reversed(kept.items())) if rng.random() < 0.3 else kept
    if isinstance(old, list):
        elements = [_maybe_changed(rng, child) for child in old if rng.random() > 0.1]
        if rng.random() < 0.3:
            elements.insert(rng.randint(0, len(elements)), value(rng, 2))
        if rng.random() < 0.3:
            rng.shuffle(elements)
        return elements
    if type(old) in (bool, int) and old in (0, 1):
        return rng.choice((bool(old), int(old), float(old)))
    return old


def _maybe_changed(rng: random.Random, old: Any) -> Any:
    return changed(rng, old) if rng.random() < 0.4 else old
