"""One text for one document, in Python and in JavaScript alike (RFC 8785, JCS), and its digest.

A number here is what JavaScript makes of it, an IEEE 754 double: 1 and 1.0 are one number, and so
are 2**53 and 2**53 + 1. `codec.canonical` is another thing: it keeps such numbers apart, and the
log's retries are told by it. Only this one is what a program in another language can compute.

The encoder does nearly all of the work: its strings are those of ECMAScript, and so are its
integers up to 2**53 and its fractions of ordinary size. What it would write otherwise is found
beforehand and put in its place as text. Containers with nothing of the kind are not copied.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from operator import is_
from types import NoneType

import msgspec

from questlog.document.errors import InvalidDocument
from questlog.document.limits import JsonValue

_AS_THEY_ARE = frozenset((str, bool, NoneType))
# Each integer between is a double.
_MIN_EXACT, _MAX_EXACT = -(2**53), 2**53
# From here on fractions are written alike by all; what is no integer is under 2**52.
_MIN_ORDINARY = 1e-3
# ECMAScript writes out 0.DIGITS times ten to a power over the one and up to the other; what is
# smaller or larger has an exponent.
_MIN_PLACES, _MAX_PLACES = -6, 21


def canonical(value: JsonValue) -> bytes:
    """Return the canonical JSON of `value`, in UTF-8 (RFC 8785, section 3.2).

    Two values have the same text if and only if they are `equal` once each number is the double
    nearest to it. An integer beyond all doubles becomes null: JavaScript reads it as Infinity, and
    `JSON.stringify` writes that as null.

    Raises:
        InvalidDocument: there is NaN, an infinite float, a lone surrogate, endless nesting or no
            JSON value in it. What `decode` returned or `check` let pass has none of these.
    """
    try:
        return _encode(_ready(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidDocument(f"the value has no canonical JSON: {error}") from None


def digest(value: JsonValue) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, as 64 lower-case hex digits.

    Raises:
        InvalidDocument: as for `canonical`.
    """
    return hashlib.sha256(canonical(value)).hexdigest()


def _encode(ready: JsonValue) -> bytes:
    return msgspec.json.encode(ready, order="sorted")


def _ready(value: JsonValue) -> JsonValue:
    """Return what the encoder writes as RFC 8785 has it: `value` itself where that will do."""
    kind = type(value)
    if kind is dict:
        # Without them code points, by which the encoder sorts, are in the order of UTF-16.
        if _has_surrogate_pairs(value):
            return msgspec.Raw(_in_order(value))
        members = value.values()
        children = _all_ready(members)
        return value if children is members else dict(zip(value, children, strict=True))
    if kind is list:
        return _all_ready(value)
    if kind is int:
        return value if _MIN_EXACT <= value <= _MAX_EXACT else _large(value)
    if kind is float:
        return _double(value)
    if kind in _AS_THEY_ARE:
        return value
    raise TypeError(f"a value of type {kind.__name__}")


def _all_ready(values: Collection[JsonValue]) -> Collection[JsonValue]:
    """Return all of `values` made ready, in a new list; `values` themselves where none changed."""
    # Many hold only texts. To see that takes no step in Python per value.
    if _AS_THEY_ARE.issuperset(map(type, values)):
        return values
    children = [
        child
        # Most numbers are small integers; this spares them a call.
        if (kind := type(child)) in _AS_THEY_ARE
        or (kind is int and _MIN_EXACT <= child <= _MAX_EXACT)
        else _ready(child)
        for child in values
    ]
    return values if all(map(is_, children, values)) else children


def _has_surrogate_pairs(keys: dict[str, JsonValue]) -> bool:
    together = "".join(keys)
    return not together.isascii() and len(together.encode("utf-16-be")) > 2 * len(together)


def _in_order(value: dict[str, JsonValue]) -> bytes:
    """Return the text of an object with its members in the order of UTF-16 (section 3.2.3)."""
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    # Unless told to sort, the encoder keeps the order; so what is inside is sorted first.
    return msgspec.json.encode({key: msgspec.Raw(_encode(_ready(value[key]))) for key in keys})


def _large(value: int) -> JsonValue:
    try:
        return _double(float(value))
    except OverflowError:
        return None


def _double(value: float) -> JsonValue:
    """Return what the encoder writes as ECMAScript writes this double (section 3.2.2.3)."""
    if value.is_integer():
        if _MIN_EXACT <= value <= _MAX_EXACT:
            return int(value)
    elif abs(value) >= _MIN_ORDINARY and math.isfinite(value):
        return value
    if not math.isfinite(value):
        raise ValueError(f"the number {value}")
    return msgspec.Raw(_text(value).encode())


def _text(value: float) -> str:
    """Return a double as Number.prototype.toString does (ECMA-262, 6.1.6.1.20).

    It is an integer beyond 2**53 or a fraction under a thousandth. The digits are the fewest that
    lead back to the double, and of those the nearest to it: Python's `repr` finds the same. Only
    where the point and the exponent go is another matter.
    """
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    significant = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to this power.
    places = len(significant) - len(fraction) + int(exponent or 0)
    digits = significant.rstrip("0")
    if 0 < places <= _MAX_PLACES:
        # Of an integer so large all digits stand before the point.
        return sign + digits.ljust(places, "0")
    if _MIN_PLACES < places <= 0:
        return f"{sign}0.{'0' * -places}{digits}"
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e{places - 1:+d}"
