"""The patch between two documents: always right, small, and quick where little changed.

Two values that are the same object are not looked into, nor are two that compare equal; so the
work goes where the change is. Objects are compared member by member, lists are aligned (see
`lists`). From the inside out, a patch that would be longer than simply replacing the value gives
way to that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from questlog.document.codec import encode
from questlog.document.equality import equal, equal_apart
from questlog.document.limits import JsonValue
from questlog.document.lists import align
from questlog.document.pointer import escape

Operation = dict[str, Any]

# A patch of more operations than a server takes by default would be of no use.
MAX_OPERATIONS = 10_000

_MISSING = object()
# Down to here values are entered without comparing them first. Documents are compared because
# they differ, and then comparing the whole, and again what is in it, does most of it twice.
_ENTERED = 2
_TOP_FACTOR = 2
# `{"op":"replace","path":"","value":}` and the comma after it.
_REPLACE_FRAME = 36


def diff(old: JsonValue, new: JsonValue) -> list[Operation]:
    """Return RFC 6902 operations that make `new` of `old`; none where they are equal.

    As JSON has it: the order of keys is no difference, nor is 1 against 1.0, but 0 against false
    is. The operations hold parts of `new` itself. They only use add, remove, replace and move,
    and are at most `MAX_OPERATIONS`: what would take more is replaced where most of them arise.

    No part is described in more bytes than replacing it takes, and an object at the top in no
    more than twice as many: a log of small documents should tell what changed, not repeat them.

    Raises:
        InvalidDocument: `new` holds something that JSON cannot.
    """
    script = _Script(equal if _share(old, new) else equal_apart)
    if not script.same(old, new, 0):
        script.change("", old, new, 0)
    return script.operations


def _share(old: JsonValue, new: JsonValue) -> bool:
    """Return whether the two have a container in common, as after a patch, right below the top."""
    if type(old) is not dict or type(new) is not dict:
        return False
    return any(
        value is new.get(key)
        for key, value in old.items()
        if type(value) is dict or type(value) is list
    )


class _TooManyOperations(Exception):  # noqa: N818 - a signal, caught where it can be mended
    """The patch has become too long to go on."""


class _Script:
    """The operations so far. Each method returns how many bytes it added, commas included."""

    __slots__ = ("equal", "operations")

    def __init__(self, equal: Callable[[JsonValue, JsonValue], bool]) -> None:
        self.equal = equal
        self.operations: list[Operation] = []

    def emit(self, operation: Operation) -> int:
        if len(self.operations) >= MAX_OPERATIONS:
            raise _TooManyOperations
        self.operations.append(operation)
        return len(encode(operation)) + 1

    def same(self, old: JsonValue, new: JsonValue, level: int) -> bool:
        """Return whether to pass the two by; False for unlike ones and those to be entered."""
        if old is new:
            return True
        kind = type(old)
        if kind is str:
            return bool(old == new)
        if level < _ENTERED and kind is type(new) and (kind is dict or kind is list):
            return False
        return self.equal(old, new)

    def change(self, path: str, old: JsonValue, new: JsonValue, level: int) -> int:
        """Make `new` of the `old` value at `path`, which is `level` containers deep."""
        kind = type(old)
        if kind is not type(new) or (kind is not dict and kind is not list):
            return self.emit({"op": "replace", "path": path, "value": new})
        mark = len(self.operations)
        change_inside = self.change_object if kind is dict else self.change_list
        try:
            cost = change_inside(path, old, new, level + 1)
        except _TooManyOperations:
            if level and len(self.operations) - mark < MAX_OPERATIONS // 2:
                raise
            del self.operations[mark:]
            return self.emit({"op": "replace", "path": path, "value": new})
        spare = cost - _REPLACE_FRAME - len(path)
        if not takes_at_least(new, spare):
            # Only now is it worth measuring: `new` is hardly larger than the patch.
            whole = {"op": "replace", "path": path, "value": new}
            size = len(encode(whole)) + 1
            if size * (1 if level or kind is list else _TOP_FACTOR) < cost:
                self.operations[mark:] = [whole]
                return size
        return cost

    def change_object(self, path: str, old: dict[str, Any], new: dict[str, Any], level: int) -> int:
        """Make `new` of the `old` object, member by member."""
        cost = 0
        for key, before in old.items():
            after = new.get(key, _MISSING)
            if after is before:
                continue
            if after is _MISSING:
                cost += self.emit({"op": "remove", "path": f"{path}/{escape(key)}"})
            elif not self.same(before, after, level):
                cost += self.change(f"{path}/{escape(key)}", before, after, level)
        for key in new:
            if key not in old:
                member = f"{path}/{escape(key)}"
                cost += self.emit({"op": "add", "path": member, "value": new[key]})
        return cost

    def change_list(self, path: str, old: list[Any], new: list[Any], level: int) -> int:
        """Make `new` of the `old` list: first put the elements in their places, then mend them."""
        alignment = align(old, new)
        if alignment is None:
            return self.emit({"op": "replace", "path": path, "value": new})
        cost = 0
        for index in alignment.removed:
            cost += self.emit({"op": "remove", "path": f"{path}/{index}"})
        for source, target in alignment.placed:
            if source is None:
                place = {"op": "add", "path": f"{path}/{target.at}", "value": new[target.final]}
            else:
                place = {
                    "op": "move",
                    "from": f"{path}/{source}",
                    "path": f"{path}/{target.at}",
                }
            cost += self.emit(place)
        for before, after in alignment.kept:
            if not self.same(old[before], new[after], level):
                cost += self.change(f"{path}/{after}", old[before], new[after], level)
        return cost


def takes_at_least(value: JsonValue, size: int) -> bool:
    """Return whether `value` surely takes `size` bytes when encoded, looking at few of its parts.

    False means "not surely". The work is bounded by `size`, however large the value.
    """
    total = 0
    rest = [value]
    while total < size:
        if not rest:
            return False
        part = rest.pop()
        if type(part) is str:
            total += len(part) + 2
        elif type(part) is dict:
            # Per member two quotes, a colon and a comma; the last comma's place and one more
            # are the braces.
            total += 4 * len(part) + 1
            if total < size:
                total += sum(map(len, part))
                rest.extend(part.values())
        elif type(part) is list:
            total += len(part) + 1
            if total < size:
                rest.extend(part)
        else:
            total += 1
    return True
