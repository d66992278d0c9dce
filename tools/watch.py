"""`questlog watch`: a player that follows and prints each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from tools.options import (
    complete_campaigns,
    complete_tables,
    json_option,
    option,
    token_option,
    url_option,
)

if TYPE_CHECKING:
    from questlog.sync.replica import Changed
    from questlog.sync.updates import Update

MAX_PATHS = 4


@click.command()
@url_option
@token_option
@option(
    "--campaign",
    metavar="ID",
    help="The campaign; whatever is played at --table if not given.",
    shell_complete=complete_campaigns,
)
@option(
    "--table",
    metavar="NAME",
    default="main",
    help="The table to follow.",
    shell_complete=complete_tables,
)
@option("--player", metavar="ID", help="Who watches, on a server that asks for no token.")
@option(
    "--until",
    envvar="QUESTLOG_UNTIL_VERSION",
    type=click.IntRange(min=1),
    metavar="VERSION",
    help="End there, with status 0.",
)
@json_option
def watch(
    url: str,
    token: str | None,
    campaign: str | None,
    table: str,
    player: str | None,
    until: int | None,
    as_json: bool,
) -> None:
    """Follow a campaign as a player, and print each change as it happens.

    Says on standard error when the connection is lost and found again.
    """
    import asyncio

    from questlog.client import CampaignClient
    from questlog.sync.closing import ClosedError

    client_of = lambda: CampaignClient(  # noqa: E731 - made inside the loop
        url,
        campaign,
        table=table,
        player_id=player,
        token=token,
        on_status=status_printer(table),
    )
    show = print_json if as_json else print_update
    try:
        asyncio.run(_watch(client_of, until, show))
    except ClosedError as error:
        raise click.ClickException(str(error)) from error


async def _watch(
    client_of: Callable[[], Any], until: int | None, show: Callable[[Update], None]
) -> None:
    from questlog.sync.replica import Changed

    async with client_of() as client:
        async for update in client:
            show(update)
            if until is not None and isinstance(update, Changed) and update.version >= until:
                return


def status_printer(table: str) -> Callable[[str, float | None], None]:
    """Return what says a client's changes of status on standard error."""

    def say(status: str, delay: float | None) -> None:
        sentences = {
            "live": "live",
            "stale": "something was missed: asking for it",
            "waiting": f"nothing is played at table {table}: waiting",
        }
        sentence = sentences.get(status)
        if delay is not None:
            sentence = f"not connected: trying again in {delay:.1f} s"
        if sentence is not None:
            click.secho(sentence, err=True, dim=True)

    return say


def print_json(update: Update) -> None:
    """Print an update as one JSON object a line.

    `{"type":"changed","campaign_id","version","patch","events","reason"}`, where a snapshot has no
    patch and a reason, or `{"type":"deactivated","campaign_id"}`.
    """
    import msgspec

    members = {"type": type(update).__name__.lower(), **msgspec.structs.asdict(update)}
    click.echo(msgspec.json.encode(members))


def print_update(update: Update) -> None:
    """Print an update for a person: version, kind, who, and the paths that changed."""
    from questlog.sync.replica import Changed

    if not isinstance(update, Changed):
        click.secho(f"{printable(update.campaign_id)} has left the table", fg="yellow")
    elif update.patch is None:
        version = click.style(f"{update.version:>6}", bold=True)
        sentence = f"snapshot of {printable(update.campaign_id)} ({update.reason or 'full'})"
        click.echo(f"{version}  {click.style(sentence, fg='cyan')}")
    else:
        click.echo("\n".join(lines_of(update)))


def lines_of(update: Changed) -> list[str]:
    """Return the lines that tell of a delta: one an event, the paths on the last."""
    paths = click.style(paths_of(update.patch or []), dim=True)
    lines = [
        f"{click.style(f'{event.version:>6}', bold=True)}  "
        f"{click.style(printable(event.kind), fg='green')}  {printable(event.actor.member)}"
        for event in update.events
    ]
    if not lines or update.events[-1].version != update.version:
        # Something happened that this viewer is not told of.
        lines.append(f"{click.style(f'{update.version:>6}', bold=True)}  -")
    lines[-1] += f"  {paths}"
    return lines


def paths_of(patch: list[dict[str, Any]]) -> str:
    """Return the places a patch changes, the first few by name."""
    paths = list(dict.fromkeys(str(operation["path"]) or "(all)" for operation in patch))
    named = " ".join(printable(path) for path in paths[:MAX_PATHS])
    more = len(paths) - MAX_PATHS
    return f"{named} and {more} more" if more > 0 else named


def printable(text: str) -> str:
    """Return `text` with what a terminal would obey, or could not show, spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
