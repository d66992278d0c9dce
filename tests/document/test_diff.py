"""Patches are small and say what happened; that they are right, the random tests show."""

from __future__ import annotations

import random
from typing import Any

import pytest

from questlog.document import InvalidDocument, apply, decode, diff, encode, equal
from questlog.document.diff import MAX_OPERATIONS, takes_at_least
from questlog.document.lists import MAX_ALIGNED, MAX_SEARCH
from tests.document.documents import value


def told(old: Any, new: Any) -> list[str]:
    """Return the patch as short texts, after making sure that it does its work."""
    patch = diff(old, new)
    assert equal(apply(old, patch), new)
    return [
        " ".join([op["op"], *([op["from"]] if "from" in op else []), op["path"]]) for op in patch
    ]


def heroes(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": name, "story": f"the long story of {name}", **more} for name in names]


def test_equal_documents_need_no_patch() -> None:
    old = {"a": [1, {"b": 2.0, "c": True}], "d": None}
    assert diff(old, {"d": None, "a": [1.0, {"c": True, "b": 2}]}) == []
    assert diff(old, old) == []
    assert diff(1, 1.0) == []


@pytest.mark.parametrize(("old", "new"), [(False, 0), (1, True), (0.0, False), (None, False)])
def test_a_bool_is_no_number_however_deep(old: Any, new: Any) -> None:
    assert diff(old, new) == [{"op": "replace", "path": "", "value": new}]
    long = "x" * 100
    patch = diff(
        {"t": long, "a": [long, {"b": old, "t": long}]},
        {"t": long, "a": [long, {"b": new, "t": long}]},
    )
    assert patch == [{"op": "replace", "path": "/a/1/b", "value": new}]
    assert patch[0]["value"] is new


def test_members_are_added_removed_and_entered() -> None:
    long = "x" * 100
    old = {"gone": 1, "same": long, "deep": {"a/b": {"m~n": 1, "t": long}, "t": long}}
    new = {"same": long, "deep": {"a/b": {"m~n": 2, "t": long}, "t": long}, "": 3}
    assert told(old, new) == ["remove /gone", "replace /deep/a~1b/m~0n", "add /"]


@pytest.mark.parametrize(("old", "new"), [({"a": 1}, [1]), ([1], {"0": 1}), ("x", {}), (1, "1")])
def test_another_type_at_the_root_replaces_it(old: Any, new: Any) -> None:
    assert diff(old, new) == [{"op": "replace", "path": "", "value": new}]


def test_a_value_is_replaced_where_that_is_shorter_than_mending_it() -> None:
    old = {"hp": {"a": 1, "b": 2, "c": 3}, "story": "x" * 500}
    new = {"hp": {"d": 1, "e": 2, "f": 3}, "story": "x" * 500}
    assert diff(old, new) == [{"op": "replace", "path": "/hp", "value": new["hp"]}]
    assert diff(old, {"z": 1}) == [{"op": "replace", "path": "", "value": {"z": 1}}]


def test_a_small_document_is_told_what_changed_in_it_unless_that_takes_twice_as_long() -> None:
    old, new = {"hp": 10, "names": ["Mira"]}, {"hp": 9, "names": ["Mira", "Oda"]}
    assert [operation["path"] for operation in diff(old, new)] == ["/hp", "/names/1"]
    assert [operation["path"] for operation in diff(dict.fromkeys("abcdef", 1), {"g": 1})] == [""]


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ("abcdef", "abcXdef", ["add /3"]),
        ("abcdef", "Xabcdef", ["add /0"]),
        ("abcdef", "abcdefXY", ["add /6", "add /7"]),
        ("abcdef", "abdef", ["remove /2"]),
        ("abcdef", "bcde", ["remove /5", "remove /0"]),
        ("abcdef", "abcdeX", ["replace /5"]),
        ("abcdef", "fabcde", ["move /5 /0"]),
        ("abcdef", "bcdefa", ["move /0 /5"]),
        ("abcdef", "aecdbf", ["move /4 /1", "move /2 /4"]),
        ("abcdef", "dXabcf", ["remove /4", "move /3 /0", "add /1"]),
        ("abcdef", "", ["replace "]),
        ("", "abcdef", ["replace "]),
    ],
)
def test_lists_of_members_with_an_id_are_aligned(before: str, after: str, patch: list[str]) -> None:
    assert told(heroes(*before), heroes(*after)) == patch


def test_an_element_that_moved_is_mended_where_it_is_then() -> None:
    old = heroes(*"abcdef", hp=10)
    new = [old[5] | {"hp": 3}, *old[:5]]
    assert told(old, new) == ["move /5 /0", "replace /0/hp"]


@pytest.mark.parametrize("key", ["id", "_id", "name"])
def test_each_kind_of_key_is_known(key: str) -> None:
    old = [{key: f"n{number}", "text": "x" * 50, "hp": 1} for number in range(10)]
    new = [{key: "new", "text": "y" * 50}, *[element | {"hp": 2} for element in old[1:]]]
    patch = diff(old, new)
    assert len(encode(patch)) < len(encode(new))
    inserted = [*old[:4], {key: "new", "text": "y" * 50}, *old[4:8], old[8] | {"hp": 2}, old[9]]
    assert told(old, inserted) == ["add /4", "replace /9/hp"]


