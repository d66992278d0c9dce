"""`questlog log`: a campaign's events, filtered, from either end or as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import click
from msgspec import Struct

from eventstore.looking.walking import pieces
from eventstore.moments import last_dated
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.events import Event
from questlog.campaign.moments import parse_moment
from questlog.document import parse
from tools.naming import read_moment
from tools.options import campaign_argument, json_option, option, store_option
from tools.reading import answer, check_pointer, known, opened
from tools.render import Output, headline

CHUNK = 64
POLL_SECONDS = 0.2
SHOWN_PATHS = 3


class Wanted(Struct, frozen=True):
    """Which events to print, and from where.

    Attributes:
        actor: a member's id or a role.
        since, until: the first and the last moment.
        path: the tokens of a pointer; an event is wanted that changed it, or below or above it.
        limit: how many at most.
    """

    kind: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    path: tuple[str, ...] = ()
    after: int = 0
    limit: int | None = None
    reverse: bool = False
    follow: bool = False

    def accepts(self, event: Event) -> bool:
        """Return whether the event is one of those wanted."""
        if self.actor is not None and self.actor not in (event.actor.member, event.actor.role):
            return False
        if self.since is not None and parse_moment(event.at) < self.since:
            return False
        if self.until is not None and parse_moment(event.at) > self.until:
            return False
        return not self.path or any(_touches(o, self.path) for o in event.operations())

    def over(self, event: Event) -> bool:
        """Return whether no event from here on can be wanted, as time does not run back."""
        if self.reverse:
            return self.since is not None and parse_moment(event.at) < self.since
        return self.until is not None and parse_moment(event.at) > self.until


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options by which events are chosen."""
    for add in reversed(
        (
            option("--kind", help="Only events of this kind."),
            option("--actor", help="Only events by this member, or in this role."),
            option(
                "--since", callback=read_moment, help="Only events from this moment on (RFC 3339)."
            ),
            option("--until", callback=read_moment, help="Only events up to this moment."),
            option(
                "--path", default="", metavar="POINTER", help="Only changes at, below or above."
            ),
            option(
                "--after",
                default=0,
                type=click.IntRange(min=0),
                help="Only later versions than this.",
            ),
            option("--limit", type=click.IntRange(min=0), help="At most so many."),
            option("--reverse", is_flag=True, help="The latest first."),
            option("--follow", "-f", is_flag=True, help="Go on with what is appended, until ^C."),
        )
    ):
        command = add(command)
    return command


@click.command()
@campaign_argument
@options
@store_option
@json_option
def log(campaign: str, store: str, as_json: bool, path: str, **chosen: Any) -> None:
    """Print the events of CAMPAIGN, the first first."""
    wanted = Wanted(path=check_pointer(path), **chosen)
    if wanted.follow and wanted.reverse:
        raise click.UsageError("--follow and --reverse exclude each other.")
    if not wanted.follow:
        answer(_log(campaign, store, wanted, as_json), as_json=as_json)
        return
    # Who follows ends it so; that is no failure.
    with suppress(KeyboardInterrupt):
        answer(_log(campaign, store, wanted, as_json), as_json=as_json)


@click.command()
@campaign_argument
@option("--lines", "-n", type=click.IntRange(min=0), default=10, help="How many events.")
@option("--follow", "-f", is_flag=True, help="Go on with what is appended, until ^C.")
@store_option
@json_option
def tail(campaign: str, lines: int, follow: bool, store: str, as_json: bool) -> None:
    """Print the last events of CAMPAIGN; with -f go on, whichever process writes them."""

    async def work() -> None:
        async with opened(store) as reader:
            head = (await known(reader, campaign)).version
        await _log(campaign, store, Wanted(after=max(0, head - lines), follow=follow), as_json)

    # Who follows ends it so; that is no failure.
    with suppress(KeyboardInterrupt):
        answer(work(), as_json=as_json)


async def _log(campaign: str, store: str, wanted: Wanted, as_json: bool) -> None:
    output = Output()
    async with opened(store) as reader:
        await known(reader, campaign)
        left = wanted.limit
        async for events in _chunks(reader, campaign, wanted):
            for event in events:
                if left == 0 or wanted.over(event):
                    return
                if not wanted.accepts(event):
                    continue
                if as_json:
                    output.json(event)
                else:
                    _print_line(output, event)
                left = None if left is None else left - 1
            output.flush()
            if left == 0:
                return


async def _chunks(
    reader: SqliteReader, campaign: str, wanted: Wanted
) -> AsyncIterator[list[Event]]:
    """Yield the log a chunk at a time, from the end asked for; on and on for who follows."""
    head = (await known(reader, campaign)).version
    if wanted.reverse:
        for until in range(head, wanted.after, -CHUNK):
            after = max(until - CHUNK, wanted.after)
            events = await reader.read(campaign, after=after, until=until, kind=wanted.kind)
            yield events[::-1]
        return
    after = wanted.after
    if wanted.since is not None:
        # Whatever is dated exactly so is wanted, and there may be several.
        moment = wanted.since - timedelta(milliseconds=1)
        after = max(after, await last_dated(reader, campaign, moment))
    while True:
        async for events in pieces(reader, campaign, after=after, kind=wanted.kind):
            after = events[-1].version
            yield events
        if not wanted.follow:
            return
        await asyncio.sleep(POLL_SECONDS)


def _print_line(output: Output, event: Event) -> None:
    told = headline(event.version, event.at, event.kind, event.actor.member)
    output.line(*told, _summary(event))


def _summary(event: Event) -> str:
    changing = [o for o in event.operations() if o["op"] != "test"]
    paths = list(dict.fromkeys(o["path"] or "(whole document)" for o in changing))
    more = f" and {len(paths) - SHOWN_PATHS} more" * (len(paths) > SHOWN_PATHS)
    return " ".join(paths[:SHOWN_PATHS]) + more


def _touches(operation: dict[str, Any], path: tuple[str, ...]) -> bool:
    if operation["op"] == "test":
        return False
    changed = [operation["path"]]
    if operation["op"] == "move":
        changed.append(operation["from"])
    # "-" stands for the place past the end of a list, whichever that was.
    return any(
        all(a in (b, "-") for a, b in zip(parse(text), path, strict=False)) for text in changed
    )
