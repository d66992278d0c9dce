"""`questlog grep` and `stats`: what is in a log, found by its text and counted."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import click
from msgspec import Struct, field

from eventstore.looking.walking import pieces
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.events import Event
from questlog.document import encode, parse
from tools.looking import sparkline
from tools.options import campaign_argument, complete_campaigns, json_option, option, store_option
from tools.reading import answer, known, opened
from tools.render import Output, headline

SHOWN = 80
TOP = 10
DAY = 10
DEPTH = 2


@click.command()
@campaign_argument
@click.argument("pattern")
@option("--ignore-case", "-i", is_flag=True, help="Capitals and small letters are the same.")
@option("--fixed", "-F", is_flag=True, help="The pattern is a text, not a regular expression.")
@option("--count", is_flag=True, help="Only how many events there are.")
@store_option
@json_option
def grep(
    campaign: str,
    pattern: str,
    ignore_case: bool,
    fixed: bool,
    count: bool,
    store: str,
    as_json: bool,
) -> None:
    """Print the events of CAMPAIGN that PATTERN is found in: kind, actor, patch, data or meta.

    It is looked for in the JSON as it is stored: a quotation mark in a text stands there as \\".
    Exit status 1 where it is in none.
    """
    flags = re.IGNORECASE if ignore_case else re.NOFLAG
    try:
        wanted = re.compile(re.escape(pattern) if fixed else pattern, flags)
    except re.error as error:
        raise click.BadParameter(f"{error}.", param_hint="PATTERN") from error
    found = answer(_grep(campaign, wanted, store, count, as_json), as_json=as_json)
    if not found:
        raise click.exceptions.Exit(1)


async def _grep(
    campaign: str, wanted: re.Pattern[str], store: str, count: bool, as_json: bool
) -> int:
    output = Output()
    total = 0
    async with opened(store) as reader:
        head = (await known(reader, campaign)).version
        async for events in pieces(reader, campaign, until=head):
            for event in events:
                if wanted.search(_text(event)) is None:
                    continue
                total += 1
                if as_json and not count:
                    output.json(event)
                elif not count:
                    _print_found(output, event, wanted)
            output.flush()
    if count and as_json:
        output.json({"campaign_id": campaign, "count": total})
    elif count:
        output.line(f"{total}")
    return total


def _text(event: Event) -> str:
    """Return all of an event that is looked through, a line each."""
    raw = b"\n".join((event.patch, event.data, event.meta))
    return f"{event.kind}\n{event.actor.member}\n{raw.decode()}"


def _print_found(output: Output, event: Event, wanted: re.Pattern[str]) -> None:
    output.line(*headline(event.version, event.at, event.kind, event.actor.member))
    for operation in event.operations():
        if wanted.search(encode(operation).decode()) is not None:
            value = encode(operation["value"]).decode() if "value" in operation else ""
            place = operation["path"] or "(whole document)"
            output.line(f"         {place}: {_round_the_match(value, wanted)}")


def _round_the_match(text: str, wanted: re.Pattern[str]) -> str:
    """Return as much of a text as is shown, with the match in it, if it is there."""
    if len(text) <= SHOWN:
        return text
    match = wanted.search(text)
    begin = max(0, (match.start() if match else 0) - SHOWN // 4)
    return "…" * (begin > 0) + text[begin : begin + SHOWN] + "…"


class Tallies(Struct):
    """What was counted of a campaign."""

    campaign_id: str
    events: int = 0
    patch_bytes: int = 0
    data_bytes: int = 0
    meta_bytes: int = 0
    # As a plain default one Counter would be shared by all: msgspec copies only lists and the like.
    kinds: Counter[str] = field(default_factory=Counter)
    actors: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    largest: list[tuple[int, int]] = []

    def take(self, event: Event) -> None:
        """Count an event."""
        sizes = [memoryview(part).nbytes for part in (event.patch, event.data, event.meta)]
        self.events += 1
        self.patch_bytes += sizes[0]
        self.data_bytes += sizes[1]
        self.meta_bytes += sizes[2]
        self.kinds[event.kind] += 1
        self.actors[f"{event.actor.member} ({event.actor.role})"] += 1
        self.days[event.at[:DAY]] += 1
        self.paths.update({_place(o["path"]) for o in event.operations() if o["op"] != "test"})
        if len(self.largest) < TOP or sizes[0] > self.largest[-1][0]:
            # Of two of a size the earlier one first.
            self.largest.append((sizes[0], event.version))
            self.largest.sort(key=lambda each: (-each[0], each[1]))
            del self.largest[TOP:]

    def told(self, snapshots: int) -> dict[str, Any]:
        """Return it as JSON tells it."""
        return {
            "campaign_id": self.campaign_id,
            "events": self.events,
            "bytes": {
                "patch": self.patch_bytes,
                "data": self.data_bytes,
                "meta": self.meta_bytes,
            },
            "snapshots": snapshots,
            "kinds": dict(self.kinds.most_common()),
            "actors": dict(self.actors.most_common()),
            "days": dict(sorted(self.days.items())),
            "paths": dict(self.paths.most_common(TOP)),
            "largest": [{"version": version, "bytes": size} for size, version in self.largest],
        }


def _place(pointer: str) -> str:
    """Return where an operation is, as far down as it is of use to count; numbers are one."""
    tokens = parse(pointer)[:DEPTH]
    return "".join(f"/{'*' if token.isdigit() or token == '-' else token}" for token in tokens)


@click.command()
@click.argument("campaign", required=False, shell_complete=complete_campaigns)
@store_option
@json_option
def stats(campaign: str | None, store: str, as_json: bool) -> None:
    """Count the events of CAMPAIGN, or of each: by kind, actor, day and place, and their bytes."""
    answer(_stats(campaign, store, as_json), as_json=as_json)


async def _stats(campaign: str | None, store: str, as_json: bool) -> None:
    output = Output()
    async with opened(store) as reader:
        if campaign is None:
            names = [summary.campaign_id for summary in await reader.campaigns()]
        else:
            names = [(await known(reader, campaign)).campaign_id]
        for name in names:
            tallies, snapshots = await _count(reader, name)
            if as_json:
                output.json(tallies.told(snapshots))
            else:
                _print_stats(output, tallies, snapshots)


async def _count(reader: SqliteReader, campaign: str) -> tuple[Tallies, int]:
    tallies = Tallies(campaign)
    head = (await known(reader, campaign)).version
    async for events in pieces(reader, campaign, until=head):
        for event in events:
            tallies.take(event)
    return tallies, len((await reader.kept(campaign)).snapshots)


def _print_stats(output: Output, tallies: Tallies, snapshots: int) -> None:
    output.line((tallies.campaign_id, "bold"))
    sizes = f"patches {tallies.patch_bytes:,} B, data {tallies.data_bytes:,} B"
    output.line(
        f"  {tallies.events:,} events, {snapshots:,} snapshots; {sizes},"
        f" meta {tallies.meta_bytes:,} B"
    )
    days = sorted(tallies.days.items())
    bars = sparkline([float(count) for _, count in days])
    output.line(f"  {days[0][0]} to {days[-1][0]}  ", (bars, "cyan"))
    for title, counted in (
        ("kind", tallies.kinds),
        ("actor", tallies.actors),
        ("place", tallies.paths),
    ):
        most = counted.most_common(TOP)
        rows = [(name or "(whole document)", f"{count:,}") for name, count in most]
        output.table((title, "events"), rows)
    largest = [(f"{version}", f"{size:,}") for size, version in tallies.largest]
    output.table(("version", "patch bytes"), largest)
