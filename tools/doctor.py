"""`questlog doctor`: what is wrong with a store, what is lost by it, and what can be repaired."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click

from eventstore.doctor import Diagnosis, diagnose
from eventstore.errors import StoreError
from eventstore.sqlite.location import path_of
from eventstore.sqlite.repairing import repair as repair_store
from server.access.file import access_path
from tools.options import json_option, option, store_option
from tools.reading import answer, opened
from tools.render import Output

OTHERS = 0o077


@click.command()
@option("--repair", is_flag=True, help="Make whole what is derived from the log; no server runs.")
@store_option
@json_option
def doctor(repair: bool, store: str, as_json: bool) -> None:
    """Look a store through: schema, pages, hashes, gaps, snapshots, rules, seats, access file.

    Says of everything that is wrong what is lost by it, and whether it can be repaired. Repaired is
    only what the log itself tells: an event is never touched. Status 1 where something is left.
    """
    if not answer(_doctor(store, repair, as_json), as_json=as_json):
        raise click.exceptions.Exit(1)


async def _doctor(store: str, repair: bool, as_json: bool) -> bool:
    """Print what is wrong, repair it where that is asked, and return whether nothing is left."""
    output = Output()
    found = await _examined(store)
    for each in found:
        _print(output, each, as_json)
    if not found:
        _say(output, "Nothing is wrong.", as_json)
        return True
    if not repair:
        return False
    if any(each.repairable for each in found):
        repair_store(path_of(store), found)
        _close_to_others(store)
    left = await _examined(store)
    repaired = len(found) - len(left)
    _say(output, f"{repaired} of {len(found)} repaired; {len(left)} left.", as_json)
    for each in left:
        _print(output, each, as_json)
    return not left


async def _examined(store: str) -> list[Diagnosis]:
    async with opened(store) as reader:
        found = [each async for each in diagnose(reader)]
    return [*found, *_access(access_path(store))]


def _access(path: Path) -> list[Diagnosis]:
    """Return what is wrong with the access file beside a store, where it is there."""
    if not path.is_file():
        return []
    found = []
    if path.stat().st_mode & OTHERS:
        detail = f"{path.name} holds keys, and others may read it."
        found.append(Diagnosis("", "open_to_others", None, detail, "maybe its keys", True))
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        state = str(error)
    if state != "ok":
        lost = "who may come in: make it anew, and give everybody their seats again"
        detail = f"{path.name} cannot be read: {state}."
        found.append(Diagnosis("", "unreadable", None, detail, lost, False))
    return found


def _close_to_others(store: str) -> None:
    path = access_path(store)
    if path.is_file() and path.stat().st_mode & OTHERS:
        try:
            path.chmod(0o600)
        except OSError as error:
            raise StoreError(f"{path.name} cannot be closed to others: {error}.") from error


def _print(output: Output, each: Diagnosis, as_json: bool) -> None:
    if as_json:
        output.json(each)
        return
    where = each.campaign_id or "(store)"
    version = "" if each.version is None else f" version {each.version}"
    output.line((f"{where}{version}: ", "bold"), (each.code, "red"), f": {each.detail}")
    can = "can be repaired" if each.repairable else "cannot be repaired: a backup"
    output.line(f"    lost: {each.lost}; {can}")


def _say(output: Output, sentence: str, as_json: bool) -> None:
    if not as_json:
        output.line((sentence, "bold"))
