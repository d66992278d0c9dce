"""What the reading commands print: colour and tables for people, one JSON object a line else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click
import msgspec

from questlog.document import BadPointer, apply, encode, equal, get, join, parse

if TYPE_CHECKING:
    from rich.console import Console

Part = str | tuple[str, str]

WIDE = 100
GONE = "red"
CAME = "green"
QUIET = "dim"


def shows_colour() -> bool:
    """Return whether the person wants colour: not with NO_COLOR, nor from a dumb terminal."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Output:
    """Standard output: a terminal gets colour and tables, everything else plain text.

    Text from a log never reaches a terminal as it is, since it could hold control sequences.
    """

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty() and shows_colour()
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The terminal as rich writes to it."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(highlight=False, soft_wrap=True)
        return self._console

    def line(self, *parts: Part) -> None:
        """Print one line of texts, each plain or with a style."""
        texts = [(clean(p), "") if isinstance(p, str) else (clean(p[0]), p[1]) for p in parts]
        if self.terminal:
            from rich.text import Text

            self.console.print(Text.assemble(*texts))
        else:
            sys.stdout.write("".join([text for text, _ in texts]).rstrip() + "\n")

    def json(self, value: Any) -> None:
        """Print one JSON value on a line of its own."""
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")

    def document(self, value: Any) -> None:
        """Print a JSON value over several lines, in colour on a terminal."""
        text = _pretty(value)
        if self.terminal:
            from rich.syntax import Syntax

            self.console.print(Syntax(clean(text, "\n"), "json", background_color="default"))
        else:
            sys.stdout.write(text + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows under their columns' names: ruled on a terminal, parted by tabs else."""
        cleaned = [[clean(cell) for cell in row] for row in rows]
        if self.terminal:
            from rich.table import Table
            from rich.text import Text

            table = Table(header_style="bold")
            for column in columns:
                table.add_column(column, overflow="fold")
            for row in cleaned:
                table.add_row(*map(Text, row))
            self.console.print(table)
        else:
            for cells in (columns, *cleaned):
                sys.stdout.write("\t".join(cells) + "\n")

    def flush(self) -> None:
        """Hand on what was printed, for who reads along."""
        sys.stdout.flush()


def headline(version: int, at: str, kind: str, member: str) -> tuple[Part, ...]:
    """Return the parts of the line that every command tells of an event with."""
    return (
        (f"{version:>6}", "bold yellow"),
        (f"  {at}  ", QUIET),
        (f"{kind:20} ", "cyan"),
        (f"{member:12} ", "magenta"),
    )


def clean(text: str, kept: str = "") -> str:
    """Return `text` with what is not printable, but for `kept`, written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        [c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text]
    )


def fail(code: str, detail: str, *, as_json: bool) -> NoReturn:
    """Say on standard error why the answer is no, and end with exit status 1."""
    if as_json:
        click.echo(msgspec.json.encode({"code": code, "detail": detail}).decode(), err=True)
    else:
        click.echo(f"Error: {clean(detail)}", err=True)
    raise click.exceptions.Exit(1)


def changes(document: Any, operations: Iterable[dict[str, Any]]) -> Iterable[Part]:
    """Yield a line for each value that `operations` take from `document` (-) or put there (+)."""
    for operation in operations:
        op, path = operation["op"], operation["path"]
        if op == "test":
            yield from _marked(" ", "test " + path, operation["value"], QUIET)
            continue
        if op == "move":
            yield from _marked("-", operation["from"], get(document, operation["from"]), GONE)
        old = _replaced(document, op, path)
        new = [] if op == "remove" else [_put(document, operation)]
        yield from _changed(path, old, new)
        document = apply(document, [operation])


def _put(document: Any, operation: dict[str, Any]) -> Any:
    """Return what the operation puts at its path."""
    return get(document, operation["from"]) if "from" in operation else operation["value"]


def _changed(path: str, old: list[Any], new: list[Any]) -> Iterable[Part]:
    """Yield the lines of one place, where there was and is a value or none; objects by member."""
    if old and new and type(old[0]) is dict and type(new[0]) is dict:
        before, after = old[0], new[0]
        for key in dict.fromkeys((*before, *after)):
            was = [before[key]] if key in before else []
            now = [after[key]] if key in after else []
            if not (was and now and equal(was[0], now[0])):
                yield from _changed(path + join((key,)), was, now)
        return
    for value in old:
        yield from _marked("-", path, value, GONE)
    for value in new:
        yield from _marked("+", path, value, CAME)


def _replaced(document: Any, op: str, path: str) -> list[Any]:
    """Return what the operation takes away at its path: nothing, or one value."""
    tokens = parse(path)
    try:
        if op in ("add", "copy", "move") and tokens and type(get(document, tokens[:-1])) is list:
            return []
        return [get(document, tokens)]
    except BadPointer:
        return []


def _marked(sign: str, path: str, value: Any, style: str) -> Iterable[Part]:
    compact = encode(value).decode()
    text = compact if len(compact) <= WIDE else _pretty(value)
    first, *rest = text.split("\n")
    yield f"{sign} {path or '(whole document)'}: {first}", style
    for line in rest:
        yield f"{sign} {line}", style


def _pretty(value: Any) -> str:
    return msgspec.json.format(encode(value), indent=2).decode()
