"""JSON documents as values: never mutated, only replaced.

pointer   where something is         RFC 6901
codec     text to values and back    RFC 8259
apply     a patch makes a new value  RFC 6902
sized     the same, within limits
merge     a merge patch does         RFC 7396
equality  when two values are one
canonical one text for one value   RFC 8785  (a digest that JavaScript can compute too)
diff      the patch between two      (lists: how lists are aligned)
rebase    what changed between two, put on a third
"""

from __future__ import annotations

from questlog.document.apply import apply
from questlog.document.canonical import digest
from questlog.document.codec import canonical, check, decode, depth, encode
from questlog.document.diff import diff
from questlog.document.equality import equal
from questlog.document.errors import (
    BadJson,
    BadPointer,
    DocumentError,
    InvalidDocument,
    PatchFailed,
    TooLarge,
)
from questlog.document.limits import JsonValue, Limits, Sized
from questlog.document.merge import merge
from questlog.document.pointer import escape, get, join, parse
from questlog.document.rebase import rebase
from questlog.document.sized import apply_within

__all__ = [
    "BadJson",
    "BadPointer",
    "DocumentError",
    "InvalidDocument",
    "JsonValue",
    "Limits",
    "PatchFailed",
    "Sized",
    "TooLarge",
    "apply",
    "apply_within",
    "canonical",
    "check",
    "decode",
    "depth",
    "diff",
    "digest",
    "encode",
    "equal",
    "escape",
    "get",
    "join",
    "merge",
    "parse",
    "rebase",
]
