"""Rewinding: the patch that makes a document, or a part of it, what it was."""

from __future__ import annotations

import random
import secrets
from typing import Any

import pytest

from questlog.campaign.errors import Invalid
from questlog.campaign.rewinding import rewinding
from questlog.document import apply, equal, get
from tests.document import documents

THEN: dict[str, Any] = {
    "characters": {"mira": {"hp": 9, "bag": ["rope"]}, "tobin": {"hp": 7}},
    "initiative": ["mira", "tobin", "goblin"],
    "scene": None,
}
NOW: dict[str, Any] = {
    "characters": {"mira": {"hp": 2, "bag": []}, "orla": {"hp": 5}},
    "initiative": ["goblin"],
    "scene": "fire",
    "round": 3,
}


def rewound(only: str | None) -> dict[str, Any]:
    """Return NOW with what THEN had at `only`."""
    document: dict[str, Any] = apply(NOW, rewinding(NOW, THEN, only))
    return document


@pytest.mark.parametrize("only", [None, ""])
def test_the_whole_document_is_what_it_was(only: str | None) -> None:
    assert rewound(only) == THEN


@pytest.mark.parametrize(
    ("only", "was"),
    [
        ("/characters/mira", {"hp": 9, "bag": ["rope"]}),
        ("/characters/mira/hp", 9),
        ("/characters/tobin", {"hp": 7}),
        ("/initiative", ["mira", "tobin", "goblin"]),
        ("/initiative/0", "mira"),
        ("/initiative/1", "tobin"),
        ("/scene", None),
    ],
)
def test_a_part_is_what_it_was_and_the_rest_stays(only: str, was: Any) -> None:
    after = rewound(only)
    assert get(after, only) == was
    undone = apply(after, rewinding(after, NOW, only))
    assert equal(undone, NOW), "rewinding a rewind brings back what was undone"


@pytest.mark.parametrize("only", ["/characters/orla", "/round"])
def test_what_was_not_there_is_taken_away(only: str) -> None:
    after = rewound(only)
    assert rewinding(NOW, THEN, only) == [{"op": "remove", "path": only}]
    assert after.keys() | {"round"} == NOW.keys()


def test_what_is_the_same_already_needs_no_operation() -> None:
    same = {**NOW, "scene": {"a": [1, 2]}}
    assert rewinding(same, {**same}, "/scene") == []
    assert rewinding(same, {**same, "round": 1}, "/scene") == []


@pytest.mark.parametrize(
    ("only", "why"),
    [
        ("/nowhere", "neither now nor"),
        ("/initiative/-", "neither now nor"),
        ("/scene/deeper", "neither now nor"),
        ("/initiative/2", "not there now"),
        ("/characters/tobin/hp", "not there now"),
        ("characters", "JSON Pointer"),
        ("/a~2", "JSON Pointer"),
    ],
)
def test_what_cannot_be_rewound_says_why(only: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        rewinding(NOW, THEN, only)


def test_a_member_called_dash_is_not_put_at_the_end_of_a_list() -> None:
    with pytest.raises(Invalid, match="not there now"):
        rewinding({"a": [1]}, {"a": {"-": 2}}, "/a/-")
    assert rewinding({"a": {"-": 1}}, {"a": {"-": 2}}, "/a/-")


def places(value: Any, path: str = "") -> list[str]:
    """Return the pointer of every value in a document."""
    found = [path]
    if isinstance(value, dict):
        for key, child in value.items():
            found += places(child, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            found += places(child, f"{path}/{index}")
    return found


def test_at_random_any_part_is_what_it_was_or_is_refused() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    refused = 0
    for _ in range(2_000):
        then = {"all": documents.value(rng, 4)}
        now = {"all": documents.changed(rng, then["all"])}
        assert equal(apply(now, rewinding(now, then, None)), then)
        only = rng.choice(places(then) + places(now))
        try:
            after = apply(now, rewinding(now, then, only))
        except Invalid:
            refused += 1
            continue
        if only in places(then):
            assert equal(get(after, only), get(then, only)), (seed, then, now, only)
        else:
            assert only not in places(after) or "/" in only, (seed, then, now, only)
    assert refused < 1_000
