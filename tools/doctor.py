"""`questlog doctor`: what is wrong with a store, what is lost by it, and what can be repaired."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from eventstore.doctor import Diagnosis, diagnose
from eventstore.sqlite.location import path_of
from eventstore.sqlite.repairing import repair as repair_store
from server.access.file import access_path
from tools.options import json_option, option, store_option
from tools.reading import answer, opened
from tools.render import Output

OTHERS = 0o077


class Outcome(Struct, frozen=True):
    """What came of repairing something: whether it is whole now, and if not, why."""

    repaired: bool
    why: str | None = None


@click.command()
@option("--repair", is_flag=True, help="Make whole what is derived from the log; no server runs.")
@store_option
@json_option
def doctor(repair: bool, store: str, as_json: bool) -> None:
    """Look a store through: schema, pages, hashes, gaps, snapshots, rules, seats, access file.

    Says of everything that is wrong what is lost by it, and whether it can be repaired; with
    --repair, what was. Repaired is only what the log itself tells, each campaign by itself: an
    event is never touched. Status 1 where something is left.
    """
    if not answer(_doctor(store, repair, as_json), as_json=as_json):
        raise click.exceptions.Exit(1)


async def _doctor(store: str, repair: bool, as_json: bool) -> bool:
    """Print what is wrong, repair it where that is asked, and return whether nothing is left."""
    output = Output()
    found = await _examined(store)
    if not found:
        _say(output, "Nothing is wrong.", as_json)
        return True
    if not repair:
        for each in found:
            _print(output, each, None, as_json)
        return False
    failed: dict[Diagnosis, str] = {}
    if any(each.repairable for each in found):
        failed = repair_store(path_of(store), found)
        failed.update(_close_to_others(store, found))
    left = {_name(each): each for each in await _examined(store)}
    for each in found:
        done = _name(each) not in left
        _print(output, each, Outcome(done, None if done else failed.get(each)), as_json)
    for name, each in left.items():
        # What could not be seen for what was wrong before.
        if name not in map(_name, found):
            _print(output, each, Outcome(False), as_json)
    count = sum(_name(each) not in left for each in found)
    _say(output, f"{count} of {len(found)} repaired; {len(left)} left.", as_json)
    return not left


def _name(each: Diagnosis) -> tuple[str, str, int | None]:
    return each.campaign_id, each.code, each.version


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


def _close_to_others(store: str, found: list[Diagnosis]) -> dict[Diagnosis, str]:
    """Close the access file to others where it is open to them; return why that failed, if so."""
    path = access_path(store)
    try:
        if path.is_file() and path.stat().st_mode & OTHERS:
            path.chmod(0o600)
    except OSError as error:
        return {each: f"{error}" for each in found if each.code == "open_to_others"}
    return {}


def _print(output: Output, each: Diagnosis, outcome: Outcome | None, as_json: bool) -> None:
    """Print what is wrong, and what was done about it where that was asked."""
    if as_json:
        done = {} if outcome is None else msgspec.to_builtins(outcome)
        output.json({**msgspec.to_builtins(each), **done})
        return
    where = each.campaign_id or "(store)"
    version = "" if each.version is None else f" version {each.version}"
    output.line((f"{where}{version}: ", "bold"), (each.code, "red"), f": {each.detail}")
    if outcome is not None and outcome.repaired:
        can = "repaired"
    elif outcome is not None and each.repairable:
        can = f"not repaired: {outcome.why or 'it is there again'}"
    elif each.repairable:
        can = "can be repaired"
    else:
        can = f"cannot be repaired: {each.obstacle or 'a backup'}"
    output.line(f"    lost: {each.lost}; {can}")


def _say(output: Output, sentence: str, as_json: bool) -> None:
    if not as_json:
        output.line((sentence, "bold"))
