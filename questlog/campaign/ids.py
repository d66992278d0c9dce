"""Identifiers: what a campaign, a table, a player and a kind may be called, and new event ids."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache

from questlog.campaign.errors import Invalid
from questlog.campaign.events import RESERVED_PREFIXES

MAX_NAME = 128
MAX_EVENT_ID = 64
MAX_KIND = 64
MAX_TITLE = 200
_SHOWN = '/ \\ ? # % " < > { }'
_FORBIDDEN = frozenset(_SHOWN)
_KIND = r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*"


def check_name(name: str, what: str) -> str:
    """Return `name` if it can be a campaign's, table's or player's id.

    Raises:
        Invalid: it is empty, over 128 characters, or holds space, control or URL characters.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise Invalid(f"A {what} has 1 to {MAX_NAME} characters.")
    if name in (".", "..") or not name.isprintable() or not _FORBIDDEN.isdisjoint(name):
        raise Invalid(f"A {what} has no spaces, no control characters and none of {_SHOWN}.")
    return name


def check_event_id(identifier: str) -> str:
    """Return `identifier` if it can be a commit's id.

    Raises:
        Invalid: it is empty, over 64 characters or has unprintable ones.
    """
    if not 1 <= len(identifier) <= MAX_EVENT_ID or not identifier.isprintable():
        raise Invalid(f"A commit's id has 1 to {MAX_EVENT_ID} printable characters.")
    return identifier


@lru_cache(maxsize=1024)
def check_kind(kind: str) -> str:
    """Return `kind` if a client may commit it: lower-case words with dots between.

    Raises:
        Invalid: it is no such word, over 64 characters, or one of the server's own.
    """
    if len(kind) > MAX_KIND or not re.fullmatch(_KIND, kind):
        raise Invalid(f"A kind is lower-case words with dots between, up to {MAX_KIND} characters.")
    if kind.partition(".")[0] in RESERVED_PREFIXES:
        raise Invalid("Kinds of this name are the server's own.")
    return kind


def check_title(title: str | None) -> str | None:
    """Return `title` if it may be a campaign's or a session's; None is none.

    Raises:
        Invalid: it is too long.
    """
    if title is not None and len(title) > MAX_TITLE:
        raise Invalid(f"A title has at most {MAX_TITLE} characters.")
    return title


def derived_id(*parts: str | None) -> str:
    """Return an event id made of `parts`: the same ones make the same id, others another."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def uuid7(now_ms: int, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562, 5.7) of a Unix time in milliseconds and 10 random bytes."""
    value = (now_ms & ((1 << 48) - 1)) << 80 | int.from_bytes(randomness, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
