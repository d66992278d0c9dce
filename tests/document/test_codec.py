"""JSON text in and out: strict, exact, within limits."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest

from questlog.document import (
    BadJson,
    DocumentError,
    InvalidDocument,
    Limits,
    TooLarge,
    canonical,
    check,
    decode,
    depth,
    encode,
)


def test_integers_of_any_size_stay_exact() -> None:
    for number in (2**53 + 1, 2**63, 2**64 + 1, -(2**70), int("9" * 4300)):
        assert decode(encode({"id": number})) == {"id": number}
        assert type(decode(str(number))) is int


def test_text_and_bytes_decode_alike() -> None:
    assert decode('{"é":"😀"}') == decode('{"é":"😀"}'.encode()) == {"é": "😀"}
    assert encode({"é": ["😀", 1.0, None]}) == '{"é":["😀",1.0,null]}'.encode()


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"nul", b"[1,]", b'{"a":1}x', b"'a'", b"{a:1}", b"01", b"+1", b"1.", b'"\t"'),
        *(b"NaN", b"Infinity", b"-Infinity", b"1e400", b"[-1e400]", b"9" * 5000),
        *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b"\xff\xfe1", b"\xef\xbb\xbf1", b'"\\x"'),
        *("\ufeff1", '"\ud800"'),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_not_json_is_refused(text: bytes | str) -> None:
    with pytest.raises(BadJson, match="not JSON") as caught:
        decode(text)
    assert caught.value.code == "bad_json"


def test_length_is_looked_at_before_anything_else() -> None:
    assert decode(b"[1,2]", Limits(max_bytes=5)) == [1, 2]
    with pytest.raises(TooLarge, match="6 bytes, over the limit of 5"):
        decode(b"{{{{{{", Limits(max_bytes=5))


@pytest.mark.parametrize("levels", [101, 1_000, 100_000])
def test_deep_nesting_is_refused_and_costs_no_stack(levels: int) -> None:
    for text in (b"[" * levels + b"]" * levels, '{"a":' * levels + "1" + "}" * levels):
        with pytest.raises(InvalidDocument, match="deeper than 100") as caught:
            decode(text)
        assert caught.value.code == "invalid"


def test_nesting_up_to_the_limit_and_many_brackets_side_by_side_are_fine() -> None:
    assert depth(decode(b"[" * 100 + b"]" * 100)) == 100
    assert len(decode(b"[" + b"[]," * 5_000 + b"{}]")) == 5_001
    assert decode('["[[[[[[", "{{{{"]', Limits(max_depth=1)) == ["[[[[[[", "{{{{"]


@pytest.mark.parametrize(
    ("value", "levels"),
    [(1, 0), ("[[", 0), (None, 0), ([], 1), ({}, 1), ([1, [2], {"a": {"b": []}}], 4)],
)
def test_depth_counts_the_containers_around_the_innermost_value(value: Any, levels: int) -> None:
    assert depth(value) == levels


def test_depth_stops_counting_past_its_limit() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert depth(endless, 7) == 8


def test_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    one, other = {"b": [1, {"y": 1, "x": 2}], "a": None}, {"a": None, "b": [1, {"x": 2, "y": 1}]}
    assert encode(one) != encode(other)
    assert canonical(one) == canonical(other) == b'{"a":null,"b":[1,{"x":2,"y":1}]}'


@pytest.mark.parametrize("write", [encode, canonical])
@pytest.mark.parametrize("bad", ["\ud800", {"\udfff": 1}, object(), [10**5_000], {(1, 2): 3}])
def test_what_cannot_be_written_is_refused(write: Any, bad: Any) -> None:
    with pytest.raises(InvalidDocument, match="cannot be written"):
        write([bad])


def test_check_lets_every_json_value_pass() -> None:
    values = [{"a": [1, 2.5, True, None, "é😀", "", 2**70, int("9" * 4300), 2**14284]}, -0.0, "x"]
    for value in values:
        check(value)
        assert decode(encode(value)) == value


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"a": {"b/c": [0, math.nan]}}, "the number nan at '/a/b~1c/1'"),
        ([math.inf], "the number inf at '/0'"),
        ({"x": [{"\ud800": 1}]}, "a key with a lone surrogate at '/x/0'"),
        ({"x": "\udfff"}, "a lone surrogate at '/x'"),
        ({1: 2}, "a key of type int at ''"),
        ([(1, 2)], "a value of type tuple at '/0'"),
        ({"s": {1}}, "a value of type set at '/s'"),
        (b"bytes", "a value of type bytes at ''"),
        ([Colour.RED], "a value of type Colour at '/0'"),
        ([10**4300], "an integer over 4300 digits at '/0'"),
        ([-(10**4300)], "an integer over 4300 digits at '/0'"),
    ],
)
def test_check_says_what_is_wrong_and_where(value: Any, sentence: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        check(value)
    assert str(caught.value) == sentence


def test_check_refuses_deep_and_endless_values() -> None:
    check([[[]]], Limits(max_depth=3))
    with pytest.raises(InvalidDocument, match="deeper than 2"):
        check([[[]]], Limits(max_depth=2))
    endless: list[Any] = []
    endless.extend([endless, endless, {"again": endless}])
    with pytest.raises(InvalidDocument, match="deeper than 100"):
        check(endless)


def test_check_allows_a_number_at_the_greatest_depth() -> None:
    check([[1]], Limits(max_depth=2))
    check(1, Limits(max_depth=0))


def test_every_error_has_a_code_and_a_sentence_of_its_own() -> None:
    codes = {}
    for error in DocumentError.__subclasses__():
        codes[error.__name__] = error.code
        assert str(error()).endswith(".")
        assert "\n" not in str(error())
    assert codes == {
        "BadJson": "bad_json",
        "TooLarge": "too_large",
        "InvalidDocument": "invalid",
        "BadPointer": "invalid",
        "PatchFailed": "patch_failed",
    }
