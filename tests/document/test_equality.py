"""JSON equality, where it differs from Python's and where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from questlog.document import equal
from questlog.document.equality import equal_apart

NESTINGS: list[Any] = [
    lambda x: x,
    lambda x: [x],
    lambda x: {"a": x},
    lambda x: {"a": [0, {"b": x}], "c": []},
    lambda x: [2**70, x],
]
EQUAL: list[tuple[Any, Any]] = [
    *((1, 1.0), (0, -0.0), (0.0, -0.0), (2**70, 2**70), (True, True), (None, None), ("é", "é")),
    *(([], []), ({}, {}), ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}), (2**53, float(2**53))),
    ({"a": [True, {"x": 1, "y": False}]}, {"a": [True, {"y": False, "x": 1.0}]}),
]
UNEQUAL: list[tuple[Any, Any]] = [
    *((True, 1), (False, 0), (True, 1.0), (False, -0.0), (None, False), (None, 0), ("1", 1)),
    *(([], {}), ([1], [1, 1]), ([], [[]]), ({"a": 1}, {"b": 1}), ({}, {"a": None})),
    *((2**53 + 1, float(2**53)), (2**70, 2**70 + 1), ("é", "e\u0301"), ([1, True], [True, 1])),
    ({"a": 1, "b": True}, {"b": 1, "a": 1.0}),
    ({"x": 1, "y": [False]}, {"y": [0], "x": 1}),
]


@pytest.mark.parametrize("same", [equal, equal_apart])
@pytest.mark.parametrize("nest", NESTINGS)
@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal_values_are_equal_at_any_depth(same: Any, nest: Any, a: Any, b: Any) -> None:
    assert same(nest(a), nest(b))
    assert same(nest(b), nest(a))


@pytest.mark.parametrize("same", [equal, equal_apart])
@pytest.mark.parametrize("nest", NESTINGS)
@pytest.mark.parametrize(("a", "b"), UNEQUAL)
def test_unequal_values_are_not_whatever_python_says(same: Any, nest: Any, a: Any, b: Any) -> None:
    assert not same(nest(a), nest(b))
    assert not same(nest(b), nest(a))


@pytest.mark.parametrize("same", [equal, equal_apart])
def test_depth_costs_no_stack(same: Any) -> None:
    def deep(inside: Any) -> Any:
        for _ in range(100):
            inside = {"k": 1, "n": [inside]}
        return inside

    assert same(deep(1), deep(1.0))
    assert same(deep(2**80), deep(2**80))
    assert not same(deep(2**80), deep(2**80 + 1))
    assert not same(deep([1, 1.0]), deep([True, 1]))


def test_lone_surrogates_of_python_callers_can_be_compared() -> None:
    assert equal(["\ud800", 1], ["\ud800", 1])
    assert not equal(["\ud800", 1], ["\ud800", True])
