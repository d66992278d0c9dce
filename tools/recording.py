"""Recorded campaigns, read as a stream: a header line, then a whole document a step."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import msgspec
from msgspec import Struct

from questlog.campaign.events import DEFAULT_KIND, RESERVED_PREFIXES
from questlog.campaign.ids import MAX_KIND
from questlog.document import DocumentError, Limits, decode

T = TypeVar("T", bound=Struct)

# How deep a document may be is the server's to say; measuring it here would double the reading.
MAX_LINE = Limits(max_bytes=256 * 1024 * 1024, max_depth=1_000_000)


class Header(Struct, frozen=True):
    """The first line: what was recorded, and the document before the first step."""

    campaign_id: str
    initial_state: dict[str, Any]
    source: str = ""
    licence: str = ""


class Step(Struct, frozen=True):
    """A later line: the whole document after this step.

    Attributes:
        ts: when it happened (RFC 3339), where that is known.
        actor: who did it, where that is known.
        kind: any word.
    """

    state: dict[str, Any]
    kind: str | None = None
    ts: str | None = None
    actor: str | None = None


class RecordingError(click.ClickException):
    """A recording that cannot be read; the sentence names the file and the line."""


class Recording:
    """An open recording; a context manager. Iterating yields the steps, once.

    Attributes:
        header: its first line.
        lead: that line's bytes, by which the recording is known again.
    """

    def __init__(self, path: Path) -> None:
        """Open the recording at `path` (`.jsonl`, `.gz` or `.xz`) and read its header.

        Raises:
            RecordingError: it cannot be read, or does not begin with a header.
        """
        self._path = path
        try:
            self._file = _open(path)
        except OSError as error:
            raise RecordingError(f"{path}: {error.strerror or error}.") from error
        try:
            self._lines = self._read_lines()
            number, self.lead = next(self._lines, (1, b""))
            self.header = self._convert(number, self.lead, Header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Recording:
        """Return the recording."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Step]:
        """Yield each step.

        Raises:
            RecordingError: a line is no step, or the file ends in the middle of its compression.
        """
        for number, line in self._lines:
            yield self._convert(number, line, Step)

    def _read_lines(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        try:
            for number, line in enumerate(self._file, start=1):
                if line.strip():
                    yield number, line.strip()
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise RecordingError(f"{self._path}, after line {number}: {error}.") from error

    def _convert(self, number: int, line: bytes, shape: type[T]) -> T:
        try:
            return msgspec.convert(decode(line, MAX_LINE), shape)
        except (DocumentError, msgspec.ValidationError) as error:
            what = "header" if shape is Header else "step"
            sentence = f"{self._path}, line {number} is no {what} of a recording: {error}."
            raise RecordingError(sentence) from error


def count_steps(path: Path) -> int:
    """Return how many steps a recording has, without decoding them.

    Raises:
        RecordingError: it cannot be read.
    """
    try:
        with _open(path) as file:
            return max(0, sum(1 for line in file if line.strip()) - 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise RecordingError(f"{path}: {error}.") from error


def committable_kind(kind: str | None) -> str:
    """Return `kind` as one that a client may commit.

    In lower case, other characters as `_`; the server's own prefixes get `recorded.` before them;
    nothing becomes `state.updated`.
    """
    words = re.sub(r"[^a-z0-9_.-]", "_", (kind or "").lower()).split(".")
    kept = [stripped for word in words if (stripped := word.strip("_-"))]
    if not kept:
        return DEFAULT_KIND
    if kept[0] in RESERVED_PREFIXES or not kept[0][0].isalpha():
        kept.insert(0, "recorded")
    return ".".join(kept)[:MAX_KIND].rstrip("._-")


def _open(path: Path) -> IO[bytes] | gzip.GzipFile | lzma.LZMAFile:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return path.open("rb")
