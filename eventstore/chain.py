"""The hash chain: each event's hash covers the one before it and every other field, as stored.

`hash = SHA-256(previous hash, field, field, …)`, each part preceded by its length in bytes as an
8-byte big-endian number, so that no two different records run together to the same input. The
fields are the columns of the table, as UTF-8 text, in the order of `FIELDS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache

# Lengths that are not made anew for each field.
KNOWN = 1024
GENESIS = "0" * 64
FIELDS = (
    "campaign_id",
    "version",
    "id",
    "kind",
    "member",
    "role",
    "at",
    "patch",
    "data",
    "meta",
    "request",
    "schema",
)

# Where some of them are.
VERSION, KIND, AT, PATCH, DATA, SCHEMA = 1, 3, 6, 7, 8, 11


def link(previous: str, fields: Iterable[str | int], errors: str = "strict") -> str:
    """Return the hex hash of an event: `previous` is the hash before it (GENESIS for the first).

    Args:
        errors: as for `str.encode`: how bytes that are no text were read.
    """
    # Every event of a log that is proved goes through here: no more objects than it takes.
    lengths = _lengths()
    parts: list[bytes] = []
    for field in (previous, *fields):
        part = str(field).encode("utf-8", errors)
        size = len(part)
        parts.append(lengths[size] if size < KNOWN else size.to_bytes(8))
        parts.append(part)
    return hashlib.sha256(b"".join(parts)).hexdigest()


@cache
def _lengths() -> tuple[bytes, ...]:
    return tuple(size.to_bytes(8) for size in range(KNOWN))
