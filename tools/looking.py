"""`questlog blame`, `history` and `bisect`: who changed what, its every value, and since when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import click
import msgspec

from eventstore.looking.blame import Blamed
from eventstore.looking.blame import blame as blamed
from eventstore.looking.walking import Value
from eventstore.looking.walking import bisect as bisected
from eventstore.looking.walking import history as values
from questlog.campaign.errors import Invalid, UnknownVersion
from questlog.document import encode
from tools.naming import Named, backwards, check_order, read_version
from tools.options import campaign_argument, json_option, option, store_option
from tools.reading import answer, check_pointer, known, opened, version_named
from tools.render import QUIET, Output, Part, changes, headline

BARS = "▁▂▃▄▅▆▇█"
WIDE = 60
SHOWN = 100
LARGEST = sys.float_info.max
SCALE = 2.0**64


@click.command()
@campaign_argument
@click.argument("pointer", default="")
@option(
    "--at",
    callback=read_version,
    metavar="VERSION",
    help="As of this version or moment, not the head.",
)
@store_option
@json_option
def blame(campaign: str, pointer: str, at: Named | None, store: str, as_json: bool) -> None:
    """Say which event last changed the value at POINTER in CAMPAIGN, and each leaf below it.

    Written again as it was, or moved with what it is in, a value was not changed.
    """
    check_pointer(pointer, "POINTER")
    answer(_blame(campaign, pointer, at, store, as_json), as_json=as_json)


async def _blame(campaign: str, pointer: str, at: Named | None, store: str, as_json: bool) -> None:
    output = Output()
    async with opened(store) as reader:
        await known(reader, campaign)
        version = None if at is None else await version_named(reader, campaign, at)
        found = await blamed(reader, campaign, pointer, at=version)
    width = min(WIDE, max(len(each.path) for each in found))
    for each in found:
        if as_json:
            output.json(each)
        else:
            output.line(*_event(each), f"{each.path:{width}}  ", (_brief(each.value), "green"))


def _event(each: Blamed | Value) -> Sequence[Part]:
    return headline(each.version, each.at, each.kind, each.actor.member)


def _brief(value: Any) -> str:
    text = encode(value).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


@click.command()
@campaign_argument
@click.argument("pointer")
@option("--limit", type=click.IntRange(min=0), help="The first so many.")
@store_option
@json_option
def history(campaign: str, pointer: str, limit: int | None, store: str, as_json: bool) -> None:
    """Print every value that was at POINTER in CAMPAIGN, and the events that put it there."""
    check_pointer(pointer, "POINTER")
    answer(_history(campaign, pointer, limit, store, as_json), as_json=as_json)


async def _history(
    campaign: str, pointer: str, limit: int | None, store: str, as_json: bool
) -> None:
    output = Output()
    numbers: list[int | float] = []
    count = 0
    async with opened(store) as reader:
        await known(reader, campaign)
        async for each in values(reader, campaign, pointer):
            if count == limit:
                break
            count += 1
            if as_json:
                output.json(each)
                continue
            shown = (_brief(each.value), "green") if each.there else ("(gone)", "red")
            output.line(*_event(each), shown)
            if isinstance(each.value, int | float) and not isinstance(each.value, bool):
                numbers.append(each.value)
    if not count and limit != 0:
        raise Invalid(f"There never was anything at {pointer}.")
    if not as_json and len(numbers) > 1:
        low, high = min(numbers), max(numbers)
        ends = f"{_short(low)} to {_short(high)}"
        output.line((f"        {sparkline(numbers)}  {ends}", "bold"))


def _short(number: float) -> str:
    # JSON's integers have no end, floats do.
    return f"{Decimal(number):.6g}" if abs(number) > LARGEST else f"{number:g}"


def sparkline(numbers: Sequence[float], width: int = WIDE) -> str:
    """Return numbers as a row of bars; of more than `width`, means of neighbours."""
    if max(map(abs, numbers)) > LARGEST / SCALE:
        # So that what is added up and subtracted stays far from where floats end.
        numbers = [max(-LARGEST, min(LARGEST, number)) / SCALE for number in numbers]
    if len(numbers) > width:
        edges = [len(numbers) * number // width for number in range(width + 1)]
        numbers = [sum(numbers[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(numbers), max(numbers)
    span = (high - low) or 1.0
    top = len(BARS) - 1
    return "".join(BARS[round((number - low) / span * top)] for number in numbers)


@click.command()
@campaign_argument
@click.argument("expr")
@option(
    "--from",
    "first",
    callback=read_version,
    metavar="VERSION",
    help="Look from this version or moment on.",
)
@option(
    "--to",
    "last",
    callback=read_version,
    metavar="VERSION",
    help="Look up to this version or moment.",
)
@store_option
@json_option
def bisect(
    campaign: str, expr: str, first: Named | None, last: Named | None, store: str, as_json: bool
) -> None:
    """Find the first version of CAMPAIGN at which EXPR, in JMESPath, holds.

    It holds where it is neither null, false nor empty, as a filter is that nobody passes. It is
    taken to go on holding once it does; so few states are read, however long the log.
    """
    check_order(first, last)
    holds = condition(expr)
    answer(_bisect(campaign, holds, (first, last), store, as_json), as_json=as_json)


def condition(expr: str) -> Callable[[Any], bool]:
    """Return what a JMESPath expression asks of a document; another text is wrong usage."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        compiled = jmespath.compile(expr)
    except JMESPathError as error:
        raise click.BadParameter(f"{error}", param_hint="EXPR") from error
    _check_calls(compiled.parsed)

    def holds(document: Any) -> bool:
        try:
            found = compiled.search(document)
        except JMESPathError as error:
            raise Invalid(f"EXPR cannot be asked of this document: {error}") from error
        # As JMESPath says what is true: numbers always are.
        return found is not None and found is not False and found not in ("", [], {})

    return holds


