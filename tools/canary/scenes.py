"""Scenes: the versions of a script, each with how it is made, what is true after it, and what is
said with it.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from questlog.campaign.visibility import Rules, Viewer

Way = Literal[
    "create",
    "commit",
    "post",
    "patch",
    "whole",
    "put",
    "merge",
    "rules",
    "activate",
    "deactivate",
    "rewind",
    "suggest",
    "decide",
    "lease",
    "begin",
    "chunk",
    "end",
]


class Word(Struct, frozen=True):
    """Something that is said and is no version: a signal, or a status.

    Attributes:
        speaker: a player, None: the DM.
        message: as it is sent.
        to: whom a signal is for, None: everyone.
        numbers: the canaries in it.
    """

    speaker: str | None
    message: dict[str, Any]
    to: tuple[str, ...] | None
    numbers: frozenset[int]


class Scene(Struct, frozen=True, kw_only=True):
    """One version: how it is made, and what is true after it.

    Attributes:
        way: the call or message that makes it.
        body: what is sent.
        kind: the event's, where a client names one.
        event: the canaries in the event's header.
        table: whether the campaign sits at its table.
        author: of the suggestion it is about, who is told of it; None: nobody but DMs.
        said: the canaries in what is said of it beside the document.
        spoken: the document while the words of a narration are heard.
        words: what is said before it is made.
    """

    version: int
    way: Way
    body: Any
    id: str
    kind: str
    meta: dict[str, Any]
    event: frozenset[int]
    document: dict[str, Any]
    rules: Rules
    table: bool
    author: Viewer | None = None
    said: frozenset[int] = frozenset()
    spoken: dict[str, Any] | None = None
    words: tuple[Word, ...] = ()
