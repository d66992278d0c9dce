"""Visibility said once more, plainly and slowly, to hold the compiled rules against."""

from __future__ import annotations

import random
from typing import Any, Final

from questlog.campaign.visibility import Rule, Rules, Viewer
from questlog.document import equal, parse

HIDDEN: Final = object()
PLAYERS = ("mira", "tom", "a", "0")
VIEWERS = (
    Viewer("dm"),
    Viewer("spectator"),
    Viewer("player"),
    *(Viewer("player", name) for name in PLAYERS),
)
SEGMENTS = ("a", "b", "c", "mira", "tom", "*", "*", "{player}", "0", "1")
AUDIENCES = ("dm", "players", "spectators", "all", "player:mira", "player:a")


def matches(rule: Rule, tokens: tuple[str, ...]) -> tuple[bool, str | None]:
    """Return whether the rule's path is this place, and which segment it captured."""
    pattern = parse(rule.path)
    if len(pattern) != len(tokens):
        return False, None
    captured = None
    for wanted, token in zip(pattern, tokens, strict=True):
        if wanted == "{player}":
            captured = token
        elif wanted not in ("*", token):
            return False, None
    return True, captured


def allows(rule: Rule, viewer: Viewer, captured: str | None) -> bool:
    """Return whether the rule lists this viewer."""
    named = {"all"}
    if viewer.role == "spectator":
        named.add("spectators")
    else:
        named.add("players")
        if viewer.player_id is not None:
            named.add(f"player:{viewer.player_id}")
            if captured == viewer.player_id:
                named.add("{player}")
    return not named.isdisjoint(rule.to)


def may_see(trail: list[Any], tokens: tuple[str, ...], rules: Rules, viewer: Viewer) -> bool:
    """Return whether `viewer` sees what stands at `tokens`; `trail` is what stands on the way."""
    verdict = rules.default == "visible"
    for length in range(len(tokens) + 1):
        value = trail[length]
        votes = []
        for rule in rules.rules:
            fits, captured = matches(rule, tokens[:length])
            if not fits:
                continue
            if rule.when is not None and not (
                isinstance(value, dict)
                and all(k in value and equal(value[k], v) for k, v in rule.when.items())
            ):
                continue
            allowed = allows(rule, viewer, captured)
            if rule.when is not None and not allowed:
                return False
            votes.append(allowed)
        if votes:
            verdict = all(votes)
    return verdict


def seen(
    value: Any,
    rules: Rules,
    viewer: Viewer,
    trail: tuple[Any, ...] = (),
    tokens: tuple[str, ...] = (),
) -> Any:
    """Return what `viewer` sees of `value`, or HIDDEN."""
    here = (*trail, value)
    visible = may_see(list(here), tokens, rules, viewer)
    if isinstance(value, dict):
        members = {k: seen(v, rules, viewer, here, (*tokens, k)) for k, v in value.items()}
        shown: Any = {k: v for k, v in members.items() if v is not HIDDEN}
    elif isinstance(value, list):
        elements = [seen(v, rules, viewer, here, (*tokens, str(i))) for i, v in enumerate(value)]
        shown = [v for v in elements if v is not HIDDEN]
    else:
        return value if visible else HIDDEN
    return shown if visible or shown else HIDDEN


def view(document: dict[str, Any], rules: Rules, viewer: Viewer) -> Any:
    """Return the document as `viewer` may see it."""
    if viewer.role == "dm":
        return document
    shown = seen(document, rules, viewer)
    return {} if shown is HIDDEN else shown


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
    return {key: _any_value(rng, 3) for key in rng.sample(("a", "b", "c", "mira", "tom"), 3)}


def _any_value(rng: random.Random, depth: int) -> Any:
    choice = rng.random()
    if depth == 0 or choice < 0.2:
        return f"text-{rng.getrandbits(64):016x}"
    if choice < 0.4:
        return [_any_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    names = rng.sample(("a", "b", "c", "mira", "tom"), rng.randrange(4))
    members = {key: _any_value(rng, depth - 1) for key in names}
    if rng.random() < 0.4:
        members["hidden"] = rng.choice((True, False, 1))
    return members


def changed(rng: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that has some of its members anew and shares the rest."""
    new = dict(document)
    for key in rng.sample(("a", "b", "c", "mira", "tom"), 2):
        if rng.random() < 0.3:
            new.pop(key, None)
        else:
            new[key] = _any_value(rng, 3)
    return new


def texts(value: Any) -> set[str]:
    """Return every text in `value` that is not a key."""
    if isinstance(value, dict):
        return set().union(*map(texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts, value))
    return {value} if isinstance(value, str) else set()
