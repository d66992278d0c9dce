"""`questlog top`: who is at which campaign of a running server, and how far behind."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import click

from tools.options import json_option, option, url_option
from tools.render import Output, clean

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from rich.live import Live
    from rich.table import Table

    from server.overview import CampaignNow, LiveAnswer, MemberNow

COLUMNS = (
    "campaign",
    "version",
    "table",
    "member",
    "role",
    "status",
    "by",
    "holds",
    "lag",
    "outbox",
    "seen",
)
NUMBERS = frozenset({"version", "holds", "lag", "outbox", "seen"})
PATIENCE = 10.0
FIRST_SERVER_ERROR = 500
# These pass by themselves: the server is asked again.
BUSY = (408, 429)


class AwayError(Exception):
    """The server does not answer now; it may later."""


class Shown(Protocol):
    """Where it is shown how the server stands."""

    def show(self, body: bytes, answer: LiveAnswer) -> None:
        """Show an answer of the server's, in place of the one before."""
        ...

    def away(self, sentence: str) -> None:
        """Say that there is none."""
        ...


@click.command()
@url_option
@option(
    "--token",
    metavar="TOKEN",
    help="What `questlog token --metrics` prints; not needed on the server's own machine.",
)
@option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    metavar="SECONDS",
    help="How long to wait before asking again.",
)
@option("--once", is_flag=True, help="Show it once, and end; status 1 where no server answers.")
@json_option
def top(url: str, token: str | None, interval: float, once: bool, as_json: bool) -> None:
    """Show who is at which campaign of a running server: version, lag, bytes waiting, last seen.

    On a terminal it is a table that is kept up to date until ^C. A server that is away is waited
    for. The members that are furthest behind come first.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_top(url.rstrip("/"), token, interval, once=once, as_json=as_json))


async def _top(url: str, token: str | None, interval: float, *, once: bool, as_json: bool) -> None:
    from aiohttp import ClientSession, ClientTimeout, InvalidURL

    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    output = Output()
    shown: Shown = Lines(output, as_json=as_json)
    if output.terminal and not (once or as_json):
        shown = Screen(output)
    try:
        async with ClientSession(headers=headers, timeout=ClientTimeout(total=PATIENCE)) as session:
            while True:
                try:
                    shown.show(*await ask(session, url))
                except AwayError as error:
                    if once:
                        raise click.ClickException(str(error)) from error
                    shown.away(f"{error} Trying again every {interval:g} s.")
                if once:
                    return
                await asyncio.sleep(interval)
    except InvalidURL as error:
        raise click.ClickException(f"{clean(url)} is no server's URL: http://HOST:PORT.") from error
    finally:
        if isinstance(shown, Screen):
            shown.close()


async def ask(session: ClientSession, url: str) -> tuple[bytes, LiveAnswer]:
    """Return how the server at `url` stands, as it says so and read.

    Raises:
        AwayError: it does not answer now.
        click.ClickException: it will not answer, however often it is asked.
    """
    import msgspec
    from aiohttp import ClientConnectionError, ClientPayloadError, ClientResponseError

    from server.overview import LiveAnswer

    try:
        async with session.get(f"{url}/api/live") as response:
            body, status = await response.read(), response.status
    except (ClientConnectionError, ClientPayloadError, TimeoutError) as error:
        raise AwayError(f"No server answers at {clean(url)}.") from error
    except ClientResponseError as error:
        raise stranger(url) from error
    if status >= FIRST_SERVER_ERROR or status in BUSY:
        raise AwayError(f"The server at {clean(url)} answers HTTP {status}.")
    try:
        if status == 200:
            return body, msgspec.json.decode(body, type=LiveAnswer)
        detail = str(msgspec.json.decode(body, type=dict[str, Any]).get("detail"))
    except msgspec.MsgspecError as error:
        raise stranger(url) from error
    raise click.ClickException(clean(detail))


def stranger(url: str) -> click.ClickException:
    """Return what says that something else answers there."""
    return click.ClickException(
        f"What answers at {clean(url)} is no Questlog server of this release."
    )


class Lines:
    """Prints each answer below the one before: a line of JSON, or a table."""

    def __init__(self, output: Output, *, as_json: bool) -> None:
        self._output = output
        self._as_json = as_json
        self._away = ""

    def show(self, body: bytes, answer: LiveAnswer) -> None:
        """See `Shown.show`."""
        self._away = ""
        if self._as_json:
            sys.stdout.write(body.decode() + "\n")
        else:
            self._output.table(COLUMNS, (cells for cells, _ in rows(answer)))
        self._output.flush()

    def away(self, sentence: str) -> None:
        """See `Shown.away`; said once."""
        if sentence != self._away:
            self._away = sentence
            click.echo(sentence, err=True)


class Screen:
    """A terminal that shows the latest answer."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._last: Table | None = None
        self._live: Live | None = None

    def show(self, body: bytes, answer: LiveAnswer) -> None:
        """See `Shown.show`."""
        self._last = table(answer)
        self._put(self._last)

    def away(self, sentence: str) -> None:
        """See `Shown.away`; what was shown last stays below, dimmed."""
        from rich.console import Group
        from rich.text import Text

        if self._last is None:
            self._put(Text(sentence, "bold yellow"))
        else:
            self._last.style = "dim"
            self._put(Group(Text(sentence, "bold yellow"), self._last))

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self._live is not None:
            self._live.stop()

    def _put(self, shown: Any) -> None:
        from rich.live import Live

        if self._live is None:
            console = self._output.console
            # It is shown when there is news, so nothing need draw it between.
            self._live = Live(console=console, screen=True, auto_refresh=False)
            self._live.start()
        self._live.update(shown, refresh=True)


