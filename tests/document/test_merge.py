"""JSON Merge Patch, as RFC 7396 has it."""

from __future__ import annotations

from typing import Any

import pytest

from questlog.document import encode, equal, merge

# The table of RFC 7396, appendix A, and members that its algorithm leaves to be inferred.
TABLE: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"a": 1}, {"a": {"b": None, "c": {"d": None}}}, {"a": {"c": {}}}),
    ({"a": 1}, {"a": True}, {"a": True}),
    ({"a": [0]}, {"a": [False]}, {"a": [False]}),
    ({}, {"a": [None, {"b": None}]}, {"a": [None, {"b": None}]}),
]


@pytest.mark.parametrize(("target", "patch", "expected"), TABLE)
def test_the_cases_of_the_rfc_hold_and_mutate_nothing(
    target: Any, patch: Any, expected: Any
) -> None:
    before = encode(target), encode(patch)
    assert equal(merge(target, patch), expected)
    assert (encode(target), encode(patch)) == before


def test_what_is_not_touched_is_shared() -> None:
    target: dict[str, Any] = {"a": {"x": {}, "y": []}, "b": {}}
    merged = merge(target, {"a": {"z": 1}})
    assert merged["b"] is target["b"]
    assert merged["a"]["x"] is target["a"]["x"]
    assert "z" not in target["a"]


@pytest.mark.parametrize(
    "patch",
    [{}, {"gone": None}, {"a": {"n": 1.0}}, {"a": {"no": None}}, {"l": [1, {"b": True}]}],
)
def test_a_patch_that_changes_nothing_gives_back_the_same_object(patch: Any) -> None:
    target = {"a": {"n": 1, "t": "text"}, "l": [1, {"b": True}]}
    assert merge(target, patch) is target
