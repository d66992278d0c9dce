"""The patch between two documents: always right, small, and quick where little changed.

Two values that are the same object are not looked into, nor are two that compare equal; so the
work goes where the change is. Objects are compared member by member, lists are aligned (see
`lists`). From the inside out, a patch that would be longer than simply replacing the value gives
way to that.
"""

from __future__ import annotations

from typing import Any

from questlog.document.codec import encode
from questlog.document.equality import equal
from questlog.document.limits import JsonValue
from questlog.document.lists import align
from questlog.document.pointer import escape

Operation = dict[str, Any]

_MISSING = object()
# `{"op":"replace","path":"","value":}` and the comma after it.
_REPLACE_FRAME = 36


def diff(old: JsonValue, new: JsonValue) -> list[Operation]:
    """Return RFC 6902 operations that make `new` of `old`; none where they are equal.

    As JSON has it: the order of keys is no difference, nor is 1 against 1.0, but 0 against false
    is. The operations hold parts of `new` itself, and never take more bytes than one that
    replaces the whole. They only use add, remove, replace and move.

    Raises:
        InvalidDocument: `new` holds something that JSON cannot.
    """
    script = _Script()
    script.change("", old, new)
    return script.operations


class _Script:
    """The operations so far. Each method returns how many bytes it added, commas included."""

    __slots__ = ("operations",)

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def emit(self, operation: Operation) -> int:
        self.operations.append(operation)
        return len(encode(operation)) + 1

    def change(self, path: str, old: JsonValue, new: JsonValue) -> int:
        """Make `new` of the `old` value at `path`."""
        if old is new or equal(old, new):
            return 0
        mark = len(self.operations)
        if type(old) is dict and type(new) is dict:
            cost = self.change_object(path, old, new)
        elif type(old) is list and type(new) is list:
            cost = self.change_list(path, old, new)
        else:
            return self.emit({"op": "replace", "path": path, "value": new})
        spare = cost - _REPLACE_FRAME - len(path)
        if not takes_at_least(new, spare):
            # Only now is it worth measuring: `new` is hardly larger than the patch.
            whole = {"op": "replace", "path": path, "value": new}
            size = len(encode(whole)) + 1
            if size < cost:
                self.operations[mark:] = [whole]
                return size
        return cost

    def change_object(self, path: str, old: dict[str, Any], new: dict[str, Any]) -> int:
        """Make `new` of the `old` object, member by member."""
        cost = 0
        for key, before in old.items():
            after = new.get(key, _MISSING)
            if after is before:
                continue
            if after is _MISSING:
                cost += self.emit({"op": "remove", "path": f"{path}/{escape(key)}"})
            else:
                cost += self.change(f"{path}/{escape(key)}", before, after)
        for key in new:
            if key not in old:
                member = f"{path}/{escape(key)}"
                cost += self.emit({"op": "add", "path": member, "value": new[key]})
        return cost

    def change_list(self, path: str, old: list[Any], new: list[Any]) -> int:
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
            cost += self.change(f"{path}/{after}", old[before], new[after])
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
