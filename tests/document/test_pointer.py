"""JSON Pointer, as RFC 6901 has it."""

from __future__ import annotations

from typing import Any

import pytest

from questlog.document import BadPointer, escape, get, join, parse
from tests.document.documents import KEYS

# The document and the table of RFC 6901, section 5.
EXAMPLE = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5}
EXAMPLE |= {'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", EXAMPLE),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_rfc_hold(pointer: str, expected: Any) -> None:
    assert get(EXAMPLE, pointer) == expected
    assert get(EXAMPLE, parse(pointer)) == expected


def test_a_tilde_is_unescaped_once_and_in_the_right_order() -> None:
    assert parse("/~01/~00/~10/~1~1/~0~0") == ("~1", "~0", "/0", "//", "~~")


def test_join_undoes_parse_for_every_key() -> None:
    assert parse(join(KEYS)) == KEYS
    assert [parse("/" + escape(key)) for key in KEYS] == [(key,) for key in KEYS]
    assert join(()) == ""
    assert join(("",)) == "/"


@pytest.mark.parametrize("text", ["a", "a/b", " /a", "#/a", "/~", "/~2", "/a~", "/~~1", "/~0~"])
def test_a_malformed_pointer_is_refused(text: str) -> None:
    with pytest.raises(BadPointer) as caught:
        parse(text)
    assert caught.value.code == "invalid"


@pytest.mark.parametrize(
    "text",
    [
        *("/no", "/foo/2", "/foo/-", "/foo/-1", "/foo/+1", "/foo/01", "/foo/1.0", "/foo/ 1"),
        *("/foo/", "/foo/x", "/foo/\uff11", "/foo/²", "/foo/0/0", "/foo/length", "//x"),
        "/foo/" + "1" * 5_000,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_a_pointer_to_nowhere_is_refused(text: str) -> None:
    with pytest.raises(BadPointer):
        get(EXAMPLE, text)
