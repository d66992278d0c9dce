"""JSON Patch (RFC 6902) on documents that are values: the old one stays, the new one shares.

Only the containers on the way to a change are copied, each once for a whole patch; all others
belong to the old and the new document alike. So a patch is atomic without an undo (what failed
half-way is dropped), costs as much as the paths it touches, and lets `diff` see by `is` what
stayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from questlog.document.equality import equal
from questlog.document.errors import BadPointer, PatchFailed
from questlog.document.limits import JsonValue
from questlog.document.pointer import array_index, get, parse

Tokens = tuple[str, ...]


def apply(document: JsonValue, operations: Sequence[dict[str, Any]]) -> JsonValue:
    """Return `document` after all of `operations`; neither of the two is changed.

    The result may hold values of `operations` themselves, which therefore must not be mutated
    later, as no value may.

    Raises:
        PatchFailed: naming the operation that does not apply, and why.
    """
    return Editor(document).run(operations)


class Editor:
    """One run of a patch over one document.

    `owned` holds the containers this run made and that nothing else refers to: they alone may be
    written. Keeping them alive there makes their ids safe as keys.
    """

    __slots__ = ("owned", "root")

    def __init__(self, document: JsonValue) -> None:
        self.root = document
        self.owned: dict[int, Any] = {}

    def run(self, operations: Sequence[dict[str, Any]]) -> JsonValue:
        """Carry out `operations` and return the new document."""
        if not isinstance(operations, list | tuple):
            raise PatchFailed("a patch is a list of operations")
        index = 0
        try:
            for index, operation in enumerate(operations):  # noqa: B007 - used where it fails
                self.step(operation)
        except (PatchFailed, BadPointer) as error:
            raise _located(error, index, operations[index]) from None
        return self.root

    def step(self, operation: dict[str, Any]) -> None:
        """Carry out one operation (RFC 6902, section 4)."""
        try:
            op = operation["op"]
            tokens = parse(operation["path"])
            if op == "replace":
                self.replace(tokens, operation["value"])
            elif op == "add":
                self.add(tokens, operation["value"])
            elif op == "remove":
                self.remove(tokens)
            elif op == "test":
                if not equal(get(self.root, tokens), operation["value"]):
                    raise PatchFailed("the value is not the one tested for")
            elif op == "move":
                self.move(parse(operation["from"]), tokens)
            elif op == "copy":
                self.copy(parse(operation["from"]), tokens)
            else:
                raise PatchFailed("there is no such operation")
        except (LookupError, TypeError, AttributeError):
            # Looked into only now: checking shapes before each operation would double its cost.
            if (fault := _misshapen(operation)) is None:
                raise
            raise PatchFailed(fault) from None

    def add(self, tokens: Tokens, value: JsonValue) -> None:
        """Put `value` at `tokens`: a new or overwritten member, or a new element of a list."""
        if not tokens:
            self.set_root(value)
            return
        node = self.parent(tokens)
        token = tokens[-1]
        if type(node) is dict:
            self.set(node, token, value)
        else:
            size = len(node)
            self.insert(node, size if token == "-" else array_index(token, size + 1), value)

    def replace(self, tokens: Tokens, value: JsonValue) -> None:
        """Put `value` in the place of what is at `tokens`."""
        if not tokens:
            self.set_root(value)
            return
        node = self.parent(tokens)
        self.set(node, _existing(node, tokens[-1]), value)

    def remove(self, tokens: Tokens) -> JsonValue:
        """Take out and return what is at `tokens`."""
        if not tokens:
            raise PatchFailed("the whole document cannot be removed")
        node = self.parent(tokens)
        return self.delete(node, _existing(node, tokens[-1]))

    def move(self, source: Tokens, target: Tokens) -> None:
        """Take what is at `source` to `target`; not into itself (RFC 6902, section 4.4)."""
        if target == source:
            get(self.root, source)
        elif target[: len(source)] == source:
            raise PatchFailed("a value cannot be moved into itself")
        else:
            self.add(target, self.remove(source))

    def copy(self, source: Tokens, target: Tokens) -> None:
        """Put what is at `source` at `target` too."""
        value = get(self.root, source)
        if type(value) is dict or type(value) is list:
            # It now stands in two places: whatever this run owned inside it is its alone no more.
            self.owned.clear()
        self.add(target, value)

    def parent(self, tokens: Tokens) -> Any:
        """Return the container of the last of `tokens`, it and all above it made our own."""
        owned = self.owned
        node = self.root
        if id(node) not in owned:
            node = self.root = self.own(node)
        for token in tokens[:-1]:
            key = token if type(node) is dict else array_index(token, len(node))
            try:
                child = node[key]
            except KeyError:
                raise PatchFailed(f"the object has no member {token[:80]!r}") from None
            if id(child) not in owned:
                child = node[key] = self.own(child)
            node = child
        return node

    def own(self, container: JsonValue) -> Any:
        """Return a copy of `container` that this run may write into."""
        if type(container) is not dict and type(container) is not list:
            raise PatchFailed("the path leads into a value that holds nothing")
        fresh = container.copy()
        self.owned[id(fresh)] = fresh
        return fresh

    # The four ways in which a document changes; whoever keeps an account extends these.

    def set_root(self, value: JsonValue) -> None:
        """Make `value` the whole document."""
        self.root = value

    def set(self, node: Any, key: Any, value: JsonValue) -> None:
        """Set a member of an object, new or not, or an element that a list has."""
        node[key] = value

    def insert(self, node: list[Any], index: int, value: JsonValue) -> None:
        """Put `value` into a list, before the element at `index`."""
        node.insert(index, value)

    def delete(self, node: Any, key: Any) -> JsonValue:
        """Take out a member or an element that is there, and return it."""
        return node.pop(key)


def _existing(node: Any, token: str) -> str | int:
    """Return `token` as the key of something that is in `node`."""
    if type(node) is list:
        return array_index(token, len(node))
    if token not in node:
        raise PatchFailed(f"the object has no member {token[:80]!r}")
    return token


def _misshapen(operation: Any) -> str | None:
    """Return what an operation lacks, if it lacks anything."""
    if not isinstance(operation, dict):
        return "an operation is an object"
    if not isinstance(operation.get("op"), str):
        return "the operation has no op that is a text"
    needed = ("path", "from") if operation["op"] in ("move", "copy") else ("path",)
    for member in needed:
        if not isinstance(operation.get(member), str):
            return f"the operation has no {member} that is a pointer"
    if operation["op"] in ("add", "replace", "test") and "value" not in operation:
        return "the operation has no value"
    return None


def _located(error: PatchFailed | BadPointer, index: int, operation: Any) -> PatchFailed:
    """Return `error` with the place in the patch where it arose."""
    named = operation if isinstance(operation, dict) else {}
    op, path = (
        value if isinstance(value := named.get(name), str) else None for name in ("op", "path")
    )
    what = "" if op is None else f" ({op[:20]} {'' if path is None else path[:200]!r})"
    return PatchFailed(f"operation {index}{what}: {error}", index=index, op=op, path=path)
