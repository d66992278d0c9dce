"""What can be wrong with a document, a pointer or a patch: a stable code, a human sentence."""

from __future__ import annotations

import inspect


class DocumentError(Exception):
    """The document cannot be used.

    Attributes:
        code: stable and meant for machines; the sentence (`str(error)`) may change.
        limit: which number of `Limits` was passed (`max_bytes`, …), None where none was.
    """

    code = "invalid"

    def __init__(self, message: str | None = None, *, limit: str | None = None) -> None:
        self.limit = limit
        super().__init__(message or inspect.cleandoc(self.__doc__ or self.code).split("\n")[0])


class BadJson(DocumentError):  # noqa: N818 - named after its code, as all here are
    """The text is not JSON."""

    code = "bad_json"


class TooLarge(DocumentError):  # noqa: N818
    """The document, or the patch that leads to it, is over the limit."""

    code = "too_large"


class InvalidDocument(DocumentError):  # noqa: N818
    """The value is JSON in form, but no document may hold it."""

    code = "invalid"


class BadPointer(DocumentError):  # noqa: N818
    """The text is no JSON Pointer, or the pointer leads nowhere in this document."""

    code = "invalid"


class PatchFailed(DocumentError):  # noqa: N818
    """The patch does not apply to the document.

    Attributes:
        index: which operation failed, counted from 0; None where the patch is no list at all.
        op: that operation's `op`, as far as it is a text.
        path: that operation's `path`, as far as it is a text.
    """

    code = "patch_failed"

    def __init__(
        self,
        message: str | None = None,
        *,
        index: int | None = None,
        op: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.index = index
        self.op = op
        self.path = path
