"""`questlog export` and `import`: a log as lines of JSON, out of a store and into one."""

from __future__ import annotations

import gzip
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from eventstore.errors import BadTransferError
from eventstore.sqlite.exporting import exported
from eventstore.sqlite.importing import InterruptedImportError, import_log
from eventstore.sqlite.location import path_of
from questlog.campaign.errors import Invalid
from questlog.campaign.ids import check_name
from tools.backup import answering, check_readable
from tools.options import campaign_argument, json_option, option, store_option
from tools.reading import answer
from tools.render import Output

MAX_LINE = 256 * 1024 * 1024


@click.command()
@campaign_argument
@option("--after", default=0, type=click.IntRange(min=0), help="Only later versions than this.")
@store_option
@json_option
def export(campaign: str, after: int, store: str, as_json: bool) -> None:
    """Print the log of CAMPAIGN as lines of JSON, for `questlog import`: a header, then the events.

    They are as they are stored, and of one moment, also while a server writes. They hold everything
    that is hidden from players.
    """
    answer(check_readable(store), as_json=as_json)
    with answering(as_json):
        for text in exported(path_of(store), campaign, after):
            sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()


def _read_id(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """Return the id an option gives a campaign; what can be none is wrong usage."""
    try:
        return None if text is None else check_name(text, "campaign id")
    except Invalid as error:
        raise click.BadParameter(error.message) from error


@click.command("import")
@click.argument("file")
@option(
    "--as",
    "into",
    envvar="QUESTLOG_IMPORT_AS",
    callback=_read_id,
    metavar="ID",
    help="The id it is to have here, if not its own.",
)
@option("--rehash", is_flag=True, help="Take it whatever its hashes say, and chain it anew.")
@store_option
@json_option
def import_(file: str, into: str | None, rehash: bool, store: str, as_json: bool) -> None:
    """Bring a log that `questlog export` printed into a store: all of it, or nothing.

    FILE may be compressed by gzip or xz; - is standard input. Every event is proved. Where the
    campaign is there already and FILE goes on from it, the rest is appended. An import that was
    broken off goes on where it was. The store must be nobody else's meanwhile.
    """
    with answering(as_json), ExitStack() as stack:
        done = import_log(path_of(store), _lines(file, stack), into, rehash)
    output = Output()
    if as_json:
        output.json(done)
    elif not done.added:
        output.line(f"{done.campaign_id} is there already, at version {done.version:,}")
    else:
        events = "1 event" if done.added == 1 else f"{done.added:,} events"
        left = "" if done.left is None else f"; it left {done.left}, where another is"
        output.line(f"{done.campaign_id}: {events}, now at version {done.version:,}{left}")


def _lines(file: str, stack: ExitStack) -> Iterator[bytes]:
    """Yield the lines of a file, or of standard input, compressed or not.

    Raises:
        BadTransferError: it cannot be read to its end.
    """
    try:
        plain = _plain(stack.enter_context(_opened(file)), stack)
        while line := plain.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise BadTransferError("A line of the file is longer than an event can be.")
            yield line
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise InterruptedImportError(f"The file is cut off or damaged: {error}.") from error
    except OSError as error:
        raise InterruptedImportError(f"{file} cannot be read: {error.strerror}.") from error


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield cast(BinaryIO, BufferedReader(cast(RawIOBase, sys.stdin.buffer)))
        return
    with Path(file).open("rb") as opened:
        yield opened


def _plain(raw: BinaryIO, stack: ExitStack) -> BinaryIO:
    """Return the file as it was before it was compressed, told by its first bytes."""
    begins: bytes = cast(Any, raw).peek(6)
    if begins.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, stack.enter_context(gzip.open(raw)))
    if begins.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, stack.enter_context(lzma.open(raw)))
    return raw
