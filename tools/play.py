"""`questlog play`: the orchestrator that performs a recorded campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tools.options import json_option, option, token_option, url_option

if TYPE_CHECKING:
    from tools.performer import Performance


def read_speed(_ctx: click.Context, _param: click.Parameter, value: str) -> float | None:
    """Return what `--speed` says: a factor above 0, or None for `max`."""
    if value == "max":
        return None
    try:
        factor = float(value)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise click.BadParameter(f"{value!r} is neither a factor above 0 nor max.")
    return factor


speed_option = option(
    "--speed",
    callback=read_speed,
    default="1",
    metavar="X|max",
    help="Times as fast as recorded, or max.",
)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@url_option
@token_option
@option("--campaign", metavar="ID", help="The campaign; the recording's own where not given.")
@speed_option
@json_option
def play(
    file: Path,
    url: str,
    token: str | None,
    campaign: str | None,
    speed: float | None,
    as_json: bool,
) -> None:
    """Perform the recorded campaign in FILE on a server, each step exactly once.

    Broken off at any time and run again, it goes on where it was. It waits for a server that is
    down.
    """
    import sys
    import time

    import msgspec

    from server.process import run
    from tools.recording import count_steps

    shown = sys.stderr.isatty() and not as_json
    with progress(count_steps(file) if shown else None) as on_step:
        begun = time.perf_counter()
        done = run(_play(file, url, token, campaign, speed, on_step))
        seconds = time.perf_counter() - begun
    if as_json:
        members = {**msgspec.structs.asdict(done), "seconds": round(seconds, 3)}
        click.echo(msgspec.json.encode(members).decode())
    else:
        click.echo(summary(done, seconds))


def summary(done: Performance, seconds: float) -> str:
    """Return what came of a performance as one line for a person."""
    again = f", after the {done.resumed_after} done before" if done.resumed_after else ""
    rate = f", {done.committed / seconds:.0f} a second" if seconds and done.committed else ""
    return (
        f"{done.campaign_id}: performed {done.committed} of {done.steps} steps{again}"
        f" in {seconds:.1f} s{rate}; version {done.version}"
    )


@contextmanager
def progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while the context lasts; yields what moves it to a step.

    Args:
        total: how many steps there are; None shows nothing.
    """
    if total is None:
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("performing", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("performing", total=total)
        yield lambda number: bar.update(task, completed=number)


async def _play(
    file: Path,
    url: str,
    token: str | None,
    campaign: str | None,
    speed: float | None,
    on_step: Callable[[int], None],
) -> Performance:
    import aiohttp

    from questlog.campaign.ids import check_name
    from questlog.client import CampaignClient
    from questlog.sync.closing import ClosedError
    from tools.performer import Pace, Performer, prepare
    from tools.recording import Recording

    with Recording(file) as recording:
        campaign_id = check_name(campaign or recording.header.campaign_id, "campaign id")
        try:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            async with aiohttp.ClientSession(headers=headers) as session:
                done, version = await prepare(session, url, campaign_id, recording)
                async with CampaignClient(
                    url, campaign_id, role="dm", token=token, session=session
                ) as client:
                    performer = Performer(client, recording, campaign_id, Pace(speed), on_step)
                    return await performer.run(done, version)
        except (ClosedError, aiohttp.InvalidURL) as error:
            raise click.ClickException(str(error)) from error
