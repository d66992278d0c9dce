"""Twenty thousand random documents, patches, rules and viewers: each delta leads from view to view.

A failure names the seed and the case. With that seed in QUESTLOG_TEST_SEED the same cases are made
again; each has a generator of its own, so that one of them can be run without the others.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import pytest

from questlog.campaign.visibility import (
    CAPTURE,
    WILDCARD,
    Projector,
    Rule,
    Rules,
    Seen,
    Viewer,
    check_rules,
    default_rules,
    view_key,
    viewer_of,
)
from questlog.document import PatchFailed, apply, decode, diff, encode, equal, parse
from questlog.document.pointer import escape
from questlog.sync.entries import Sights
from tests.campaign import seeing
from tests.document import documents

CASES = 20_000
SHARES = 8
NAMES = ("mira", "tom", "0")
MEMBERS = ("a", "hidden", "known", "name", *NAMES)
FLAGS = (True, False, 1, 0, 1.0, "true", None)
# What JSON tells apart and Python does not, or the reverse, and a near miss of each.
NEAR = ((True, 1, 1.0, "true"), (False, 0, 0.0, -0.0, None, ""))

Delta = Callable[[Any, Any], list[dict[str, Any]]]
Tokens = tuple[str, ...]


class Case(NamedTuple):
    """A document before and after a patch, the rules at each end, who looks, and who else does."""

    old: dict[str, Any]
    new: dict[str, Any]
    patch: list[dict[str, Any]]
    rules: tuple[Rules | None, Rules | None]
    viewer: Viewer
    others: list[Viewer]


def the_seed() -> int:
    """Return the seed asked for, or else a new one."""
    asked = os.environ.get("QUESTLOG_TEST_SEED")
    return int(asked) if asked else random.SystemRandom().getrandbits(48)


# Documents, and where things are in them.


def any_document(rng: random.Random) -> dict[str, Any]:
    """Return a document like a campaign's, one of the rules' own names, or one of odd values."""
    choice = rng.random()
    if choice < 0.15:
        return seeing.any_document(rng)
    if choice < 0.3:
        return {rng.choice(documents.KEYS): documents.value(rng, 3) for _ in range(3)}
    whole = {
        "dm": {"plan": documents.value(rng, 1)},
        "private": {name: any_thing(rng) for name in rng.sample(NAMES, rng.randrange(3))},
        "order": [any_thing(rng) for _ in range(rng.randrange(4))],
        "party": {name: {"notes": any_thing(rng), "hp": rng.choice(FLAGS)} for name in NAMES[:2]},
        "log": [[any_thing(rng)], {WILDCARD: 1, CAPTURE: any_thing(rng)}, documents.value(rng, 2)],
    }
    return {key: whole[key] for key in rng.sample(sorted(whole), rng.randrange(1, 5))}


def any_thing(rng: random.Random) -> Any:
    """Return an object such as a `when` speaks of, or any other value."""
    if rng.random() < 0.3:
        return documents.value(rng, 2)
    names = rng.sample(MEMBERS, rng.randrange(4))
    return {name: rng.choice(FLAGS) if rng.random() < 0.8 else [{}, 1] for name in names}


def any_place(rng: random.Random, document: Any) -> tuple[Tokens, Any]:
    """Return the way to some value of a document, and the value; often deep, at times the root."""
    tokens: list[str] = []
    while isinstance(document, dict | list) and document and rng.random() < 0.75:
        key = rng.choice(list(document) if isinstance(document, dict) else range(len(document)))
        tokens.append(str(key))
        document = document[key]
    return tuple(tokens), document


def pointer(tokens: Tokens) -> str:
    """Return the RFC 6901 pointer of a way."""
    return "".join("/" + escape(token) for token in tokens)


# Rules.


def any_rules(rng: random.Random, document: dict[str, Any]) -> Rules | None:
    """Return rules that reach into `document`, overlap, and at times contradict each other."""
    choice = rng.random()
    if choice < 0.08:
        return None
    if choice < 0.16:
        return seeing.any_rules(rng)
    rules: list[Rule] = []
    for _ in range(rng.randrange(6)):
        tokens, value = any_place(rng, document)
        if not tokens:
            # A rule for the whole leaves little to the others.
            tokens, value = any_place(rng, document)
        if rules and rng.random() < 0.3:
            # As long as one that is there, and often for others.
            tokens = parse(rules[-1].path)
        rules.append(any_rule(rng, tokens, value))
    default: Literal["visible", "hidden"] = "visible" if rng.random() < 0.7 else "hidden"
    return Rules(default=default, rules=tuple(rules))


def any_rule(rng: random.Random, tokens: Tokens, value: Any) -> Rule:
    """Return a rule for a place or for places like it."""
    segments = [WILDCARD if rng.random() < 0.25 else token for token in tokens]
    if segments and rng.random() < 0.3:
        segments[rng.randrange(len(segments))] = CAPTURE
    while segments.count(CAPTURE) > 1:
        segments[segments.index(CAPTURE)] = WILDCARD
    audiences = ["dm", "players", "spectators", "all", *(f"player:{name}" for name in NAMES[:2])]
    if CAPTURE in segments:
        audiences += [CAPTURE] * 4
    to = rng.sample(audiences, rng.randrange(3))
    return Rule(pointer(tuple(segments)), tuple(to), any_when(rng, value))


def any_when(rng: random.Random, value: Any) -> dict[str, Any] | None:
    """Return no condition, or one that `value` meets, nearly meets, or has nothing to do with."""
    if rng.random() < 0.6:
        return None
    if not isinstance(value, dict) or not value or rng.random() < 0.2:
        return rng.choice(({}, {"hidden": True}, {"hidden": 1, "known": True}))
    when = {key: value[key] for key in rng.sample(sorted(value), min(len(value), 2))}
    if rng.random() < 0.5:
        key = rng.choice(sorted(when))
        near = [other for alike in NEAR if when[key] in alike for other in alike]
        when[key] = rng.choice(near) if near else rng.choice(FLAGS)
    return when


# Patches.


def any_patch(
    rng: random.Random, document: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return operations that apply to `document`, and what comes of them."""
    patch: list[dict[str, Any]] = []
    for _ in range(rng.randrange(1, 5)):
        operation = any_operation(rng, document)
        try:
            changed = apply(document, [operation])
        except PatchFailed:
            # It would move a thing into itself, or put a member into what has none.
            continue
        if isinstance(changed, dict):
            document = changed
            patch.append(operation)
    return patch, document


