"""Suggestions: what a player proposes and a DM disposes of. The campaign's, not the document's.

A whole document pushed by an orchestrator cannot erase them, and no rule of visibility has to hide
them: they are for the DM and their author, and nobody else.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from questlog.campaign.errors import Invalid, RateLimited, TooLarge
from questlog.document import depth, encode

MAX_CONTENT = 4_000
MAX_TYPE = 64
MAX_METADATA = 4_096
MAX_METADATA_DEPTH = 16
MAX_PENDING = 20
MAX_ALL_PENDING = 500
# What waits is in every snapshot, and is told whole to each DM who comes.
MAX_PENDING_BYTES = 32 * 1024
MAX_ALL_PENDING_BYTES = 512 * 1024
# Decided ones are remembered for authors who were away; the log has all of them.
REMEMBERED = 50

Outcome = Literal["accepted", "dismissed", "answered"]
Standing = Literal["pending", "accepted", "dismissed"]


class Suggestion(Struct, frozen=True, kw_only=True):
    """One suggestion as it stands.

    Attributes:
        id: its author's; another author may have one of the same.
        player_id: its author; None: somebody who gave no name.
        version: the campaign's, of the event that made it what it is.
    """

    id: str
    player_id: str | None
    content: str
    suggestion_type: str | None = None
    metadata: dict[str, Any] | None = None
    state: Standing = "pending"
    answer: str | None = None
    version: int = 0


Suggestions = tuple[Suggestion, ...]


def check_suggestion(content: str, kind: str | None, metadata: dict[str, Any] | None) -> None:
    """Refuse what is too much, or nothing.

    Raises:
        Invalid, TooLarge: it is.
    """
    check_text(content, "suggestion")
    if kind is not None and not (1 <= len(kind) <= MAX_TYPE and kind.isprintable()):
        raise Invalid(f"A suggestion_type has 1 to {MAX_TYPE} printable characters.")
    if metadata is None:
        return
    if depth(metadata) > MAX_METADATA_DEPTH:
        raise Invalid(f"metadata is nested deeper than {MAX_METADATA_DEPTH}.")
    if len(encode(metadata)) > MAX_METADATA:
        raise TooLarge(f"metadata is over {MAX_METADATA} bytes.")


def check_text(text: str, what: str) -> None:
    """Refuse words that are none, or too many.

    Raises:
        Invalid, TooLarge: they are.
    """
    if not text.strip():
        raise Invalid(f"A {what} says something.")
    if len(text) > MAX_CONTENT:
        raise TooLarge(f"A {what} has at most {MAX_CONTENT} characters.")


def check_room(there: Suggestions, fresh: Suggestion, most: int) -> None:
    """Refuse a suggestion of a player who has as many waiting as may be, or as much.

    Raises:
        RateLimited: they have, or all players together do.
        Invalid: there is one of this author and id. A retry is known before this is asked.
    """
    if any((each.player_id, each.id) == (fresh.player_id, fresh.id) for each in there):
        raise Invalid("There is a suggestion of this id already.")
    waiting = [each for each in there if each.state == "pending"]
    own = [each for each in waiting if each.player_id == fresh.player_id]
    if len(own) >= most or sum(map(weight, own)) + weight(fresh) > MAX_PENDING_BYTES:
        refusal = RateLimited(f"{len(own)} suggestions are waiting for the DM: wait for an answer.")
        refusal.limit = "max_suggestions"
        raise refusal
    everybodys = sum(map(weight, waiting)) + weight(fresh)
    if len(waiting) >= MAX_ALL_PENDING or everybodys > MAX_ALL_PENDING_BYTES:
        raise RateLimited("Too many suggestions are waiting for the DM: wait for an answer.")


def weight(suggestion: Suggestion) -> int:
    """Return about how many bytes a suggestion takes."""
    return len(suggestion.content.encode()) + len(encode(suggestion.metadata or {}))


def pending(there: Suggestions, player_id: str | None, identifier: str) -> Suggestion:
    """Return the suggestion of this author and id that waits for the DM.

    Raises:
        Invalid: none does.
    """
    for each in there:
        if each.state == "pending" and (each.player_id, each.id) == (player_id, identifier):
            return each
    raise Invalid("No suggestion of this player and id is waiting.")


def made(there: Suggestions, suggestion: Suggestion) -> Suggestions:
    """Return the suggestions with one more."""
    return (*there, suggestion)


def decided(
    there: Suggestions,
    player_id: str | None,
    identifier: str,
    outcome: Outcome,
    answer: str | None,
    version: int,
) -> Suggestions:
    """Return the suggestions after a decision; the oldest decided ones are let go of."""
    found = [
        replace(
            each,
            state="pending" if outcome == "answered" else outcome,
            answer=each.answer if answer is None else answer,
            version=version,
        )
        if each.state == "pending" and (each.player_id, each.id) == (player_id, identifier)
        else each
        for each in there
    ]
    done = sorted(each.version for each in found if each.state != "pending")
    oldest = done[-REMEMBERED] if len(done) > REMEMBERED else 0
    return tuple(each for each in found if each.state == "pending" or each.version >= oldest)
