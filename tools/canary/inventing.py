"""Rules invented for a document: they speak of what is in it."""

from __future__ import annotations

import random
from typing import Any

from questlog.campaign.visibility import CAPTURE, Rule, Rules
from questlog.document import get, join
from tools.canary.oracle import where_none_are_given
from tools.canary.planting import Planter, Tokens
from tools.canary.strokes import wander

FEWEST, MOST = 2, 7
TRIES = 8


def rules_for(rng: random.Random, document: dict[str, Any], planter: Planter) -> Rules:
    """Return rules for a document: some that hide, some that show, some that ask for members."""
    default = where_none_are_given().rules
    rules = [rule for rule in default if rng.random() < 0.8]
    rules += [_rule(rng, document, planter) for _ in range(rng.randint(FEWEST, MOST))]
    rules += [_guard(rng, document, planter) for _ in range(2)]
    # Rules are told to no player: neither whom they name nor what they ask for.
    somebody = f"player:{planter.hatch('rule', 'to')}"
    rules.append(Rule(rng.choice(rules).path, (somebody,), {"x": planter.hatch("rule", "when")}))
    rng.shuffle(rules)
    if rng.random() < 0.7:
        return Rules(default="visible", rules=tuple(rules))
    shown = [Rule(join((rng.choice(list(document) or ["a"]),)), ("all",)) for _ in range(3)]
    return Rules(default="hidden", rules=(*rules, *shown))


def _guard(rng: random.Random, document: dict[str, Any], planter: Planter) -> Rule:
    """Return a rule that hides an object for what is in it, and others that are like it there."""
    tokens: Tokens = ()
    for _ in range(TRIES):
        tokens = _place(rng, document)
        flags = _flags(get(document, tokens))
        if flags:
            name = rng.choice(list(flags))
            to = ("dm", f"player:{rng.choice(planter.players)}") if rng.random() < 0.3 else ("dm",)
            return Rule(join(_pattern(rng, tokens, planter.players)), to, {name: flags[name]})
    return Rule(join(tokens), ("dm",), {"hidden": True})


def _place(rng: random.Random, document: dict[str, Any]) -> Tokens:
    """Return where an object is: seldom the whole document, which a rule would hide as a whole."""
    for _ in range(TRIES):
        tokens = wander(rng, document)
        if tokens:
            return tokens
    return ()


def _rule(rng: random.Random, document: dict[str, Any], planter: Planter) -> Rule:
    tokens = _place(rng, document) if rng.random() < 0.9 else ()
    value: Any = get(document, tokens)
    if value and rng.random() < 0.4:
        # What is not an object may be hidden too.
        tokens = (*tokens, rng.choice(list(value)))
        value = get(document, tokens)
    pattern = _pattern(rng, tokens, planter.players)
    to = _audience(rng, planter, CAPTURE in pattern)
    return Rule(join(pattern), to, _when(rng, value))


def _pattern(rng: random.Random, tokens: Tokens, players: tuple[str, ...]) -> Tokens:
    """Return a path that leads here and to places like this one; it captures once at most."""
    segments = [
        "*" if token == CAPTURE or rng.random() < (0.7 if token.isdigit() else 0.25) else token
        for token in tokens
    ]
    found = [i for i, token in enumerate(tokens) if token in players]
    if found and rng.random() < 0.6:
        segments[found[0]] = CAPTURE
    elif segments and rng.random() < 0.1:
        segments[rng.randrange(len(segments))] = CAPTURE
    return tuple(segments)


def _when(rng: random.Random, value: Any) -> dict[str, Any] | None:
    """Return members that the object here has, so that the rule applies at least to it."""
    if rng.random() < 0.6:
        return None
    flags = _flags(value)
    if not flags or rng.random() < 0.3:
        return {"hidden": rng.random() < 0.7}
    return {name: flags[name] for name in rng.sample(list(flags), min(len(flags), 2))}


def _flags(value: Any) -> dict[str, Any]:
    """Return the members of an object that a rule may ask for; none of what is no object."""
    members = value if type(value) is dict else {}
    return {k: v for k, v in members.items() if v is None or isinstance(v, bool | int | str)}


def _audience(rng: random.Random, planter: Planter, captures: bool) -> tuple[str, ...]:
    names = ["players", "spectators", "all", *(f"player:{name}" for name in planter.players)]
    if captures and rng.random() < 0.7:
        return ("dm", CAPTURE)
    return ("dm", *rng.sample(names, rng.choice((0, 0, 1, 1, 2))))
