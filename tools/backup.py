"""`questlog backup` and `restore`: a store copied, whole or cut, and proved before it counts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import click

from eventstore.errors import DamagedCopyError, StoreError
from eventstore.migrator import ACCESS_ID
from eventstore.moments import version_at
from eventstore.port import Extent
from eventstore.proof.verifier import verify
from eventstore.sqlite.copying import copy_beside, copy_cut, copy_pages, unfinished
from eventstore.sqlite.location import PREFIX, path_of
from questlog.campaign.errors import Rejection, UnknownVersion
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.upcast import UnknownSchemaError
from server.access.file import SUFFIX, access_path
from tools.naming import read_moment
from tools.options import json_option, option, store_option
from tools.reading import answer, known, opened
from tools.render import Output, fail

# Niceness, from -20 to 19 (setpriority(2)).
BEHIND = 10


def step_back() -> None:
    """Let all else on this machine go first: a server that plays the store, above all."""
    # Proving the copy would else take a processor from it for seconds. Windows has no such thing.
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(BEHIND, os.getpriority(os.PRIO_PROCESS, 0)))


@click.command()
@click.argument("file")
@store_option
@json_option
def backup(file: str, store: str, as_json: bool) -> None:
    """Copy a store to FILE as it is at one moment, also while it is served, and prove the copy.

    The access file beside the store is copied to FILE.access. Nothing is ever written over, and
    nothing is left where the copy fails.
    """
    answer(check_readable(store), as_json=as_json)
    step_back()
    source = path_of(store)
    with answering(as_json):
        done = _copied(source, _place(file), lambda made: copy_pages(source, made))
    _report(done, as_json)


@click.command()
@click.argument("file")
@click.argument("new")
@option(
    "--at",
    callback=read_moment,
    envvar="QUESTLOG_RESTORE_AT",
    metavar="MOMENT",
    help="As of then (RFC 3339): every campaign.",
)
@option("--campaign", metavar="ID", help="This campaign alone.")
@option("--version", type=click.IntRange(min=1), help="Up to this version of --campaign.")
@json_option
def restore(
    file: str,
    new: str,
    at: datetime | None,
    campaign: str | None,
    version: int | None,
    as_json: bool,
) -> None:
    """Make NEW, a store that is not there yet, from FILE: a backup, or any other store.

    Whole, or as of a moment, or one campaign up to a version. NEW is proved before it gets its
    name, and FILE is only read. The access file beside FILE is copied as it is.
    """
    if version is not None and (campaign is None or at is not None):
        raise click.UsageError("--version needs --campaign, and excludes --at.")
    source, target = _place(file), _place(new)
    url = url_of(source)
    if at is None and campaign is None:
        answer(check_readable(url), as_json=as_json)
        with answering(as_json):
            done = _copied(source, target, lambda made: copy_pages(source, made))
    else:
        cuts = answer(_cuts(url, at, campaign, version), as_json=as_json)
        with answering(as_json):
            done = _copied(source, target, lambda made: copy_cut(source, made, cuts))
    _report(done, as_json)


def url_of(path: Path) -> str:
    """Return the URL of the store in this file."""
    return PREFIX + str(path.absolute())


def _place(text: str) -> Path:
    """Return the file people mean by a path, or by the URL of a store."""
    return path_of(text) if text.startswith(PREFIX) else Path(text).absolute()


async def check_readable(store: str) -> None:
    """Raise StoreError where there is no store of this release at this URL."""
    async with opened(store):
        pass


async def _cuts(
    store: str, at: datetime | None, campaign: str | None, version: int | None
) -> dict[str, int]:
    """Return up to which version each campaign that is to be restored goes.

    Raises:
        UnknownCampaign, UnknownVersion: the one that is named is not there, or not so far.
    """
    async with opened(store) as reader:
        found = await reader.campaigns() if campaign is None else [await known(reader, campaign)]
        heads = {each.campaign_id: each.version for each in found}
        if version is not None:
            [(name, head)] = heads.items()
            if version > head:
                raise UnknownVersion(f"{name!r} has versions 1 to {head}, not {version}.")
            return {name: version}
        if at is None:
            return heads
        cuts = {name: await version_at(reader, name, at) for name in heads}
    begun = {name: until for name, until in cuts.items() if until}
    if campaign is not None and not begun:
        raise UnknownVersion(f"{campaign!r} had not begun then.")
    return begun


def _copied(source: Path, target: Path, fill: Callable[[Path], None]) -> dict[str, object]:
    """Make `target` and its access file, and return what there is to say of it.

    The log gets its name last: where it stands, everything that belongs to it does.
    """
    access, beside = access_path(url_of(source)), target.with_name(target.name + SUFFIX)
    with_access, placed = access.exists(), False
    try:
        with unfinished(target) as made:
            with unfinished(beside) if with_access else nullcontext() as copy:
                if copy is not None:
                    copy_beside(access, copy, ACCESS_ID)
                fill(made)
                extent = _proved(made)
            placed = with_access
    except BaseException:
        if placed:
            beside.unlink(missing_ok=True)
        raise
    return {
        "file": str(target),
        "access": str(beside) if with_access else None,
        "campaigns": extent.campaigns,
        "events": extent.events,
        "size": target.stat().st_size,
    }


def _proved(made: Path) -> Extent:
    """Return how large a copy is, having walked every log in it.

    Raises:
        DamagedCopyError: something is not as it should be.
    """
    return asyncio.run(_verified(made))


async def _verified(made: Path) -> Extent:
    async with opened(url_of(made)) as reader:
        async for finding in verify(reader):
            version = "" if finding.version is None else f" version {finding.version}"
            where = f"{finding.campaign_id or 'the store'}{version}"
            raise DamagedCopyError(
                f"No copy was kept, as what it was made from is damaged: {where}, {finding.code}:"
                f" {finding.detail} `questlog verify` says all."
            )
        return await reader.extent()


@contextmanager
def answering(as_json: bool) -> Iterator[None]:
    """Say on standard error why the answer is no, with exit status 1."""
    try:
        yield
    except (StoreError, Rejection) as error:
        fail(error.code, error.message, as_json=as_json)
    except (DamagedLogError, UnknownSchemaError) as error:
        fail(error.code, f"{error}; see questlog verify.", as_json=as_json)


def _report(done: dict[str, object], as_json: bool) -> None:
    output = Output()
    if as_json:
        output.json(done)
        return
    campaigns = "1 campaign" if done["campaigns"] == 1 else f"{done['campaigns']:,} campaigns"
    events = "1 event" if done["events"] == 1 else f"{done['events']:,} events"
    output.line(f"{done['file']}: {campaigns}, {events}, ", ("intact", "green"))
    if done["access"] is not None:
        output.line(f"{done['access']}: who may come in")
