"""JSON text to values and back (RFC 8259), strictly, and within limits."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from questlog.document.errors import BadJson, InvalidDocument, TooLarge
from questlog.document.limits import JsonValue, Limits
from questlog.document.pointer import join

# Python and the decoder convert no more decimal digits than this.
_MAX_DIGITS = 4300
# Integers of so few bits never have more, which spares computing the power of ten.
_SURELY_FEW_BITS = 14_284


def decode(data: bytes | str, limits: Limits | None = None) -> JsonValue:
    """Return the value that `data` spells.

    Integers of any size are exact, up to 4300 digits. Of members with one name the last counts.

    Raises:
        TooLarge: `data` is longer than `limits.max_bytes`; nothing was decoded.
        BadJson: it is not JSON in UTF-8, or has NaN, Infinity, 1e400 or a lone surrogate in it.
        InvalidDocument: it is nested deeper than `limits.max_depth`.
    """
    limits = limits or Limits()
    if len(data) > limits.max_bytes:
        sentence = f"the text has {len(data)} bytes, over the limit of {limits.max_bytes}"
        raise TooLarge(sentence, limit="max_bytes")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadJson(f"the text is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep(limits) from None
    if _brackets(data) > limits.max_depth and depth(value, limits.max_depth) > limits.max_depth:
        raise _too_deep(limits)
    return value


def encode(value: JsonValue) -> bytes:
    """Return `value` as compact JSON.

    What came from `decode` can always be written; what a Python caller made goes through `check`
    first, since NaN would be written as null.

    Raises:
        InvalidDocument: there is a lone surrogate, endless nesting or no JSON value in it.
    """
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidDocument(f"the value cannot be written as JSON: {error}") from None


def canonical(value: JsonValue) -> bytes:
    """Return `value` as compact JSON with sorted keys: the same bytes whatever their order.

    Numbers keep their kind, so that 1 and 1.0, though equal, give different bytes.

    Raises:
        InvalidDocument: as for `encode`.
    """
    try:
        return msgspec.json.encode(value, order="sorted")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidDocument(f"the value cannot be written as JSON: {error}") from None


def depth(value: JsonValue, limit: int | None = None) -> int:
    """Return how many containers lie around the innermost value: 0 for a number, 1 for `[]`.

    Level by level, so that depth costs no stack. Past `limit` the count stops at `limit + 1`.
    """
    level = [value] if type(value) is dict or type(value) is list else []
    deep = 0
    while level:
        deep += 1
        if limit is not None and deep > limit:
            break
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
    return deep


class _Place(NamedTuple):
    """A value and the way to it; a way is a link to its parent's, and made text only on error."""

    value: JsonValue
    token: str | int | None
    above: _Place | None

    def pointer(self) -> str:
        tokens: list[str] = []
        place: _Place | None = self
        while place is not None and place.token is not None:
            tokens.append(str(place.token))
            place = place.above
        return join(reversed(tokens))


def check(value: JsonValue, limits: Limits | None = None) -> None:
    """Make sure that a value made by a Python program is one that JSON can hold, exactly.

    Raises:
        InvalidDocument: something in it is not a dict with str keys, list, str, int, float, bool
            or None; is NaN or infinite, has a lone surrogate or over 4300 digits, or is nested
            deeper than `limits.max_depth`. The sentence names the place by its JSON Pointer.
    """
    limits = limits or Limits()
    level = {id(value): _Place(value, None, None)}
    deep = 0
    while level:
        # By identity: a list that contains itself twice must not double at each level.
        below: dict[int, _Place] = {}
        for place in level.values():
            if (fault := _fault(place.value)) is not None:
                raise InvalidDocument(f"{fault} at {place.pointer()!r}")
            for child in _children(place):
                below[id(child.value)] = child
        deep += any(type(place.value) in (dict, list) for place in level.values())
        if deep > limits.max_depth:
            raise _too_deep(limits)
        level = below


def _children(place: _Place) -> list[_Place]:
    if type(place.value) is dict:
        return [_Place(child, key, place) for key, child in place.value.items()]
    if type(place.value) is list:
        return [_Place(child, index, place) for index, child in enumerate(place.value)]
    return []


def _fault(value: JsonValue) -> str | None:
    """Return what is wrong with `value` itself, whatever it contains."""
    kind = type(value)
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return f"a key of type {type(key).__name__}"
            if _has_lone_surrogate(key):
                return "a key with a lone surrogate"
        return None
    if kind is str:
        return "a lone surrogate" if _has_lone_surrogate(value) else None
    if kind is float:
        return None if math.isfinite(value) else f"the number {value}"
    if kind is int:
        if value.bit_length() > _SURELY_FEW_BITS and abs(value) >= 10**_MAX_DIGITS:
            return f"an integer over {_MAX_DIGITS} digits"
        return None
    return None if kind in (bool, list, type(None)) else f"a value of type {kind.__name__}"


def _has_lone_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _brackets(data: bytes | str) -> int:
    """Return an upper bound of the depth, so that small messages need no second look."""
    if isinstance(data, str):
        return data.count("[") + data.count("{")
    return data.count(b"[") + data.count(b"{")


def _too_deep(limits: Limits) -> InvalidDocument:
    sentence = f"the document is nested deeper than {limits.max_depth}"
    return InvalidDocument(sentence, limit="max_depth")
