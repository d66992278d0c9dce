"""What changed here, put on top of what changed there: nobody's change is undone or misplaced."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from questlog.document import apply, diff, equal, rebase
from questlog.document.lists import MAX_ALIGNED
from tests.document.documents import changed, value

ROUNDS = 4_000


def goblin(name: str, hp: int, **more: Any) -> dict[str, Any]:
    return {"id": name, "hp": hp, **more}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        # Members: each side's own, removals, and the one both touched.
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 2}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 1, "c": 1}, {"b": 1, "c": 1}),
        ({"a": {"x": 1}}, {}, {"a": {"x": 2}}, {}),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {}, {"a": {"x": 2}}),
        ({}, {"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({}, {"a": {"x": 1}}, {"a": [1]}, {"a": {"x": 1}}),
        # JSON's equality: true is not 1, 1 is 1.0.
        ({"a": 1}, {"a": True}, {"a": 2}, {"a": True}),
        ({"a": 1}, {"a": 1.0}, {"a": 2}, {"a": 2}),
        ({"a": 0}, {"a": 0, "b": 1}, {"a": False}, {"a": False, "b": 1}),
        # Lists: both append, theirs first, as it was there first.
        (["a"], ["a", "ours"], ["a", "theirs"], ["a", "theirs", "ours"]),
        ([], ["x", "o"], ["x", "t"], ["x", "t", "o"]),
        (["a", "b"], ["o", "a", "b"], ["t", "a", "b"], ["t", "o", "a", "b"]),
        (["a", "b", "c"], ["a", "c"], ["a", "b", "c", "d"], ["a", "c", "d"]),
        ([10, 5], [11, 5], [10, 6], [11, 6]),
        (["a", "b"], ["a", "x"], ["a"], ["a", "x"]),
    ],
)
def test_each_side_keeps_what_it_changed(base: Any, ours: Any, theirs: Any, merged: Any) -> None:
    before = copy.deepcopy((base, ours, theirs))
    assert equal(rebase(base, ours, theirs), merged)
    assert (base, ours, theirs) == before, "nothing was mutated"


def test_a_change_follows_its_element_wherever_others_have_moved_it() -> None:
    base = [goblin("a", 7), goblin("b", 7), goblin("c", 7)]
    ours = [goblin("a", 7), goblin("b", 2), goblin("c", 7)]
    theirs = [goblin("new", 9), goblin("c", 7), goblin("b", 7, poisoned=True)]
    # A patch of ours would have said: /1/hp is 2.
    assert apply(theirs, diff(base, ours))[1] == goblin("c", 2)
    merged = rebase(base, ours, theirs)
    assert merged == [goblin("new", 9), goblin("c", 7), goblin("b", 2, poisoned=True)]


def test_the_order_is_that_of_the_side_that_moved_and_ours_where_both_did() -> None:
    base = [goblin(name, 7) for name in "abc"]
    moved = [base[2], base[0], base[1]]
    edited = [base[0], goblin("b", 1), base[2], goblin("d", 5)]
    for ours, theirs in ((edited, moved), (moved, edited)):
        merged = rebase(base, ours, theirs)
        assert [each["id"] for each in merged if each["id"] != "d"] == ["c", "a", "b"]
        assert goblin("b", 1) in merged
        assert goblin("d", 5) in merged
    assert rebase([1, 2, 3], [3, 1, 2], [2, 1, 3]) == [3, 1, 2]


def test_one_that_takes_anothers_place_is_another() -> None:
    base = [goblin("a", 7)]
    merged = rebase(base, [goblin("b", 7)], [goblin("a", 3)])
    assert merged == [goblin("b", 7)], "what was done to a is not done to b"
    merged = rebase(base, [goblin("a", 3)], [goblin("b", 7)])
    assert merged == [goblin("b", 7), goblin("a", 3)], "ours changed it, so it stays"


def test_elements_with_one_name_are_told_apart_by_what_they_are() -> None:
    strong, weak = {"name": "Goblin", "hp": 7}, {"name": "Goblin", "hp": 5}
    hurt = {"name": "Goblin", "hp": 3}
    assert rebase([strong, weak], [weak], [strong, hurt]) == [hurt]


def test_what_both_added_under_one_id_is_one() -> None:
    merged = rebase([], [goblin("a", 7, mood="grim")], [goblin("a", 7, armed=True)])
    assert merged == [goblin("a", 7, mood="grim", armed=True)]


def test_lists_too_long_to_be_compared_are_ours() -> None:
    base = list(range(MAX_ALIGNED + 2))
    ours, theirs = [-1, *base[1:-1], -1, -2], [-3, *base]
    assert rebase(base, ours, theirs) is ours


def test_what_one_side_changed_is_that_side_at_random() -> None:
    seed = random.SystemRandom().getrandbits(48)
    rng = random.Random(seed)
    differing = 0
    for number in range(ROUNDS):
        base = value(rng, 4)
        ours, theirs = changed(rng, base), changed(rng, base)
        where = f"seed {seed}, round {number}: {base!r} {ours!r} {theirs!r}"
        before = copy.deepcopy((base, ours, theirs))
        assert equal(rebase(base, ours, base), ours), where
        assert equal(rebase(base, ours, copy.deepcopy(base)), ours), where
        assert equal(rebase(base, base, theirs), theirs), where
        assert equal(rebase(base, theirs, theirs), theirs), where
        merged = rebase(base, ours, theirs)
        assert equal(apply(theirs, diff(theirs, merged)), merged), where
        assert repr((base, ours, theirs)) == repr(before), f"mutated: {where}"
        differing += not equal(ours, theirs)
    assert differing > ROUNDS / 4, f"seed {seed} made hardly any changes"


def hall(rng: random.Random) -> dict[str, Any]:
    """Return a campaign with characters in a list and in an object, and a story."""
    names = [f"c{n}" for n in range(rng.randrange(2, 9))]
    return {
        "initiative": [{"id": n, "hp": {"current": 10, "max": 10}, "tags": ["new"]} for n in names],
        "characters": {n: {"hp": 10, "items": ["rope", "torch"]} for n in names},
        "story": ["Once."],
        "grid": [[0, 0], [1, 1]],
    }


def play(rng: random.Random, document: dict[str, Any], mine: list[str], who: str) -> dict[str, Any]:
    """Return the document after turns that touch only the characters in `mine`, and shared lists.

    Also marks each of them, so that a change that hit another element would show.
    """
    new = copy.deepcopy(document)
    for entry in new["initiative"]:
        if entry["id"] in mine:
            entry["hp"]["current"] = rng.randrange(10)
            entry["by"] = f"{who} on {entry['id']}"
            if rng.random() < 0.5:
                entry["tags"].insert(rng.randrange(2), who)
    for name in mine:
        new["characters"][name]["items"].append(f"{who}'s gift to {name}")
    gone = rng.choice(mine)
    if rng.random() < 0.3:
        new["initiative"] = [entry for entry in new["initiative"] if entry["id"] != gone]
    if rng.random() < 0.5:
        new["initiative"].insert(rng.randrange(3), {"id": f"new-{who}", "hp": {"current": 1}})
    if rng.random() < 0.3:
        rng.shuffle(new["initiative"])
    new["story"].append(f"{who} spoke.")
    return new


def test_two_who_touch_different_things_both_have_their_way_at_random() -> None:
    seed = random.SystemRandom().getrandbits(48)
    rng = random.Random(seed)
    for number in range(ROUNDS // 4):
        base = hall(rng)
        names = list(base["characters"])
        rng.shuffle(names)
        split = rng.randrange(1, len(names))
        ours = play(rng, base, names[:split], "ours")
        theirs = play(rng, base, names[split:], "theirs")
        where = f"seed {seed}, round {number}: {base!r} {ours!r} {theirs!r}"
        merged = rebase(base, ours, theirs)
        found = {entry["id"]: entry for entry in merged["initiative"]}
        for side, mine in ((ours, names[:split]), (theirs, names[split:])):
            wanted = {e["id"]: e for e in side["initiative"]}
            own = [*mine, *(name for name in wanted if name.startswith("new-"))]
            assert [found.get(name) for name in own] == [wanted.get(name) for name in own], where
            for name in mine:
                assert merged["characters"][name] == side["characters"][name], where
        assert merged["story"] == ["Once.", "theirs spoke.", "ours spoke."], where
        assert len(merged["initiative"]) == len(found), where
        assert equal(apply(theirs, diff(theirs, merged)), merged), where
