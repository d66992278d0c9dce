"""Patches within limits: the size is always exact, and no patch makes more than it may."""

from __future__ import annotations

import random
from typing import Any

import pytest

from questlog.document import (
    InvalidDocument,
    Limits,
    PatchFailed,
    Sized,
    TooLarge,
    apply_within,
    encode,
)
from tests.document.documents import KEYS, value


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **more}


def copy(source: str, target: str) -> dict[str, Any]:
    return {"op": "copy", "from": source, "path": target}


def run(document: Any, patch: list[Any], limits: Limits | None = None) -> Sized:
    size = len(encode(document))
    return apply_within(document, patch, size=size, limits=limits or Limits())


def nested(levels: int) -> Any:
    inside: Any = 0
    for _ in range(levels):
        inside = [inside]
    return inside


def test_sizes_stay_exact_through_thousands_of_random_operations() -> None:
    seed = random.SystemRandom().getrandbits(48)
    rng = random.Random(seed)
    done = 0
    for _ in range(1_500):
        document: Any = {key: value(rng, 3) for key in ("a", "b", "é")}
        for _ in range(4):
            patch = [random_operation(rng, document) for _ in range(rng.randrange(1, 5))]
            try:
                sized = run(document, patch)
            except PatchFailed:
                continue
            assert sized.size == len(encode(sized.value)), f"seed {seed}: {document!r} {patch!r}"
            document = sized.value
            done += 1
    assert done > 1_000, f"seed {seed}: hardly any patch applied"


def random_operation(rng: random.Random, document: Any) -> dict[str, Any]:
    name = rng.choice(("add", "replace", "remove", "move", "copy"))
    operation = op(name, random_path(rng, document))
    if name in ("move", "copy"):
        operation["from"] = random_path(rng, document)
    else:
        operation["value"] = value(rng, 2)
    return operation


def random_path(rng: random.Random, document: Any) -> str:
    path, node = "", document
    while isinstance(node, dict | list) and rng.random() < 0.8:
        if isinstance(node, dict):
            key = rng.choice([*node, rng.choice(KEYS)])
            path += "/" + key.replace("~", "~0").replace("/", "~1")
            node = node.get(key)
        else:
            index = rng.randint(0, len(node))
            path += f"/{index}"
            node = node[index] if index < len(node) else None
    return path


def test_what_changes_after_it_was_measured_is_measured_anew() -> None:
    big = {"text": "x" * 1_000, "list": []}
    patch = [
        op("add", "/a", value=big),
        copy("/a", "/b"),
        op("add", "/a/list/-", value="y" * 500),
        copy("/a", "/c"),
        op("move", "/d", **{"from": "/a"}),
        op("replace", "/d/text", value=""),
        copy("/d", "/e"),
        op("remove", "/d"),
    ]
    sized = run({}, patch)
    assert sized.size == len(encode(sized.value))
    assert sorted(sized.value) == ["b", "c", "e"]


def test_what_was_written_then_moved_is_measured_anew_when_written_again() -> None:
    document = {"box": {"a": {"list": [], "text": "x" * 1_000}}}
    patch = [
        op("add", "/box/a/list/-", value=1),
        op("move", "/box/b", **{"from": "/box/a"}),
        op("replace", "/box/b/text", value=""),
        op("move", "/box/c", **{"from": "/box/b"}),
        op("move", "/d", **{"from": "/box"}),
        op("add", "/d/c/list/-", value="y" * 700),
        op("replace", "/d/c", value=0),
    ]
    for length in range(1, len(patch) + 1):
        sized = run(document, patch[:length])
        assert sized.size == len(encode(sized.value)), patch[length - 1]


@pytest.mark.parametrize(
    "doubling",
    [
        copy("/k", "/k/-"),
        copy("/k", "/k/0"),
        copy("/k/0", "/k/-"),
        copy("", "/k/-"),
        copy("", "/k/0"),
    ],
)
def test_a_copy_bomb_is_refused_before_it_is_built(doubling: dict[str, Any]) -> None:
    patch = [op("replace", "/k", value=["boom" * 20, ["bang"] * 20]), *[doubling] * 5_000]
    limits = Limits(max_bytes=200_000)
    with pytest.raises((TooLarge, InvalidDocument)) as caught:
        run({"k": []}, patch, limits)
    assert caught.value.code in ("too_large", "invalid")


