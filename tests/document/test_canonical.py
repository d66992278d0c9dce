"""Canonical JSON (RFC 8785): its examples, and JavaScript itself as the oracle.

A failure names the seed and the case. With that seed in QUESTLOG_TEST_SEED the same cases are made
again.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from questlog.document import InvalidDocument, decode, digest, encode, equal
from questlog.document.canonical import canonical
from tests.document import documents
from tests.support.node import find_node

CASES = 20_000
SHARES = 8

# A line is an array of questions, each a JSON text or the 16 hex digits of a double after a #.
ORACLE = """
import { createInterface } from "node:readline";
function canonical(value) {
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const member = (key) => JSON.stringify(key) + ":" + canonical(value[key]);
  return "{" + Object.keys(value).sort().map(member).join(",") + "}";
}
const view = new DataView(new ArrayBuffer(8));
function answer(question) {
  if (!question.startsWith("#")) return canonical(JSON.parse(question));
  view.setBigUint64(0, BigInt("0x" + question.slice(1)));
  return JSON.stringify(view.getFloat64(0));
}
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(JSON.stringify(JSON.parse(line).map(answer)) + "\\n");
"""

# Code points in the order of RFC 8785: by UTF-16 all pairs stand before U+E000.
RISING = ("\u0000", "\n", "1", "a", "\u007f", "\u0080", "é", "\u2028", "龍", "\ud7ff")
RISING_LATE = ("\U00010000", "😀", "\U0010ffff", "\ue000", "\ufb33", "\uffff")
# No backslash: after a key that begins with one, V8 13 and 14 take others that are escaped for it
# (nodejs/node, issue 63785).
PLAIN_KEYS = tuple(key for key in documents.KEYS if "\\" not in key)
KEYS = (*PLAIN_KEYS, *RISING, *RISING_LATE, "😀a", "a😀", "a\ue000", "\ue000😀")
LARGEST = 2**1024 - 2**971
INTEGERS = (2**53 - 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1, 10**21 - 1, 10**21, LARGEST)

# RFC 8785, appendix B: the bits of a double and its text.
DOUBLES = (
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
)


class Oracle:
    """JavaScript, asked many things at a time over a pipe."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def ask(self, questions: list[str]) -> list[str]:
        """Return the canonical text of each JSON text, and of each double given as # and bits."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        # It reads the whole line before it answers, so that neither waits for the other.
        stdin.write(json.dumps(questions).encode() + b"\n")
        stdin.flush()
        answers: list[str] = json.loads(stdout.readline())
        return answers


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    call = [find_node().node, "--input-type=module", "--eval", ORACLE]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def the_seed() -> int:
    """Return the seed asked for, or else a new one."""
    asked = os.environ.get("QUESTLOG_TEST_SEED")
    return int(asked) if asked else random.SystemRandom().getrandbits(48)


def double(bits: str) -> float:
    """Return the double with these bits, 16 hex digits."""
    number: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return number


def any_double(rng: random.Random) -> float:
    """Return a finite double: any bits at all, or one where the way of writing it changes."""
    choice = rng.randrange(6)
    sign = rng.choice((1, -1))
    if choice == 0:
        number = sign * rng.uniform(1, 10) * 10.0 ** rng.randrange(-9, 24)
    elif choice == 1:
        number = sign * float(f"{rng.randrange(1, 10 ** rng.randrange(1, 18))}e{any_power(rng)}")
    elif choice == 2:
        number = sign * 2.0 ** rng.randrange(-1074, 1024)
    elif choice == 3:
        number = sign * 10.0 ** any_power(rng)
    elif choice == 4:
        number = float(sign * rng.getrandbits(rng.randrange(1, 80)))
    else:
        number = double(rng.randbytes(8).hex())
    if rng.random() < 0.3:
        number = math.nextafter(number, rng.choice((math.inf, -math.inf)))
    return number if math.isfinite(number) else any_double(rng)


def any_power(rng: random.Random) -> int:
    return rng.randrange(-9, 24) if rng.random() < 0.7 else rng.randrange(-320, 290)


def any_scalar(rng: random.Random) -> Any:
    """Return a scalar, often one that the encoder by itself would not write as JavaScript does."""
    choice = rng.randrange(6)
    if choice == 0:
        return any_double(rng)
    if choice == 1:
        return rng.choice(INTEGERS) + rng.randint(-2, 2)
    if choice == 2:
        return rng.choice((1, -1)) * rng.getrandbits(rng.randrange(1, 1100))
    if choice == 3:
        return "".join(rng.choice((*RISING, *RISING_LATE, '"', "\\", "/")) for _ in range(4))
    return rng.choice(documents.SCALARS)


def any_value(rng: random.Random, depth: int) -> Any:
    """Return a random JSON value, at most `depth` containers deep."""
    choice = rng.random()
    if depth == 0 or choice < 0.3:
        return any_scalar(rng)
    if choice < 0.7:
        return {rng.choice(KEYS): any_value(rng, depth - 1) for _ in range(rng.randrange(6))}
    return [any_value(rng, depth - 1) for _ in range(rng.randrange(5))]


def as_doubles(value: Any) -> Any:
    """Return what a program holds that knows no numbers but doubles, as null where none is near."""
    if isinstance(value, dict):
        return {key: as_doubles(child) for key, child in value.items()}
    if isinstance(value, list):
        return [as_doubles(child) for child in value]
    if type(value) not in (int, float):
        return value
    try:
        return float(value)
    except OverflowError:
        return None


def same(cases: list[Any], texts: list[str], where: str) -> None:
    """Fail where a value's canonical text is not that which JavaScript has for it."""
    for number, (value, text) in enumerate(zip(cases, texts, strict=True)):
        assert canonical(value).decode() == text, f"{where}, case {number}: {value!r}"


