"""Planting canaries: in every text, and as members of what rules speak of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from questlog.campaign.visibility import Rule, Rules
from questlog.document import apply, join, parse
from tools.canary.canaries import Aviary, Kind

Tokens = tuple[str, ...]
Operation = dict[str, Any]

# How many members of a container a `*` is followed into, and how many places of a rule get a
# member of their own. Every text has its canary anyway; these are for the names.
BREADTH = 6
PLACES = 12


class Planter:
    """Plants the canaries of one campaign.

    Args:
        players: ids that stand in for `{player}` where nothing is there to be captured.
        spared: members and their texts that are left as they are, because rules ask for them.
    """

    def __init__(
        self,
        aviary: Aviary,
        campaign_id: str,
        rng: random.Random,
        players: tuple[str, ...],
        spared: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.campaign_id = campaign_id
        self.players = players
        self._aviary = aviary
        self._rng = rng
        self._spared = spared

    def hatch(self, kind: Kind, place: str) -> str:
        """Return a new canary of this campaign."""
        return self._aviary.hatch(kind, place, self.campaign_id)

    def name(self, tokens: Tokens) -> str:
        """Return a name for a new member of the object at `tokens`."""
        return self.hatch("member name", join(tokens) + "/…")

    def text(self, tokens: Tokens) -> str:
        """Return a text to stand at `tokens`."""
        return self.hatch("value", join(tokens))

    def value(self, value: Any, tokens: Tokens) -> Any:
        """Return `value`, about to stand at `tokens`, with a canary behind each text in it."""
        if isinstance(value, str):
            member = tokens[-1] if tokens else ""
            return value if (member, value) in self._spared else f"{value} {self.text(tokens)}"
        if isinstance(value, dict):
            return {key: self.value(member, (*tokens, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [self.value(each, (*tokens, str(i))) for i, each in enumerate(value)]
        return value

    def operations(self, patch: list[Operation]) -> list[Operation]:
        """Return a patch with canaries in what it brings."""
        return [
            {**operation, "value": self.value(operation["value"], parse(operation["path"]))}
            if operation["op"] in ("add", "replace")
            else operation
            for operation in patch
        ]

    def thing(self, tokens: Tokens, when: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return an object to stand at `tokens`, with something of everything in it.

        Args:
            when: members it has besides, so that a rule applies to it.
        """
        name = self.name(tokens)
        return {
            "hidden": self._rng.random() < 0.5,
            "name": self.text((*tokens, "name")),
            name: self.text((*tokens, name)),
            "list": [
                {"hidden": hidden, "name": self.text((*tokens, "list", str(i), "name"))}
                for i, hidden in enumerate((True, False, self._rng.random() < 0.5))
            ],
            **(when or {}),
        }

    def grafts(self, document: dict[str, Any], rules: Rules) -> list[Operation]:
        """Return a patch that puts something where each rule points to, be anything there or not.

        An object that is there gets a member whose name is a canary.
        """
        patch: list[Operation] = []
        for rule in rules.rules:
            for step in self._grafts(document, rule):
                document = apply(document, [step])
                patch.append(step)
        return patch

    def _grafts(self, document: Any, rule: Rule) -> Iterator[Operation]:
        found = list(places(document, parse(rule.path), self._rng))
        for tokens, value in self._rng.sample(found, min(len(found), PLACES)):
            if isinstance(value, dict) and not any(key.startswith("canary-") for key in value):
                name = self.name(tokens)
                yield _add((*tokens, name), self.thing((*tokens, name)))
        for player in self.players if "{player}" in rule.path else self.players[:1]:
            step = self._missing(document, rule, player)
            if step is not None:
                document = apply(document, [step])
                yield step

    def _missing(self, document: Any, rule: Rule, player: str) -> Operation | None:
        """Return what puts something at the rule's place for a player, where nothing is."""
        node, way = document, parse(rule.path)
        tokens: Tokens = ()
        while way and isinstance(node, dict):
            segment, way = way[0], way[1:]
            if segment == "*":
                segment = next(iter(node), None) or self.name(tokens)
            elif segment == "{player}":
                segment = player
            tokens = (*tokens, segment)
            if segment not in node:
                return _add(tokens, self._nested(tokens, way, player, rule.when))
            node = node[segment]
        return None

    def _nested(
        self, tokens: Tokens, way: Tokens, player: str, when: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Return a thing in as many objects as there are segments left on the way to it."""
        if not way:
            return self.thing(tokens, when)
        segment = {"*": "", "{player}": player}.get(way[0], way[0]) or self.name(tokens)
        return {segment: self._nested((*tokens, segment), way[1:], player, when)}


def places(value: Any, pattern: Tokens, rng: random.Random) -> Iterator[tuple[Tokens, Any]]:
    """Yield places a rule's path matches, with what stands there: some of those behind a `*`."""
    if not pattern:
        yield (), value
        return
    segment, rest = pattern[0], pattern[1:]
    members: dict[str, Any] = {}
    if isinstance(value, dict):
        members = value
    elif isinstance(value, list):
        members = {str(index): each for index, each in enumerate(value)}
    if segment in ("*", "{player}"):
        chosen = rng.sample(list(members), min(len(members), BREADTH))
    else:
        chosen = [segment] if segment in members else []
    for key in chosen:
        for tokens, found in places(members[key], rest, rng):
            yield (key, *tokens), found


def spared_by(rules: Rules) -> frozenset[tuple[str, str]]:
    """Return the members and texts that rules ask for: planted, they would never be found."""
    return frozenset(
        (name, value)
        for rule in rules.rules
        for name, value in (rule.when or {}).items()
        if isinstance(value, str)
    )


def _add(tokens: Tokens, value: Any) -> Operation:
    return {"op": "add", "path": join(tokens), "value": value}