def table(answer: LiveAnswer) -> Table:
    """Return an answer as rich shows it."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=summary(answer), title_justify="left", header_style="bold")
    for column in COLUMNS:
        justify: Any = "right" if column in NUMBERS else "left"
        shown.add_column(column, justify=justify, no_wrap=True)
    for cells, style in rows(answer):
        shown.add_row(*(Text(clean(cell)) for cell in cells), style=style)
    return shown


def summary(answer: LiveAnswer) -> str:
    """Return how many there are, in words."""
    members = sum(len(campaign.members) for campaign in answer.campaigns)
    connections = sum(campaign.connections for campaign in answer.campaigns)
    return (
        f"campaigns {len(answer.campaigns):,}   members {members:,}"
        f"   connections {connections:,}   waiting {answer.waiting:,}"
    )


def rows(answer: LiveAnswer) -> Iterator[tuple[list[str], str]]:
    """Yield the cells of each row and its style: a campaign's, and below it its members'."""
    for campaign in answer.campaigns:
        first = [campaign.campaign_id, f"{campaign.version}", campaign.table or ""]
        yield [*first, f"({len(campaign.members)})", *[""] * 7], "bold"
        for member in sorted(campaign.members, key=lambda each: _order(campaign, each)):
            slow = any(each.slow for each in member.connections)
            style = "red" if slow else "" if member.connections else "dim"
            yield _member(campaign, member), style


def _order(campaign: CampaignNow, member: MemberNow) -> tuple[int, str, str]:
    behind = max((each.lag for each in member.connections), default=0)
    return -behind, member.role, member.player_id or ""


def _member(campaign: CampaignNow, member: MemberNow) -> list[str]:
    cells = [campaign.campaign_id, "", "", member.player_id or "-", member.role]
    cells.append(member.status or "")
    there = member.connections
    if not there:
        return [*cells, "(gone)", *[""] * 4]
    ways = Counter(each.transport for each in there)
    by = " ".join(way if many == 1 else f"{many} {way}s" for way, many in ways.items())
    lag = max(each.lag for each in there)
    outbox = sum(each.outbox for each in there)
    seen = min(each.last_seen for each in there)
    # Of several devices, the one that is furthest behind.
    holds = min(each.version for each in there)
    return [*cells, by, f"{holds}", f"{lag}", f"{outbox}", f"{seen:.1f}"]
