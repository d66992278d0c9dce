"""`questlog campaigns`, `show`, `state` and `diff`: read a store, also while a server writes it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click

from eventstore.errors import StoreError
from eventstore.moments import version_at
from eventstore.port import Loaded, Summary
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.errors import Invalid, Rejection, UnknownCampaign, UnknownVersion
from questlog.campaign.events import Event
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.moments import written
from questlog.campaign.position import seal
from questlog.campaign.state import CampaignState
from questlog.campaign.upcast import UnknownSchemaError
from questlog.campaign.visibility import Viewer
from questlog.document import BadPointer, get, parse
from questlog.document import diff as difference
from questlog.sync.feed import Feed
from tools.naming import Named, named, read_version, viewer_option
from tools.options import campaign_argument, complete_campaigns, json_option, option, store_option
from tools.render import Output, changes, fail

T = TypeVar("T")


def answer(work: Coroutine[Any, Any, T], *, as_json: bool) -> T:
    """Run `work` to its end; what it refuses is said on standard error, with exit status 1."""
    try:
        return asyncio.run(work)
    except (StoreError, Rejection) as error:
        fail(error.code, error.message, as_json=as_json)
    except (DamagedLogError, UnknownSchemaError) as error:
        fail(error.code, f"{error}; see questlog verify.", as_json=as_json)
    except sqlite3.Error as error:
        detail = f"SQLite cannot read the store: {error}; see questlog verify."
        fail("unreadable", detail, as_json=as_json)


@asynccontextmanager
async def opened(store: str) -> AsyncIterator[SqliteReader]:
    """Open the store at this URL for reading, and close it in the end."""
    reader = await SqliteReader.open(store)
    try:
        yield reader
    finally:
        await reader.close()


async def known(reader: SqliteReader, campaign: str) -> Summary:
    """Return the summary of a campaign.

    Raises:
        UnknownCampaign: there is none of this id.
    """
    summary = await reader.summary(campaign)
    if summary is None:
        raise UnknownCampaign(f"There is no campaign {campaign!r} in {reader.path}.")
    return summary


async def loaded_at(reader: SqliteReader, campaign: str, version: int | None) -> Loaded:
    """Return a campaign at a version, or at its head.

    Raises:
        UnknownCampaign, UnknownVersion: there is none.
    """
    summary = await known(reader, campaign)
    loaded = await reader.load(campaign, at=version)
    if loaded is None:
        raise UnknownVersion(f"{campaign!r} has versions 1 to {summary.version}, not {version}.")
    return loaded


def position(reader: SqliteReader, version: int, chain_hash: str) -> str:
    """Return the position of a version for the DM's view, as over HTTP."""
    return str(seal(reader.secret, version, chain_hash, "dm"))


@click.command()
@store_option
@json_option
def campaigns(store: str, as_json: bool) -> None:
    """List the campaigns of a store."""
    answer(_campaigns(store, as_json), as_json=as_json)


async def _campaigns(store: str, as_json: bool) -> None:
    output = Output()
    async with opened(store) as reader:
        found = await reader.campaigns()
        if not as_json:
            columns = ("campaign", "title", "version", "table", "created", "last event")
            output.table(columns, [_cells(summary) for summary in found])
            return
        for summary in found:
            output.json(
                {
                    "campaign_id": summary.campaign_id,
                    "title": summary.title,
                    "version": summary.version,
                    "position": position(reader, summary.version, summary.hash),
                    "table": summary.table,
                    "created_at": summary.created_at,
                    "last_at": summary.last_at,
                }
            )


def _cells(summary: Summary) -> tuple[str, ...]:
    return (
        summary.campaign_id,
        summary.title or "",
        str(summary.version),
        summary.table or "",
        summary.created_at,
        summary.last_at,
    )


@click.command()
@campaign_argument
@click.argument("version", type=click.IntRange(min=1))
@store_option
@json_option
def show(campaign: str, version: int, store: str, as_json: bool) -> None:
    """Print one event of CAMPAIGN whole: what it says of itself, and what it changed."""
    answer(_show(campaign, version, store, as_json), as_json=as_json)


async def _show(campaign: str, version: int, store: str, as_json: bool) -> None:
    output = Output()
    async with opened(store) as reader:
        summary = await known(reader, campaign)
        found = await reader.read(campaign, after=version - 1, until=version)
        if not found:
            raise UnknownVersion(
                f"{campaign!r} has versions 1 to {summary.version}, not {version}."
            )
        if as_json:
            output.json(found[0])
            return
        before = await reader.load(campaign, at=version - 1)
    _print_event(output, found[0], before)


