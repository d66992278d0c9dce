"""`questlog verify` and `migrate`: prove a store intact, and take its schema up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from eventstore.errors import NoStoreError
from eventstore.port import Finding
from eventstore.proof.verifier import verify as verified
from eventstore.sqlite.location import path_of
from eventstore.sqlite.proving import processors, prove
from eventstore.sqlite.store import SqliteReader, SqliteStore
from questlog.campaign.errors import UnknownCampaign
from tools.options import complete_campaigns, json_option, store_option
from tools.reading import answer, opened
from tools.render import Output

LONG = 5_000
# From so many events on it is worth it to start other processes.
MANY = 50_000


@click.command()
@click.argument("campaign", required=False, shell_complete=complete_campaigns)
@store_option
@json_option
def verify(campaign: str | None, store: str, as_json: bool) -> None:
    """Prove the log of CAMPAIGN, or of all, intact: hashes, versions, patches and snapshots."""
    if not answer(_verify(campaign, store, as_json), as_json=as_json):
        raise click.exceptions.Exit(1)


async def _verify(campaign: str | None, store: str, as_json: bool) -> bool:
    """Print every finding, and return whether there was none."""
    output = Output()
    intact = True
    walked = 0
    async with opened(store) as reader:
        total, count = await _extent(reader, campaign)
        with _progress(total) as advance:

            def progress(events: int) -> None:
                nonlocal walked
                walked += events
                advance(events)

            if total >= MANY and processors() > 1:
                findings = prove(reader, store, campaign, progress)
            else:
                findings = verified(reader, campaign, progress=progress)
            async for finding in findings:
                intact = False
                _print_finding(output, finding, as_json)
    if intact and not as_json:
        campaigns = "1 campaign" if count == 1 else f"{count:,} campaigns"
        events = "1 event" if walked == 1 else f"{walked:,} events"
        output.line((f"{campaigns}, {events}: intact", "green"))
    return intact


async def _extent(reader: SqliteReader, campaign: str | None) -> tuple[int, int]:
    """Return how many events and campaigns there are to verify.

    Raises:
        UnknownCampaign: nothing in the store names the one given.
    """
    if campaign is None:
        found = await reader.campaigns()
        return sum(summary.version for summary in found), len(found)
    kept = await reader.kept(campaign)
    if kept.summary is None and kept.first is None and not kept.snapshots:
        raise UnknownCampaign(f"There is no campaign {campaign!r} in {reader.path}.")
    return kept.last or 0, 1


def _print_finding(output: Output, finding: Finding, as_json: bool) -> None:
    if as_json:
        output.json(finding)
        return
    where = finding.campaign_id or "(store)"
    version = "" if finding.version is None else f" version {finding.version}"
    output.line((f"{where}{version}: ", "bold"), (finding.code, "red"), f": {finding.detail}")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error where that is a terminal and the log is long."""
    if total < LONG or not sys.stderr.isatty():
        yield lambda events: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Verifying", total=total)
        yield lambda events: progress.advance(task, events)


@click.command()
@store_option
@json_option
def migrate(store: str, as_json: bool) -> None:
    """Take the schema of a store up to this release's, and print what was ever applied."""
    answer(_migrate(store, as_json), as_json=as_json)


async def _migrate(store: str, as_json: bool) -> None:
    path = path_of(store)
    if not path.is_file():
        raise NoStoreError(f"There is no store at {path}.")
    opened_store = await SqliteStore.open(store)
    try:
        rows = await opened_store.migrations()
    finally:
        await opened_store.close()
    output = Output()
    columns = ("number", "name", "sha256", "at")
    if not as_json:
        output.table(columns, [tuple(map(str, row)) for row in rows])
        return
    for row in rows:
        output.json(dict(zip(columns, row, strict=True)))
