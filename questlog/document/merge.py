"""JSON Merge Patch (RFC 7396): say what members become; null takes one away."""

from __future__ import annotations

from typing import Any

from questlog.document.equality import equal
from questlog.document.limits import JsonValue


def merge(target: JsonValue, patch: JsonValue) -> JsonValue:
    """Return `target` merged with `patch` (RFC 7396, section 2), neither of them changed.

    What the patch does not touch is shared with `target`; where it changes nothing at all, the
    result is `target` itself. Recursion is as deep as `patch`, which `decode` has bounded.
    """
    if type(patch) is not dict:
        return target if equal(target, patch) else patch
    if type(target) is not dict:
        return _bare(patch)
    result: dict[str, Any] | None = None
    for key, change in patch.items():
        if change is None:
            if key not in target:
                continue
            result = result if result is not None else target.copy()
            del result[key]
            continue
        if key in target:
            merged = merge(target[key], change)
            if merged is target[key]:
                continue
        else:
            merged = merge(None, change)
        result = result if result is not None else target.copy()
        result[key] = merged
    return target if result is None else result


def _bare(patch: dict[str, Any]) -> dict[str, Any]:
    """Return `patch` as a value: without the members that are null, at every depth of objects."""
    return {key: merge(None, change) for key, change in patch.items() if change is not None}
