"""Tracing: where a value was before an operation, and whether that operation changed it. Pure.

A value is known by its pointer. Between two documents a list's elements change their places when
one is put before them or taken away, and a `move` takes a value somewhere else; so the pointer is
carried back through each operation to where the same value was before it.
"""

from __future__ import annotations

from typing import Any

from questlog.document import BadPointer, apply, equal, get, parse

Path = tuple[str, ...]


def before(document: Any, operation: dict[str, Any], path: Path) -> Path | None:
    """Return where the value at `path` after an operation was before it; None: nowhere.

    Args:
        document: as it was before the operation.
    """
    op, target = operation["op"], parse(operation["path"])
    if op == "test":
        return path
    if op == "remove":
        return _after_removal(document, target, path)
    if op == "move":
        source = parse(operation["from"])
        # A move is a removal and then an addition: undone in the other order.
        without = apply(document, [{"op": "remove", "path": operation["from"]}])
        target = _resolved(without, target)
        if path[: len(target)] == target:
            return (*source, *path[len(target) :])
        return _after_removal(document, source, _after_addition(without, target, path))
    target = _resolved(document, target)
    if path[: len(target)] != target:
        return path if op == "replace" else _after_addition(document, target, path)
    if _is_insertion(document, op, target) or not _is_there(document, path):
        return None
    # Put there by this operation; whether that changed it is for who compares the two.
    return path


def _after_addition(document: Any, target: Path, path: Path) -> Path:
    """Return where `path` was before something was added at `target`, which is not above it."""
    place = _shifted(document, target, path)
    if place is None or int(path[place]) < int(target[place]):
        return path
    return (*path[:place], str(int(path[place]) - 1), *path[place + 1 :])


def _after_removal(document: Any, target: Path, path: Path) -> Path:
    """Return where `path` was before what is at `target` was removed."""
    place = _shifted(document, target, path)
    if place is None or int(path[place]) < int(target[place]):
        return path
    return (*path[:place], str(int(path[place]) + 1), *path[place + 1 :])


def _shifted(document: Any, target: Path, path: Path) -> int | None:
    """Return which token of `path` is an index that a change at `target` moves; None: none is."""
    place = len(target) - 1
    if place < 0 or len(path) <= place or path[:place] != target[:place]:
        return None
    return place if _is_list(document, target[:place]) else None


def _resolved(document: Any, target: Path) -> Path:
    """Return a target with the index that "-" stands for."""
    if target and target[-1] == "-" and _is_list(document, target[:-1]):
        return (*target[:-1], str(len(get(document, target[:-1]))))
    return target


def _is_insertion(document: Any, op: str, target: Path) -> bool:
    return op != "replace" and bool(target) and _is_list(document, target[:-1])


def _is_list(document: Any, path: Path) -> bool:
    try:
        return type(get(document, path)) is list
    except BadPointer:
        return False


def _is_there(document: Any, path: Path) -> bool:
    try:
        get(document, path)
    except BadPointer:
        return False
    return True


def back(document: Any, operations: list[dict[str, Any]], path: Path, value: Any) -> Path | None:
    """Return where a value was before `operations`, unchanged; None: nowhere.

    Args:
        document: as it was before them.
        path, value: where it is after them, and what it is.
    """
    documents = [document]
    for operation in operations[:-1]:
        documents.append(apply(documents[-1], [operation]))
    place: Path | None = path
    for known, operation in zip(reversed(documents), reversed(operations), strict=True):
        place = before(known, operation, place) if place is not None else None
        if place is None:
            return None
    try:
        was = get(document, place) if place is not None else None
    except BadPointer:
        return None
    return place if equal(was, value) else None
