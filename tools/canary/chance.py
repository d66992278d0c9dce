"""Random documents, and rules that speak of the same few names."""

from __future__ import annotations

import random
from typing import Any

from questlog.campaign.visibility import Rule, Rules

NAMES = ("a", "b", "c", "mira", "tom")
PLAYERS = ("mira", "tom", "a", "0")
SEGMENTS = ("a", "b", "c", "mira", "tom", "*", "*", "{player}", "0", "1")
AUDIENCES = ("dm", "players", "spectators", "all", "player:mira", "player:a")


def any_rules(rng: random.Random) -> Rules:
    """Return random rules."""
    return Rules(
        default=rng.choice(("visible", "hidden")),
        rules=tuple(_any_rule(rng) for _ in range(rng.randrange(6))),
    )


def _any_rule(rng: random.Random) -> Rule:
    segments = [rng.choice(SEGMENTS) for _ in range(rng.randrange(4))]
    while segments.count("{player}") > 1:
        segments[segments.index("{player}")] = "*"
    audiences = [*AUDIENCES, *(["{player}"] * 4 if "{player}" in segments else [])]
    when = rng.choice((None, None, {"hidden": True}, {"hidden": False, "a": 1}, {}))
    to = tuple(rng.sample(audiences, rng.randrange(3)))
    return Rule(path="".join("/" + segment for segment in segments), to=to, when=when)


def any_document(rng: random.Random) -> dict[str, Any]:
    """Return a random document over the names the rules speak of; every text in it is unique."""
    return {key: any_value(rng, 3) for key in rng.sample(NAMES, 3)}


def any_value(rng: random.Random, depth: int) -> Any:
    """Return a random value over the same names, at most `depth` containers deep."""
    choice = rng.random()
    if depth == 0 or choice < 0.2:
        return f"text-{rng.getrandbits(64):016x}"
    if choice < 0.4:
        return [any_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    names = rng.sample(NAMES, rng.randrange(4))
    members = {key: any_value(rng, depth - 1) for key in names}
    if rng.random() < 0.4:
        members["hidden"] = rng.choice((True, False, 1))
    return members


def changed(rng: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that has some of its members anew and shares the rest."""
    new = dict(document)
    for key in rng.sample(NAMES, 2):
        if rng.random() < 0.3:
            new.pop(key, None)
        else:
            new[key] = any_value(rng, 3)
    return new
