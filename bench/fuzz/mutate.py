"""Mutations: what becomes of valid JSON and valid bytes on their way to a server.

Everything comes from one `random.Random`, so that a seed makes the same inputs again.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")

# What is sent must stand in no log, but for paths.
MARK = "UNLOGGED"
# Stands for bytes that no JSON writer would write; its number follows.
RAW = "\x01raw"
RAWS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-0",
    b"01",
    b"1.",
    b"0x10",
    b"undefined",
    b"'text'",
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"\x00"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\xc0\xaf"',
    b'"\\x41"',
    b'"unfinished',
    b'{"a":1,"a":2}',
    b'{"type":"resync","type":"commit"}',
    b'{"":0}',
    b"9" * 4_300,
    b"9" * 4_301,
    b"-" + b"9" * 5_000,
    b"1e" + b"9" * 500,
    b"0." + b"1" * 3_000,
    b"[" * 99 + b"]" * 99,
    b"[" * 200 + b"]" * 200,
    b'{"a":' * 110 + b"1" + b"}" * 110,
    b"[" * 15_000,
    b"[" * 60_000 + b"]" * 60_000,
    b"\xef\xbb\xbf{}",
    b"/* no */ 1",
)
NUMBERS = (
    0,
    1,
    2,
    3,
    -1,
    1.0,
    1.5,
    -0.0,
    1e308,
    5e-324,
    2**31,
    2**53,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**18,
    10**40,
)
POINTERS = (
    "",
    "/",
    "//",
    "~",
    "/~",
    "/~2",
    "/~0~1",
    "/~01",
    "/-",
    "/log/-",
    "/log/0",
    "/log/00",
    "/log/-1",
    "/log/1e0",
    "/log/\u0661",
    "/log/99999999999999999999",
    "/log/0/0",
    "/turn",
    "/turn/x",
    "/dm",
    "/dm/plan",
    "/private/tobin",
    "/private/tobin/note",
    "/characters/mira/hp/current",
    "/characters",
    "/ ",
    "/\x00",
    "/\ud800",
    "/__class__",
    "turn",
    "#/turn",
    f"/{MARK}",
    f"/characters/{MARK}/x",
    f"{MARK}",
    "/a" * 200,
    "/" * 5_000,
    "/" + "x" * 20_000,
)
POSITIONS = (
    "",
    "0",
    "1",
    "2",
    "-1",
    "+1",
    " 1",
    "1.",
    "1.5",
    "1.0000000000000000",
    "1.zzzzzzzzzzzzzzzz",
    "2.ABCDEF0123456789",
    "999999999999999999",
    "99999999999999999999",
    "999999999.0123456789abcdef",
    "\u0661",
    "1." + "0" * 20_000,
    "9" * 5_000,
)
NAMES = (
    "",
    ".",
    "..",
    "a/b",
    "a b",
    "a%2Fb",
    "{id}",
    "\x00",
    "\ud800",
    "\u202e",
    "é",
    "𝄞",
    "dm",
    "main",
    "kept",
    "played",
    "elsewhere",
    "nowhere",
    "x" * 64,
    "x" * 65,
    "x" * 128,
    "x" * 129,
    "x" * 5_000,
    "'; DROP TABLE event; --",
    MARK,
    "__proto__",
    "../../questlog.db",
)
KINDS = (
    "",
    MARK,
    "a..b",
    ".a",
    "a.",
    "campaign.created",
    "visibility.changed",
    "lease.taken",
    "x" * 65,
    "a\n",
)
TEXTS = (
    MARK,
    "",
    " ",
    "\x00",
    "\ud83d",
    "\uffff",
    "\u2028",
    "%s%n%x",
    "x" * 300,
    "x" * 5_000,
    "x" * 17_000,
    "é" * 9_000,
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"a": {"b": []}}, [None] * 300)
ODD: tuple[Sequence[Any], ...] = (NUMBERS, POINTERS, POSITIONS, NAMES, TEXTS, OTHERS)
# Where a member has a meaning, most of what stands in its place should nearly have it too.
SPECIAL = MappingProxyType(
    {
        "path": POINTERS,
        "from": POINTERS,
        "position": POSITIONS,
        "since": POSITIONS,
        "version": NUMBERS,
        "expected_version": NUMBERS,
        "lease": NUMBERS,
        "id": NAMES,
        "campaign_id": NAMES,
        "player_id": NAMES,
        "table": NAMES,
        "kind": KINDS,
        "op": ("add", "remove", "replace", "test", "ADD", MARK, ""),
        "type": ("commit", "resync", "heartbeat", "activate", "signal", MARK, ""),
    }
)


class Mutator:
    """Makes wrong things of right ones.

    Args:
        huge: bytes of the largest text it makes; over a server's limit, so that it is met.
    """

    def __init__(self, chance: random.Random, huge: int = 0) -> None:
        self.chance = chance
        self._huge = huge

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of these, each as likely as another."""
        return choices[int(self.chance.random() * len(choices))]

    def json_of(self, value: Any) -> bytes:
        """Return JSON text of `value` with one to three things in it changed; it may be none."""
        value = copy.deepcopy(value)
        for _ in range(self.one_of((1, 1, 1, 2, 3))):
            value = self._twist(value)
        return self._doubled(write(value, ascii_only=self.chance.random() < 0.5))

    def mangled(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """Return `data` with one to four bytes or runs changed, or spliced with one of `others`."""
        for _ in range(self.one_of((1, 1, 1, 2, 4))):
            data = self.one_of(self._ways())(data, others)
        return data

    def odd(self) -> Any:
        """Return a value that is seldom right anywhere; may be or hold a mark of RAWS."""
        if self._huge and self.chance.random() < 0.002:
            return "x" * self._huge
        kind = self.chance.random()
        if kind < 0.05:
            return f"{RAW}{self.chance.randrange(len(RAWS))}"
        choices: Sequence[Any] = self.one_of(ODD)
        return copy.deepcopy(self.one_of(choices))

    def _twist(self, value: Any) -> Any:
        places = _places(value)
        if not places or self.chance.random() < 0.03:
            return self._wrapped(value)
        container, key = self.one_of(places)
        way = self.chance.random()
        if way < 0.55:
            container[key] = self._instead(key, container[key])
        elif way < 0.7:
            del container[key]
        elif way < 0.8 and isinstance(container, dict):
            container[self.one_of(NAMES)] = container.pop(key)
        elif way < 0.9 and isinstance(container, dict):
            container[self.one_of((MARK, "id", "type", "version", ""))] = self.odd()
        elif isinstance(container, list):
            container.extend([container[key]] * self.one_of((1, 2, 100)))
        return value

    def _instead(self, key: Any, value: Any) -> Any:
        special = SPECIAL.get(key)
        if special is not None and self.chance.random() < 0.7:
            return self.one_of(special)
        if isinstance(value, int) and self.chance.random() < 0.5:
            return self.one_of((str(value), -value, value + 1, float(value), [value]))
        return self.odd()

    def _wrapped(self, value: Any) -> Any:
        way = self.chance.random()
        if way < 0.3:
            return [value]
        if way < 0.5:
            for _ in range(self.one_of((5, 50, 98, 105, 400))):
                value = {"a": value} if way < 0.4 else [value]
            return value
        return self.odd() if way < 0.6 else value

    def _doubled(self, text: bytes) -> bytes:
        """Give an object a member twice, now and then."""
        if text[:1] != b"{" or self.chance.random() > 0.03:
            return text
        name = self.one_of((b"type", b"id", b"patch", b"position", b"token"))
        return b'{"' + name + b'":' + self.one_of(RAWS) + b"," + text[1:]

    def _ways(self) -> tuple[Callable[[bytes, Sequence[bytes]], bytes], ...]:
        return (self._flip, self._insert, self._delete, self._repeat, self._cut, self._splice)

    def _at(self, data: bytes) -> int:
        return self.chance.randrange(len(data) + 1)

    def _flip(self, data: bytes, _: Sequence[bytes]) -> bytes:
        if not data:
            return data
        changed = bytearray(data)
        for _number in range(self.one_of((1, 1, 2, 8))):
            changed[self.chance.randrange(len(data))] ^= 1 << self.chance.randrange(8)
        return bytes(changed)

    def _insert(self, data: bytes, _: Sequence[bytes]) -> bytes:
        at = self._at(data)
        new = self.one_of((self.chance.randbytes(self.one_of((1, 2, 9))), self.one_of(RAWS[:20])))
        return data[:at] + new + data[at:]

    def _delete(self, data: bytes, _: Sequence[bytes]) -> bytes:
        at = self._at(data)
        return data[:at] + data[at + self.one_of((1, 1, 2, 20)) :]

    def _repeat(self, data: bytes, _: Sequence[bytes]) -> bytes:
        at = self._at(data)
        run = data[at : at + self.one_of((1, 4, 40))]
        return data[:at] + run * self.one_of((2, 3, 50)) + data[at + len(run) :]

    def _cut(self, data: bytes, _: Sequence[bytes]) -> bytes:
        return data[: self._at(data)]

    def _splice(self, data: bytes, others: Sequence[bytes]) -> bytes:
        other = self.one_of(others) if others else data
        return data[: self._at(data)] + other[self._at(other) :]


def write(value: Any, *, ascii_only: bool = True) -> bytes:
    """Return `value` as JSON text, its marks of RAWS replaced by what they stand for."""
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    mark = json.dumps(RAW)[:-1].encode()
    if mark not in text:
        return text
    for number in range(len(RAWS)):
        text = text.replace(mark + b'%d"' % number, RAWS[number])
    return text


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a value as its container and its key, the outer ones first."""
    found: list[tuple[Any, Any]] = []
    level = [value] if isinstance(value, dict | list) else []
    while level:
        container = level.pop(0)
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                level.append(container[key])
    return found