def test_seven_hundred_bytes_of_doublings_are_too_large() -> None:
    doublings = [copy("/a", "/a/-")] * 14
    assert len(encode(doublings)) < 700
    with pytest.raises(TooLarge, match="over the limit"):
        run({"a": ["x" * 2_000]}, doublings)


def test_nesting_a_document_in_itself_again_and_again_is_refused() -> None:
    step = [copy("/a", "/b"), op("move", "/a/x", **{"from": "/b"})]
    with pytest.raises(InvalidDocument, match="deeper than 100"):
        run({"a": {"t": "x" * 2_000}}, step * 120)


def test_work_without_end_is_refused_though_the_document_stays_small() -> None:
    document = {"big": ["x" * 100] * 500, "n": 0}
    churn = [op("add", "/big/0", value=1), copy("/big", "/n"), op("remove", "/big/0")]
    with pytest.raises(TooLarge, match="more work"):
        run(document, churn * 1_000, Limits(max_bytes=120_000))


def test_shifting_a_long_list_over_and_over_is_work_too() -> None:
    document = {"list": [0] * 50_000}
    churn = [op("add", "/list/0", value=0), op("remove", "/list/0")]
    with pytest.raises(TooLarge, match="more work"):
        run(document, churn * 2_000, Limits(max_bytes=110_000))


def test_a_patch_of_many_ordinary_changes_is_well_within_the_work_allowed() -> None:
    document = {"heroes": [{"hp": 9, "story": "s" * 1_000} for _ in range(100)]}
    patch = [op("replace", f"/heroes/{number % 100}/hp", value=number) for number in range(9_000)]
    sized = run(document, patch, Limits(max_bytes=110_000))
    assert sized.size == len(encode(sized.value))


def test_too_many_operations_are_refused_unread() -> None:
    patch = [op("test", "/nowhere", value=1)] * 11
    with pytest.raises(TooLarge, match="11 operations"):
        run({}, patch, Limits(max_operations=10))
    with pytest.raises(PatchFailed):
        run({}, patch[:10], Limits(max_operations=10))


def test_the_limit_of_size_holds_after_each_operation_and_includes_its_last_byte() -> None:
    limits = Limits(max_bytes=20)
    fits = [op("add", "/a", value="x" * 12)]
    assert run({}, fits, limits).size == 20
    with pytest.raises(TooLarge, match="over the limit of 20 bytes"):
        run({}, [op("add", "/a", value="x" * 13), op("remove", "/a")], limits)
    with pytest.raises(TooLarge):
        run({}, [op("replace", "", value="x" * 19)], limits)


def test_a_document_over_the_limit_may_be_made_smaller() -> None:
    sized = run({"a": "x" * 30}, [op("remove", "/a")], Limits(max_bytes=20))
    assert sized == Sized({}, 2)


@pytest.mark.parametrize(
    "patch",
    [
        [op("add", "/a", value=nested(10))],
        [op("replace", "", value=nested(11))],
        [op("add", "/a", value=nested(6)), copy("/a", "/a/0/0/0/0/0")],
        [op("add", "/a", value=nested(8)), op("add", "/b", value=[[]]), copy("/a", "/b/0/0")],
        [
            op("add", "/a", value=nested(8)),
            op("add", "/b", value=[[]]),
            op("move", "/b/0/0", **{"from": "/a"}),
        ],
    ],
)
def test_nesting_beyond_the_limit_is_refused(patch: list[Any]) -> None:
    with pytest.raises(InvalidDocument, match="deeper than 10"):
        run({}, patch, Limits(max_depth=10))


def test_nesting_up_to_the_limit_is_allowed() -> None:
    limits = Limits(max_depth=10)
    assert run({}, [op("add", "/a", value=nested(9))], limits).size == len(encode({"a": nested(9)}))
    assert run({}, [op("replace", "", value=nested(10))], limits).value == nested(10)


@pytest.mark.parametrize("bad", ["\ud800", object(), {"k": {1, object()}}, {(1,): 2}])
def test_values_that_json_cannot_hold_are_refused(bad: Any) -> None:
    with pytest.raises(InvalidDocument):
        run({}, [op("add", "/a", value=bad)])