def _check_calls(node: Any) -> None:
    """Refuse calls of functions that JMESPath does not have, or with too few or many arguments.

    It would say so only once it comes to one, which depends on the document.
    """
    from jmespath.functions import Functions

    # Numbers stand among the nodes of an expression, too.
    if not isinstance(node, dict):
        return
    if node["type"] == "function_expression":
        name, given = node["value"], len(node["children"])
        if name not in Functions.FUNCTION_TABLE:
            raise click.BadParameter(f"There is no function {name}().", param_hint="EXPR")
        takes = Functions.FUNCTION_TABLE[name]["signature"]
        most = sys.maxsize if takes and takes[-1].get("variadic") else len(takes)
        if not len(takes) <= given <= most:
            raise click.BadParameter(f"{name}() is not given {given} arguments.", param_hint="EXPR")
    for child in node["children"]:
        _check_calls(child)


async def _bisect(
    campaign: str,
    holds: Callable[[Any], bool],
    bounds: tuple[Named | None, Named | None],
    store: str,
    as_json: bool,
) -> None:
    output = Output()
    async with opened(store) as reader:
        head = (await known(reader, campaign)).version
        first = 1 if bounds[0] is None else await version_named(reader, campaign, bounds[0])
        last = head if bounds[1] is None else await version_named(reader, campaign, bounds[1])
        if first > last:
            raise backwards()
        if first < 1 or last > head:
            raise UnknownVersion(f"{campaign!r} has versions 1 to {head}.")
        found = await bisected(reader, campaign, holds, first, last)
        if found.version is None:
            raise Invalid(f"It does not hold at version {last}.")
        [event] = await reader.read(campaign, after=found.version - 1, until=found.version)
        if as_json:
            output.json({**msgspec.to_builtins(found), "event": event})
            return
        before = await reader.load(campaign, at=found.version - 1)
    output.line(*headline(event.version, event.at, event.kind, event.actor.member))
    document = {} if before is None else before.state.document
    for part in changes(document, event.operations()):
        output.line(part)
    already = " It held there already." if found.from_the_start else ""
    states = "1 state" if found.reads == 1 else f"{found.reads} states"
    output.line((f"Found by reading {states}.{already}", QUIET))
