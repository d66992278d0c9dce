"""The conformance cases of the json-patch organisation, and our own for what they leave out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from questlog.document import Limits, PatchFailed, apply, apply_within, encode, equal

SUITE = Path(__file__).resolve().parents[3] / "shared" / "data" / "json-patch-tests"


def official_cases() -> list[Any]:
    cases = []
    for name in ("tests.json", "spec_tests.json"):
        path = SUITE / name
        if path.exists():
            for number, case in enumerate(json.loads(path.read_text("utf-8"))):
                if "patch" in case and not case.get("disabled"):
                    cases.append(pytest.param(case, id=f"{path.stem}-{number}"))
    absent = pytest.mark.skip(reason="../shared/data/json-patch-tests is absent")
    return cases or [pytest.param({}, id="absent", marks=absent)]


@pytest.mark.parametrize("case", official_cases())
def test_the_official_suite_holds_with_and_without_limits(case: dict[str, Any]) -> None:
    document, patch = case["doc"], case["patch"]
    before = encode(document)
    if "error" in case:
        for run in (apply, within):
            with pytest.raises(PatchFailed):
                run(document, patch)
    else:
        expected = case.get("expected", document)
        assert equal(apply(document, patch), expected)
        assert equal(within(document, patch), expected)
    assert encode(document) == before


def within(document: Any, patch: list[dict[str, Any]]) -> Any:
    sized = apply_within(document, patch, size=len(encode(document)), limits=Limits())
    assert sized.size == len(encode(sized.value))
    return sized.value


DOCUMENT = {"a": {"b": [1, 2, {"c": 3}]}, "x": "text", "": 0, "m/n": 1, "o~p": 2, "no": None}


def op(name: str, path: Any, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **more}


RIGHT: list[tuple[dict[str, Any], str, Any]] = [
    (op("add", "/new", value=1), "/new", 1),
    (op("add", "/x", value=[1]), "/x", [1]),
    (op("add", "/a/b/-", value=4), "/a/b", [1, 2, {"c": 3}, 4]),
    (op("add", "/a/b/3", value=4), "/a/b", [1, 2, {"c": 3}, 4]),
    (op("add", "/a/b/0", value=4), "/a/b", [4, 1, 2, {"c": 3}]),
    (op("add", "", value=[7]), "", [7]),
    (op("add", "/-", value=1), "/-", 1),
    (op("add", "/no", value=None), "/no", None),
    (op("remove", "/a/b/1"), "/a/b", [1, {"c": 3}]),
    (op("remove", "/a"), "/x", "text"),
    (op("remove", "/"), "/x", "text"),
    (op("replace", "/m~1n", value=True), "/m~1n", True),
    (op("replace", "/o~0p", value={}), "/o~0p", {}),
    (op("replace", "/a/b/2/c", value=[]), "/a/b/2", {"c": []}),
    (op("replace", "", value="all"), "", "all"),
    (op("replace", "/no", value=0), "/no", 0),
    (op("move", "/x", **{"from": "/a/b/2"}), "/x", {"c": 3}),
    (op("move", "/a/b/2", **{"from": "/a/b/0"}), "/a/b", [2, {"c": 3}, 1]),
    (op("move", "/x", **{"from": "/x"}), "/x", "text"),
    (op("move", "", **{"from": "/a"}), "", {"b": [1, 2, {"c": 3}]}),
    (op("move", "/ab", **{"from": "/a"}), "/ab", {"b": [1, 2, {"c": 3}]}),
    (op("copy", "/a/b/0", **{"from": "/a/b/2"}), "/a/b", [{"c": 3}, 1, 2, {"c": 3}]),
    (op("copy", "/all", **{"from": ""}), "/all", DOCUMENT),
    (op("test", "/a", value={"b": [1.0, 2, {"c": 3}]}), "/x", "text"),
    (op("test", "", value=DOCUMENT), "/x", "text"),
    (op("test", "/x", value="text", comment="unknown members are ignored"), "/x", "text"),
]


@pytest.mark.parametrize(("operation", "place", "expected"), RIGHT)
def test_each_operation_does_what_it_says(
    operation: dict[str, Any], place: str, expected: Any
) -> None:
    before = encode(DOCUMENT)
    check = op("test", place, value=expected)
    result = apply(DOCUMENT, [operation])
    assert apply(result, [check]) is result
    assert equal(within(DOCUMENT, [operation]), result)
    assert encode(DOCUMENT) == before


WRONG: list[tuple[Any, str]] = [
    (op("add", "/q/r", value=1), "no member 'q'"),
    (op("add", "/x/r", value=1), "holds nothing"),
    (op("add", "/x/r/s", value=1), "holds nothing"),
    (op("add", "/a/b/4", value=1), "no element 4"),
    (op("add", "/a/b/01", value=1), "no index"),
    (op("add", "/a/b/-1", value=1), "no index"),
    (op("add", "/a/b/1e0", value=1), "no index"),
    (op("add", "/a/b/", value=1), "no index"),
    (op("add", "/a/b/\u0661", value=1), "no index"),
    (op("add", "/a/b/²", value=1), "no index"),
    (op("add", "/a/b/" + "9" * 5000, value=1), "no element"),
    (op("add", "/a/b/-/0", value=1), "no index"),
    (op("add", "x", value=1), "slash"),
    (op("add", "/~2", value=1), "tilde"),
    (op("add", "/~", value=1), "tilde"),
    (op("add", "/y"), "no value"),
    (op("add", None, value=1), "no path"),
    (op("add", 5, value=1), "no path"),
    (op("add", [], value=1), "no path"),
    (op("add", ["/", "x"], value=1), "no path"),
    ({"op": "add", "value": 1}, "no path"),
    (op("remove", ""), "whole document"),
    (op("remove", "/y"), "no member 'y'"),
    (op("remove", "/a/b/3"), "no element 3"),
    (op("remove", "/a/b/-"), "no index"),
    (op("replace", "/y", value=1), "no member 'y'"),
    (op("replace", "/a/b/-", value=1), "no index"),
    (op("replace", "/a/b/3", value=1), "no element 3"),
    (op("replace", "/x"), "no value"),
    (op("replace", ""), "no value"),
    (op("move", "/a/b/0", **{"from": "/a"}), "into itself"),
    (op("move", "/a", **{"from": ""}), "into itself"),
    (op("move", "/z", **{"from": "/y"}), "no member 'y'"),
    (op("move", "/y", **{"from": "/y"}), "no member 'y'"),
    (op("move", "/z"), "no from"),
    (op("move", "/z", **{"from": 1}), "no from"),
    (op("copy", "/z", **{"from": "/x/0"}), "holds nothing"),
    (op("copy", "/z", **{"from": "/a/b/3"}), "no element 3"),
    (op("copy", "/z"), "no from"),
    (op("test", "/x", value="Text"), "tested"),
    (op("test", "/a/b/0", value=True), "tested"),
    (op("test", "/no", value=False), "tested"),
    (op("test", "/y", value=None), "no member 'y'"),
    (op("test", "/no"), "no value"),
    (op("spam", "/x", value=1), "no such operation"),
    (op("Add", "/x", value=1), "no such operation"),
    ({"path": "/x", "value": 1}, "no op"),
    ({"op": 1, "path": "/x"}, "no such operation"),
    ({"op": None}, "no op"),
    ("remove", "is an object"),
    (None, "is an object"),
    ([], "is an object"),
]


@pytest.mark.parametrize(("operation", "reason"), WRONG)
def test_a_wrong_operation_is_named_and_changes_nothing(operation: Any, reason: str) -> None:
    before = encode(DOCUMENT)
    patch = [op("replace", "/a/b/0", value=9), op("remove", "/m~1n"), operation]
    for run in (apply, within):
        with pytest.raises(PatchFailed, match=reason) as caught:
            run(DOCUMENT, patch)
        assert caught.value.index == 2
        assert caught.value.code == "patch_failed"
        assert str(caught.value).startswith("operation 2")
        named = operation if isinstance(operation, dict) else {}
        assert caught.value.op == (named.get("op") if type(named.get("op")) is str else None)
        assert caught.value.path == (named.get("path") if type(named.get("path")) is str else None)
    assert encode(DOCUMENT) == before


@pytest.mark.parametrize("patch", [None, {}, "[]", 1, {"op": "remove", "path": "/x"}])
def test_a_patch_that_is_no_list_is_refused(patch: Any) -> None:
    for run in (apply, within):
        with pytest.raises(PatchFailed, match="list of operations") as caught:
            run(DOCUMENT, patch)
        assert caught.value.index is None


def test_a_fault_of_ours_is_not_passed_off_as_the_callers() -> None:
    class Broken(dict[str, Any]):
        def __eq__(self, other: object) -> bool:
            raise TypeError("broken")

    with pytest.raises(TypeError, match="broken"):
        apply({"a": Broken()}, [op("test", "/a", value={})])