# What the RFC says.


@pytest.mark.parametrize(("bits", "text"), DOUBLES)
def test_doubles_are_written_as_in_appendix_b(bits: str, text: str) -> None:
    number = double(bits)
    assert canonical([number, {"x": number}]).decode() == f'[{text},{{"x":{text}}}]'


def test_the_example_of_section_3_2_has_the_bytes_of_section_3_2_4() -> None:
    value = decode(
        r'{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        r'"string":"\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/",'
        r'"literals":[null,true,false]}'
    )
    expected = bytes.fromhex(
        "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c"
        "22 6e 75 6d 62 65 72 73 22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31"
        "65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22"
        "3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d"
    )
    assert canonical(value) == expected
    assert digest(value) == hashlib.sha256(expected).hexdigest()


def test_members_stand_in_the_order_of_section_3_2_3() -> None:
    value = decode(
        r'{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",'
        r'"1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",'
        r'"\u00f6":"Latin Small Letter O With Diaeresis"}'
    )
    assert list(decode(canonical(value)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_surrogate_pairs_stand_before_the_end_of_the_basic_plane() -> None:
    keys = [*RISING, *RISING_LATE]
    inside = {"\ue000": [{"b": 1.0, "a": -0.0}], "😀": 1e21}
    value = {"x" + key: inside for key in reversed(keys)}
    ordered = decode(canonical(value))
    assert list(ordered) == ["x" + key for key in keys]
    text = '{"😀":1e+21,"\ue000":[{"a":0,"b":1}]}'
    assert canonical(value).count(text.encode()) == len(keys)


@pytest.mark.parametrize("number", range(0x20))
def test_control_characters_are_escaped_as_in_section_3_2_2_2(number: int) -> None:
    short = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r"}
    written = short.get(number, f"\\u00{number:02x}")
    assert canonical({chr(number): chr(number)}).decode() == f'{{"{written}":"{written}"}}'


def test_no_other_characters_are_escaped_but_two() -> None:
    raw = "/\u007f\u0080\u2028\u2029\ud7ff\ue000\ufeff\uffff😀'<&"
    assert canonical([raw, '"\\']).decode() == f'["{raw}","\\"\\\\"]'
    assert canonical({"\\": 1, '"': 2, "\n": 3}) == b'{"\\n":3,"\\"":2,"\\\\":1}'


# What we say.


def test_integers_are_the_doubles_nearest_to_them() -> None:
    assert canonical([2**53, 2**53 + 1, -(2**53) - 1]) == (
        b"[9007199254740992,9007199254740992,-9007199254740992]"
    )
    assert canonical(10**21 - 1) == canonical(1e21) == b"1e+21"
    assert canonical([-(10**23), 2**64]) == b"[-1e+23,18446744073709552000]"


def test_integers_beyond_all_doubles_are_null() -> None:
    halfway = LARGEST + 2**970
    assert canonical([halfway - 1, 1 - halfway]) == (
        b"[1.7976931348623157e+308,-1.7976931348623157e+308]"
    )
    assert canonical({"a": [halfway, -halfway], "b": int("9" * 4300)}) == (
        b'{"a":[null,null],"b":null}'
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (0, -0.0),
        ({"a": 1, "😀": [2.0]}, {"😀": [2], "a": 1.0}),
        (2**53, float(2**53)),
    ],
)
def test_equal_documents_of_doubles_have_one_digest(a: Any, b: Any) -> None:
    assert equal(a, b)
    assert digest(a) == digest(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [(True, 1), (False, 0), (None, 0), ("1", 1), ([], {}), ({}, {"a": None}), ("é", "e\u0301")],
)
def test_different_documents_have_different_digests(a: Any, b: Any) -> None:
    assert digest(a) != digest(b)
    assert digest([0.5, a]) != digest([0.5, b])


def test_a_digest_is_the_sha_256_of_the_text() -> None:
    expected = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest({}) == hashlib.sha256(b"{}").hexdigest() == expected


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "bad",
    [
        *("\ud800", {"\udfff": 1}, {"😀": "\ud83d"}, {"😀": 1, "\ude00": 2}),
        *(math.nan, math.inf, -math.inf),
        *(
            {1: 2},
            {None: 1},
            {"😀": {1: 2}},
            (1, 2),
            {1},
            b"bytes",
            pytest.param(object(), id="an object"),
            Colour.RED,
        ),
    ],
    ids=ascii,
)
def test_what_is_no_json_value_is_refused(bad: Any) -> None:
    for value in (bad, [bad], {"a": [0.5, bad]}, [2**60, {"😀": bad}]):
        with pytest.raises(InvalidDocument, match="no canonical JSON"):
            canonical(value)


