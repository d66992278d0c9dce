"""JSON Pointer (RFC 6901): the text `/heroes/0/hp` is the tokens `("heroes", "0", "hp")`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from questlog.document.errors import BadPointer
from questlog.document.limits import JsonValue

# No list is longer than this many digits can count; more of them only cost time to convert.
_MAX_INDEX_DIGITS = 18


def parse(text: str) -> tuple[str, ...]:
    """Return the tokens of a pointer; the empty pointer, which names the whole, has none.

    Raises:
        BadPointer: it does not start with `/`, or a `~` is not followed by 0 or 1.
    """
    if text == "":
        return ()
    if text[0] != "/":
        raise BadPointer(f"the pointer {text[:80]!r} does not start with a slash")
    if "~" in text:
        return tuple(map(_unescape, text[1:].split("/")))
    return tuple(text[1:].split("/"))


def _unescape(token: str) -> str:
    # In this order, so that ~01 comes out as ~1 and not as a slash (RFC 6901, section 4).
    text = token.replace("~1", "/")
    if "~" in text and text.count("~") != token.count("~0"):
        raise BadPointer(f"in {token[:80]!r} a tilde is not followed by 0 or 1")
    return text.replace("~0", "~")


def escape(token: str) -> str:
    """Return `token` as it is written inside a pointer (RFC 6901, section 3)."""
    if "~" in token or "/" in token:
        return token.replace("~", "~0").replace("/", "~1")
    return token


def join(tokens: Iterable[str]) -> str:
    """Return the pointer made of `tokens`; the inverse of `parse`."""
    return "".join(["/" + escape(token) for token in tokens])


def array_index(token: str, length: int) -> int:
    """Return the place in a list of `length` that `token` names (RFC 6901, section 4).

    Raises:
        BadPointer: it is no number in ASCII digits without leading zeros, or past the end.
    """
    # isdecimal alone would let Arabic or full-width digits through.
    if not (token.isdecimal() and token.isascii()) or (token[0] == "0" and token != "0"):
        raise BadPointer(f"{token[:40]!r} is no index of a list")
    if len(token) > _MAX_INDEX_DIGITS or (index := int(token)) >= length:
        raise BadPointer(f"the list has no element {token[:40]}")
    return index


def get(document: JsonValue, pointer: str | Sequence[str]) -> JsonValue:
    """Return the value that `pointer`, as text or as tokens, names in `document`.

    Raises:
        BadPointer: the pointer is malformed, or there is nothing where it points.
    """
    tokens = parse(pointer) if isinstance(pointer, str) else pointer
    value = document
    for token in tokens:
        if type(value) is dict:
            try:
                value = value[token]
            except KeyError:
                raise BadPointer(f"the object has no member {token[:80]!r}") from None
        elif type(value) is list:
            value = value[array_index(token, len(value))]
        else:
            raise BadPointer(f"{token[:80]!r} points into a value that holds nothing")
    return value