def _print_event(output: Output, event: Event, before: Loaded | None) -> None:
    rows = {
        "version": str(event.version),
        "id": event.id,
        "kind": event.kind,
        "actor": f"{event.actor.member} ({event.actor.role})",
        "at": event.at,
        "data": bytes(event.data).decode(),
        "meta": bytes(event.meta).decode(),
        "request": event.request,
        "schema": str(event.schema),
        "hash": event.hash,
    }
    for name, text in rows.items():
        output.line((f"{name:8} ", "bold"), text)
    document = {} if before is None else before.state.document
    for part in changes(document, event.operations()):
        output.line(part)


@click.command()
@campaign_argument
@option(
    "--at",
    callback=read_version,
    metavar="VERSION",
    help="At this version or moment, not the head.",
)
@viewer_option
@option("--path", default="", metavar="POINTER", help="Only what stands there (RFC 6901).")
@store_option
@json_option
def state(
    campaign: str, at: Named | None, viewer: Viewer, path: str, store: str, as_json: bool
) -> None:
    """Print the document of CAMPAIGN: what a viewer sees of it, or saw at any version or time."""
    check_pointer(path)
    answer(_state(campaign, at, viewer, path, store, as_json), as_json=as_json)


async def _state(
    campaign: str, at: Named | None, who: Viewer, path: str, store: str, as_json: bool
) -> None:
    async with opened(store) as reader:
        await known(reader, campaign)
        version = None if at is None else await version_named(reader, campaign, at)
        loaded = await loaded_at(reader, campaign, version)
        feed = Feed(loaded.state, loaded.hash, reader.secret, lambda: loaded.state.last_at)
    try:
        value = get(feed.head.view(who), path)
    except BadPointer as error:
        raise Invalid(f"There is nothing at {path}: {error}.") from error
    if not as_json:
        Output().document(value)
        return
    place = feed.position(who)
    head = {"campaign_id": campaign, "version": loaded.state.version, "position": place}
    Output().json({**head, **({"path": path, "value": value} if path else _whole(value))})


def _whole(document: Any) -> dict[str, Any]:
    return {"structured_data": document}


async def version_named(reader: SqliteReader, campaign: str, name: Named) -> int:
    """Return the version that is named, by its number or by a moment.

    Raises:
        UnknownVersion: there was none yet at that moment.
    """
    if isinstance(name, int):
        return name
    version = await version_at(reader, campaign, name)
    if not version:
        raise UnknownVersion(f"{campaign!r} had not begun at {written(name)}.")
    return version


def check_pointer(text: str, hint: str = "--path") -> tuple[str, ...]:
    """Return the tokens of a pointer given on the command line; other text is wrong usage."""
    try:
        return parse(text)
    except BadPointer as error:
        raise click.BadParameter(f"{error}.", param_hint=hint) from error


@click.command()
@click.argument("operands", nargs=-1, metavar="CAMPAIGN A B", shell_complete=complete_campaigns)
@store_option
@json_option
def diff(operands: tuple[str, ...], store: str, as_json: bool) -> None:
    """Print what changed in CAMPAIGN from version A to version B (0: before it began).

    `diff ONE@10 OTHER@40` compares two campaigns, as a fork and what it was made of. A version may
    be a moment as well.
    """
    if len(operands) == 3:
        campaign, a, b = operands
        pair = ((campaign, a), (campaign, b))
    elif len(operands) == 2 and all("@" in each for each in operands):
        # Of a campaign's id it may be a part, of a version never.
        one, other = (each.rpartition("@") for each in operands)
        pair = ((one[0], one[2]), (other[0], other[2]))
    else:
        raise click.UsageError("Give CAMPAIGN A B, or ONE@A OTHER@B.")
    ends = tuple((campaign, named(text, "a version")) for campaign, text in pair)
    answer(_diff(ends, store, as_json), as_json=as_json)


async def _diff(pair: tuple[tuple[str, Named], ...], store: str, as_json: bool) -> None:
    output = Output()
    async with opened(store) as reader:
        old, new = [await _document(reader, *each) for each in pair]
    operations = difference(old, new)
    if as_json:
        for operation in operations:
            output.json(operation)
        return
    for part in changes(old, operations):
        output.line(part)


async def _document(reader: SqliteReader, campaign: str, name: Named) -> dict[str, Any]:
    await known(reader, campaign)
    version = await version_named(reader, campaign, name)
    if version == 0:
        return CampaignState(campaign_id=campaign).document
    return (await loaded_at(reader, campaign, version)).state.document
