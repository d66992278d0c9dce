"""How large a document may be, and a document together with its size."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

# A recursive type would be exact, but each step into a document would need a cast to satisfy it.
JsonValue: TypeAlias = Any

MEBIBYTE = 1024 * 1024


class Limits(Struct, frozen=True):
    """What a document may cost.

    Attributes:
        max_bytes: of the text that comes in, and of the document written compactly.
        max_depth: containers around the innermost value; `[]` has depth 1, a number 0.
        max_operations: in one patch.
    """

    max_bytes: int = 16 * MEBIBYTE
    max_depth: int = 100
    max_operations: int = 10_000


class Sized(Struct, frozen=True):
    """A document and the bytes it takes when written compactly: `len(encode(value))`."""

    value: JsonValue
    size: int