def test_endless_values_are_refused_and_deep_ones_are_not() -> None:
    endless: list[Any] = []
    endless.append({"a": endless})
    deep: Any = 1e21
    for level in range(100):
        deep = {"😀": deep} if level % 2 else [deep]
    assert canonical(deep).count(b"1e+21") == 1
    with pytest.raises(InvalidDocument, match="no canonical JSON"):
        canonical(endless)


# What JavaScript says.


def test_javascript_has_the_examples_too(oracle: Oracle) -> None:
    assert oracle.ask(["#" + bits for bits, _ in DOUBLES]) == [text for _, text in DOUBLES]
    halfway = LARGEST + 2**970
    cases = [halfway - 1, halfway, -halfway, 10**21 - 1, {"\ue000": 1, "😀": 2, "__proto__": 3}]
    same(cases, oracle.ask([encode(case).decode() for case in cases]), "examples")


def test_random_doubles_are_written_as_javascript_writes_them(oracle: Oracle) -> None:
    seed = the_seed()
    rng = random.Random(seed)
    cases = [any_double(rng) for _ in range(CASES)]
    same(cases, oracle.ask(["#" + struct.pack(">d", case).hex() for case in cases]), f"seed {seed}")


@pytest.mark.parametrize("share", range(SHARES))
def test_random_documents_are_written_as_javascript_writes_them(share: int, oracle: Oracle) -> None:
    seed, size = the_seed(), CASES // SHARES
    numbers = range(share * size, (share + 1) * size)
    cases = [any_value(random.Random(f"{seed} {number}"), 4) for number in numbers]
    texts = [encode(case).decode() for case in cases]
    answers = oracle.ask(texts)
    where = f"seed {seed}, share {share}"
    same(cases, answers, where)
    same([decode(text) for text in texts], answers, where)
    same([decode(answer) for answer in answers], answers, where)
    assert [encode(case).decode() for case in cases] == texts, f"{where}: one was changed"


@pytest.mark.usefixtures("untraced")
def test_random_documents_have_one_text_where_they_are_equal_and_only_there() -> None:
    seed = the_seed()
    equals = 0
    for number in range(CASES):
        rng = random.Random(f"{seed} {number}")
        old = any_value(rng, 3)
        new = documents.changed(rng, old)
        alike = equal(as_doubles(old), as_doubles(new))
        where = f"seed {seed}, case {number}: {old!r} {new!r}"
        assert (canonical(old) == canonical(new)) == alike, where
        assert (digest(old) == digest(new)) == alike, where
        assert canonical(as_doubles(old)) == canonical(old), where
        equals += alike
    assert CASES // 10 < equals < CASES - CASES // 10, f"seed {seed}: {equals} were equal"