def any_operation(rng: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    """Return an operation that likely applies: things go, come, change, or cross a border."""
    tokens, value = any_place(rng, document)
    where, holder = any_place(rng, document)
    if isinstance(holder, list):
        into = (*where, rng.choice(("-", "0", str(rng.randint(0, len(holder))))))
    else:
        into = (*where, rng.choice((*MEMBERS, "dm", "private", WILDCARD, CAPTURE)))
    choice = rng.random()
    if choice < 0.03:
        return {"op": "replace", "path": "", "value": any_document(rng)}
    if choice < 0.18:
        return {"op": "remove", "path": pointer(tokens)}
    if choice < 0.33:
        return {"op": "move", "from": pointer(tokens), "path": pointer(into)}
    if choice < 0.45:
        return {"op": "copy", "from": pointer(tokens), "path": pointer(into)}
    if choice < 0.7:
        return {"op": "add", "path": pointer(into), "value": any_thing(rng)}
    changed = rng.choice(FLAGS) if not isinstance(value, dict | list) else None
    value = documents.changed(rng, value) if changed is None else changed
    return {"op": "replace", "path": pointer(tokens), "value": value}


# Cases, and what must hold of each.


def any_case(rng: random.Random) -> Case:
    """Return a case; in two of three the rules stay, as they do between nearly all versions."""
    old = any_document(rng)
    patch, new = any_patch(rng, old)
    rules = any_rules(rng, rng.choice((old, new)))
    later = rules if rng.random() < 0.65 else any_rules(rng, new)
    if rng.random() < 0.2:
        # What was read from a log shares nothing with what is in memory.
        new = decode(encode(new))
    names = sorted({*NAMES, "stranger", rng.choice([*filter(None, new), "a"])})
    others = [Viewer("spectator"), Viewer("player"), *(Viewer("player", name) for name in names)]
    return Case(old, new, patch, (rules, later), rng.choice([*others, Viewer("dm")]), others)


def judge(case: Case, make: Callable[[Rules | None], Projector], delta: Delta) -> None:
    """Assert all that must hold of a case."""
    old, new, viewer = case.old, case.new, case.viewer
    first = make(case.rules[0])
    last = first if case.rules[1] is case.rules[0] else make(case.rules[1])
    texts = encode([old, new])
    before, after = first.project(old, viewer), last.project(new, viewer)
    assert equal(apply(before, delta(before, after)), after), "the delta leads elsewhere"
    for rules, document, shown in zip(case.rules, (old, new), (before, after), strict=True):
        plain = seeing.view(document, default_rules() if rules is None else rules, viewer)
        assert equal(shown, plain), "the rules say otherwise"
    distinct = last.distinct_players(new)
    key = view_key(viewer, distinct)
    assert equal(last.project(new, viewer_of(key)), after), "a view's name stands for another view"
    for other in case.others:
        if view_key(other, distinct) == key:
            assert equal(last.project(new, other), after), "two views have one name"
    sights = Sights()
    for projector, document in ((first, old), (last, new), (last, old)):
        key = view_key(viewer, projector.distinct_players(document))
        seen = sights.view(projector, document, viewer_of(key), key)
        assert equal(seen, projector.project(document, viewer)), "remembered otherwise than it is"
    assert encode([old, new]) == texts, "a document was changed"


def run(
    seed: int,
    numbers: range,
    make: Callable[[Rules | None], Projector] = Projector,
    delta: Delta = diff,
) -> None:
    """Judge these cases of a seed; fails with all it takes to make the case again."""
    for number in numbers:
        case = any_case(random.Random(f"{seed} {number}"))
        try:
            judge(case, make, delta)
        except Exception as error:
            pytest.fail(f"seed {seed}, case {number}: {error!r}\n{case!r}")


@pytest.mark.parametrize("share", range(SHARES))
def test_the_delta_of_two_views_leads_from_one_to_the_other(share: int) -> None:
    size = CASES // SHARES
    run(the_seed(), range(share * size, (share + 1) * size))


def test_the_cases_are_ones_in_which_something_can_go_wrong() -> None:
    seed, total = the_seed(), 1_000
    seen: Counter[str] = Counter()
    for number in range(total):
        case = any_case(random.Random(f"{seed} {number}"))
        for rules in filter(None, case.rules):
            check_rules(rules)
        first, last = map(Projector, case.rules)
        before, after = first.project(case.old, case.viewer), last.project(case.new, case.viewer)
        seen["some is hidden, some is not"] += bool(after) and not equal(after, case.new)
        seen["the view changes"] += not equal(before, after)
        seen["only what is hidden changes"] += equal(before, after) and case.old != case.new
        seen["the rules change"] += case.rules[0] != case.rules[1]
        seen["a view is one player's own"] += case.viewer.player_id in last.distinct_players(
            case.new
        )
        seen.update({operation["op"] for operation in case.patch})
    few = {what: times for what, times in seen.items() if times < total // 25}
    assert not few, f"seed {seed}: {seen}"
    assert len(seen) == 10, f"seed {seed}: {seen}"


# The check itself is shown what it must find.


class Unconditional(Projector):
    """It forgets each `when`."""

    def __init__(self, rules: Rules | None) -> None:
        given = default_rules() if rules is None else rules
        bare = tuple(Rule(rule.path, rule.to) for rule in given.rules)
        super().__init__(Rules(default=given.default, rules=bare))


class Lenient(Projector):
    """Of rules with one path, the one that allows decides."""

    def __init__(self, rules: Rules | None) -> None:
        given = default_rules() if rules is None else rules
        to: dict[str, tuple[str, ...]] = {}
        for rule in given.rules:
            if rule.when is None:
                to[rule.path] = (*to.get(rule.path, ()), *rule.to)
        merged = tuple(
            rule if rule.when is not None else Rule(rule.path, to[rule.path])
            for rule in given.rules
        )
        super().__init__(Rules(default=given.default, rules=merged))


class Sealing(Projector):
    """What any rule hides is not reopened from below, as if each were a `when` rule."""

    def look(self, document: dict[str, Any], viewer: Viewer, last: Seen | None = None) -> Seen:
        """Look by the rules, each with a condition that every object meets where it had none."""
        sealing = tuple(Rule(rule.path, rule.to, rule.when or {}) for rule in self.rules.rules)
        sealed = Projector(Rules(default=self.rules.default, rules=sealing))
        return sealed.look(document, viewer)


class Crowded(Projector):
    """It takes all players for one."""

    def distinct_players(self, document: Any) -> frozenset[str]:
        """Return nobody."""
        return frozenset()


class Stubborn(Projector):
    """It remembers a view for as long as the document has the same members."""

    def look(self, document: dict[str, Any], viewer: Viewer, last: Seen | None = None) -> Seen:
        """Return the last view where there is one that looks alike."""
        if last is not None and list(last.value) == list(document):
            return last
        return super().look(document, viewer, last)


def loosely(old: Any, new: Any) -> list[dict[str, Any]]:
    """Return the diff as Python's equality has it, to which True is 1."""
    return [] if old == new else diff(old, new)


@pytest.mark.parametrize(
    ("make", "delta", "found"),
    [
        (Unconditional, diff, "the rules say otherwise"),
        (Lenient, diff, "the rules say otherwise"),
        (Sealing, diff, "the rules say otherwise"),
        (Crowded, diff, "(another view|one name|remembered otherwise)"),
        (Stubborn, diff, "remembered otherwise"),
        (Projector, loosely, "the delta leads elsewhere"),
    ],
)
def test_the_check_finds_what_is_broken(
    make: Callable[[Rules | None], Projector], delta: Delta, found: str
) -> None:
    with pytest.raises(pytest.fail.Exception, match=found):
        run(the_seed(), range(CASES), make, delta)