def test_the_same_name_twice_is_told_apart_by_its_turn() -> None:
    old = [{"name": "Goblin", "hp": hp, "text": "x" * 50} for hp in (7, 6, 5)]
    new = [old[0], {"name": "Ogre", "text": "y" * 50}, old[1] | {"hp": 1}, old[2]]
    assert told(old, new) == ["add /1", "replace /2/hp"]


def test_ids_are_told_from_texts_bools_and_floats() -> None:
    text = "x" * 60
    old = [{"id": 1, "t": text}, {"id": "1", "t": text}, {"id": True, "t": text}, {"id": 1.0}]
    new = [old[3], old[2], old[1], old[0]]
    assert equal(apply(old, diff(old, new)), new)


def test_scalars_and_lists_without_ids_are_known_by_what_they_are() -> None:
    words = [f"a long condition, number {number}" for number in range(20)]
    assert told(words, [*words[:7], *words[8:]]) == ["remove /7"]
    assert told(words, [words[19], *words[:19]]) == ["move /19 /0"]
    rows = [[word, {"n": 1}] for word in words]
    assert told(rows, decode(encode([*rows[:7], ["new"], *rows[7:]]))) == ["add /7"]
    mixed = [1, True, 1.5, None, False, 0, "1", *words]
    assert told(mixed, [*mixed[:2], *mixed[3:], 1.5]) == ["move /2 /26"]


def test_a_bool_for_a_number_at_the_head_or_tail_of_a_list_is_seen() -> None:
    text = "x" * 50
    old = [1, text, 0, text, {"a": 1, "t": text}, text, 1]
    for at, different in ((0, True), (2, False), (4, {"a": True, "t": text}), (6, True)):
        new = decode(encode(old))
        new[at] = different
        assert len(told(old, new)) == 1


def test_a_patch_between_documents_that_share_parts_holds_only_the_change() -> None:
    old = {"heroes": heroes(*"abcdef", hp=10), "log": [f"line {n}" for n in range(500)]}
    new = apply(
        old,
        [
            {"op": "replace", "path": "/heroes/3/hp", "value": 4},
            {"op": "add", "path": "/log/-", "value": "line"},
        ],
    )
    assert told(old, new) == ["replace /heroes/3/hp", "add /log/500"]


def test_a_hopelessly_shuffled_list_is_replaced() -> None:
    old = [f"{number:040}" for number in range(3_000)]
    new = old[::-1]
    assert len(old) ** 2 > MAX_SEARCH
    assert diff(old, new) == [{"op": "replace", "path": "", "value": new}]


def test_a_shuffled_list_within_the_bound_is_sorted_by_moves() -> None:
    seed = random.SystemRandom().getrandbits(48)
    old = [f"{number:0200}" for number in range(400)]
    new = random.Random(seed).sample(old, 400)
    patch = diff(old, new)
    assert {op["op"] for op in patch} == {"move"}, f"seed {seed}"
    assert apply(old, patch) == new, f"seed {seed}"


def test_very_long_lists_are_compared_place_by_place_or_not_at_all() -> None:
    old = list(range(MAX_ALIGNED + 100))
    new = [-1, *old[1:-1], -2]
    assert told({"l": old}, {"l": new}) == ["replace /l/0", f"replace /l/{len(old) - 1}"]
    assert told({"l": old}, {"l": [*new, -3]}) == ["replace /l"]


def test_a_patch_never_has_more_operations_than_a_server_takes() -> None:
    rest = {"story": "x" * 100, "n": [1]}
    long = [{"id": n, "text": "x" * 60, "v": 1} for n in range(MAX_OPERATIONS + 1)]
    longer = [{**hero, "v": 2} for hero in long]
    assert told({"a": long, **rest}, {"a": longer, **rest}) == ["replace /a"]
    old = {f"k{n}": {"m": {"v": n, "t": "x" * 60}} for n in range(MAX_OPERATIONS + 1)}
    new = {key: {"m": {**member["m"], "v": -1}} for key, member in old.items()}
    assert told(old, new) == ["replace "]
    del old["k0"], new["k0"]
    assert len(told(old, new)) == MAX_OPERATIONS


def test_nothing_that_json_cannot_hold_gets_into_a_patch() -> None:
    with pytest.raises(InvalidDocument):
        diff({}, {"a": "\ud800"})


def test_the_lower_bound_of_a_size_is_one() -> None:
    seed = random.SystemRandom().getrandbits(48)
    rng = random.Random(seed)
    near = 0
    for _ in range(2_000):
        document = value(rng, 4)
        size = len(encode(document))
        assert not takes_at_least(document, size + 1), f"seed {seed}: {document!r}"
        near += takes_at_least(document, size // 2)
    assert near > 1_000, f"seed {seed}: the bound is far off"


def test_the_lower_bound_looks_no_further_than_it_must() -> None:
    assert takes_at_least({"a": [object()] * 100}, 50)
    assert not takes_at_least([], 3)
