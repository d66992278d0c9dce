"""Apply a patch within limits, keeping the exact size of the document without encoding it.

A patch of a few hundred bytes can copy a document into itself forty times. Nothing here ever
writes, or encodes, more than the limit allows: the size is an account, kept from what each
operation puts in and takes out, and looked at after every one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from questlog.document.apply import Editor, Tokens
from questlog.document.codec import depth, encode
from questlog.document.errors import InvalidDocument, TooLarge
from questlog.document.limits import JsonValue, Limits, Sized

# The work one patch may cause, in bytes encoded, as a multiple of the largest document.
_WORK_PER_BYTE = 16
# A value this small is measured again sooner than looked up.
_SMALL = 256
# Elements a list shifts while one byte is encoded: 5 to 18 measured, by length and content.
_SHIFTS_PER_BYTE = 8


def apply_within(
    document: JsonValue,
    operations: Sequence[dict[str, Any]],
    *,
    size: int,
    limits: Limits,
) -> Sized:
    """Return `document` after `operations`, with its size, as `apply` does.

    Args:
        document: what the patch starts from, `size` bytes when encoded.
        operations: the patch; neither it nor `document` is changed.
        size: `len(encode(document))`, exactly; it is not checked.
        limits: what holds after each operation, not only after the last.

    Raises:
        PatchFailed: naming the operation that does not apply, and why.
        TooLarge: there are too many operations, the document would grow beyond
            `limits.max_bytes`, or the patch makes more work than a patch of any use does.
        InvalidDocument: the document would be nested deeper than `limits.max_depth`, or an
            operation's value is nothing that JSON can hold.
    """
    if isinstance(operations, list | tuple) and len(operations) > limits.max_operations:
        raise TooLarge(
            f"the patch has {len(operations)} operations, over the limit of"
            f" {limits.max_operations}",
            limit="max_operations",
        )
    account = _Account(document, size, limits)
    value = account.run(operations)
    return Sized(value, account.size)


class _Account(Editor):
    """An editor that knows the size of its document at any time."""

    __slots__ = ("known", "limits", "size", "work")

    def __init__(self, document: JsonValue, size: int, limits: Limits) -> None:
        super().__init__(document)
        self.size = size
        self.limits = limits
        self.work = _WORK_PER_BYTE * limits.max_bytes
        # Sizes by identity; the value beside its size keeps the id from being used again.
        self.known: dict[int, tuple[JsonValue, int]] = {}

    def step(self, operation: dict[str, Any]) -> None:
        super().step(operation)
        if self.work < 0:
            raise TooLarge("the patch makes more work than a document of the largest size")
        if self.size > self.limits.max_bytes:
            sentence = f"the document would be over the limit of {self.limits.max_bytes} bytes"
            raise TooLarge(sentence, limit="max_bytes")

    def add(self, tokens: Tokens, value: JsonValue) -> None:
        self.refuse_depth(len(tokens), value)
        super().add(tokens, value)

    def replace(self, tokens: Tokens, value: JsonValue) -> None:
        self.refuse_depth(len(tokens), value)
        super().replace(tokens, value)

    def parent(self, tokens: Tokens) -> Any:
        node = super().parent(tokens)
        if not self.known:
            return node
        # All on the way are about to have another size.
        above = self.root
        self.known.pop(id(above), None)
        for token in tokens[:-1]:
            above = above[token if type(above) is dict else int(token)]
            self.known.pop(id(above), None)
        return node

    def copy(self, source: Tokens, target: Tokens) -> None:
        # What this run owns now it may have to copy again for the next operation.
        self.work -= sum(map(len, self.owned.values()))
        super().copy(source, target)

    def set_root(self, value: JsonValue) -> None:
        self.size = self.measure(value)
        super().set_root(value)

    def set(self, node: Any, key: Any, value: JsonValue) -> None:
        if type(node) is list or key in node:
            self.size += self.measure(value) - self.measure(node[key])
        else:
            self.size += self.member(key, value) + (len(node) > 0)
        super().set(node, key, value)

    def insert(self, node: list[Any], index: int, value: JsonValue) -> None:
        self.work -= (len(node) - index) // _SHIFTS_PER_BYTE
        self.size += self.measure(value) + (len(node) > 0)
        super().insert(node, index, value)

    def delete(self, node: Any, key: Any) -> JsonValue:
        value = node[key]
        if type(node) is list:
            self.work -= (len(node) - key) // _SHIFTS_PER_BYTE
            self.size -= self.measure(value)
        else:
            self.size -= self.member(key, value)
        self.size -= len(node) > 1
        return super().delete(node, key)

    def member(self, key: str, value: JsonValue) -> int:
        """Return what a member of an object takes: its name, a colon, its value."""
        return self.measure(key) + 1 + self.measure(value)

    def measure(self, value: JsonValue) -> int:
        """Return `len(encode(value))`, encoding it at most once while it stays as it is."""
        if self.known and (known := self.known.get(id(value))) is not None:
            return known[1]
        size = len(encode(value))
        self.work -= size
        if size > _SMALL:
            self.known[id(value)] = (value, size)
        return size

    def refuse_depth(self, above: int, value: JsonValue) -> None:
        """Refuse `value` where, `above` containers deep, it would reach too deep."""
        limit = self.limits.max_depth
        if type(value) is dict or type(value) is list:
            # Measured first: its size bounds the work of looking into it.
            self.work -= self.measure(value)
            above += depth(value, limit)
        if above > limit:
            sentence = f"the document would be nested deeper than {limit}"
            raise InvalidDocument(sentence, limit="max_depth")
