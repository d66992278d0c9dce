"""Rewinding: the document as it was, or one part of it, put into the document as it is. Pure.

Nothing is taken out of the log: what brings the old document back is one more patch.
"""

from __future__ import annotations

from typing import Any

from questlog.campaign.errors import Invalid
from questlog.document import BadPointer, PatchFailed, apply, diff, get, parse


def rewinding(
    document: dict[str, Any], target: dict[str, Any], only: str | None
) -> list[dict[str, Any]]:
    """Return the operations that make `document`, or what is at `only` in it, what it was.

    Args:
        target: the document to go back to.
        only: a JSON Pointer; None or "": the whole document.

    Raises:
        Invalid: `only` is no pointer, names nothing in either document, or leads through something
            that is not there any more.
    """
    if not only:
        return diff(document, target)
    try:
        tokens = parse(only)
    except BadPointer as error:
        raise Invalid(f"only is a JSON Pointer: {error}.") from error
    was, now = _at(target, tokens), _at(document, tokens)
    if not was and not now:
        raise Invalid("There is nothing at that pointer, neither now nor at that version.")
    if not was:
        return [{"op": "remove", "path": only}]
    put = {"op": "replace" if now else "add", "path": only, "value": was[0]}
    sentence = "What held it at that version is not there now: rewind that, or all."
    try:
        after = apply(document, [put])
    except PatchFailed as error:
        raise Invalid(sentence) from error
    if not _at(after, tokens):
        # A member called "-" then; in a list that is there now, the place past its end.
        raise Invalid(sentence)
    return diff(document, after)


def _at(document: dict[str, Any], tokens: tuple[str, ...]) -> list[Any]:
    """Return the value at a pointer, in a list; nothing where there is none."""
    try:
        return [get(document, tokens)]
    except BadPointer:
        return []
