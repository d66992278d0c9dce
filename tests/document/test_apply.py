"""Documents are values: what a patch leaves alone, shares, and never writes into."""

from __future__ import annotations

from typing import Any

import pytest

from questlog.document import PatchFailed, apply, decode, encode
from questlog.document.apply import Editor


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **more}


def copy(source: str, target: str) -> dict[str, Any]:
    return {"op": "copy", "from": source, "path": target}


def move(source: str, target: str) -> dict[str, Any]:
    return {"op": "move", "from": source, "path": target}


def test_only_the_way_to_a_change_is_copied() -> None:
    old: dict[str, Any] = {"a": {"b": {"c": 1}, "d": {}}, "e": [{}, {}]}
    new = apply(old, [op("replace", "/a/b/c", value=2), op("add", "/e/0/x", value=1)])
    assert new["a"] is not old["a"]
    assert new["a"]["d"] is old["a"]["d"]
    assert new["e"][1] is old["e"][1]
    assert old == {"a": {"b": {"c": 1}, "d": {}}, "e": [{}, {}]}


def test_no_operations_give_the_very_same_document() -> None:
    old = {"a": 1}
    assert apply(old, []) is old


def test_a_test_copies_nothing() -> None:
    old = {"a": [1]}
    assert apply(old, [op("test", "/a/0", value=1)]) is old


def test_a_failing_operation_leaves_no_trace_of_those_before_it() -> None:
    old = {"a": [1, 2], "b": {}}
    with pytest.raises(PatchFailed):
        apply(old, [op("add", "/a/-", value=3), op("remove", "/b"), op("remove", "/b")])
    assert old == {"a": [1, 2], "b": {}}


def test_later_operations_never_write_into_a_value_of_the_patch() -> None:
    patch = [
        op("add", "/hero", value={"items": [], "hp": {"current": 9}}),
        op("add", "/hero/items/-", value={"name": "rope"}),
        op("add", "/hero/items/0/length", value=50),
        op("replace", "/hero/hp/current", value=8),
        op("replace", "/party", value=[[]]),
        op("add", "/party/0/-", value=1),
    ]
    before = encode(patch)
    first = apply({"party": 0}, patch)
    assert encode(patch) == before
    assert apply({"party": 0}, patch) == first


def test_a_whole_new_root_is_not_written_into_either() -> None:
    patch = [op("replace", "", value={"a": {}}), op("add", "/a/b", value=1)]
    assert apply({}, patch) == {"a": {"b": 1}}
    assert patch[0]["value"] == {"a": {}}


def test_a_copy_goes_its_own_way_in_both_directions() -> None:
    old = {"a": {"n": {"v": 0}}}
    new = apply(
        old,
        [
            op("replace", "/a/n/v", value=1),
            copy("/a", "/b"),
            op("replace", "/a/n/v", value=2),
            op("replace", "/b/n/v", value=3),
            copy("/b/n", "/c"),
            op("replace", "/b/n/v", value=4),
        ],
    )
    assert new == {"a": {"n": {"v": 2}}, "b": {"n": {"v": 4}}, "c": {"v": 3}}
    assert old == {"a": {"n": {"v": 0}}}


def test_a_document_copied_into_itself_does_not_become_endless() -> None:
    new = apply({"a": 1}, [op("add", "/b", value=2), copy("", "/self"), op("remove", "/self/a")])
    assert decode(encode(new)) == {"a": 1, "b": 2, "self": {"b": 2}}


def test_what_was_moved_may_still_be_written_where_it_is_now() -> None:
    old = {"a": {"n": {"v": 0}}}
    new = apply(
        old, [op("add", "/a/n/w", value=1), move("/a/n", "/m"), op("replace", "/m/v", value=5)]
    )
    assert new == {"a": {}, "m": {"v": 5, "w": 1}}
    assert old == {"a": {"n": {"v": 0}}}


def test_the_same_value_added_twice_changes_in_one_place_only() -> None:
    shared: dict[str, Any] = {"v": 0}
    new = apply(
        {},
        [
            op("add", "/a", value=shared),
            op("add", "/b", value=shared),
            op("replace", "/a/v", value=1),
        ],
    )
    assert new == {"a": {"v": 1}, "b": {"v": 0}}
    assert shared == {"v": 0}


def test_each_container_is_copied_once_for_a_whole_run_of_operations() -> None:
    class Counting(Editor):
        copies = 0

        def own(self, container: Any) -> Any:
            self.copies += 1
            return super().own(container)

    old = {"list": [0, 1, {"v": 0}], "other": {}}
    editor = Counting(old)
    patch = [op("replace", "/list/2/v", value=number) for number in range(1_000)]
    assert editor.run(patch) == {"list": [0, 1, {"v": 999}], "other": {}}
    assert editor.copies == 3
