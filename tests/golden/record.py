"""Writes the golden log of a release: `python -m tests.golden.record 0.1.0`, once, before it.

One event a line in NAME.jsonl, as `questlog log --json` prints them; in NAME.json what every
version of it came to. Neither is ever written again: from then on every release must read the one
and come to the other.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from eventstore.port import EventReader
from questlog.campaign.commands import (
    Activate,
    AddNarration,
    BeginNarration,
    Command,
    Commit,
    Create,
    Deactivate,
    Decide,
    EndNarration,
    ReleaseLease,
    Rewind,
    SetVisibility,
    Suggest,
    TakeLease,
)
from questlog.campaign.events import Actor, built_in_kinds
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Projector, Rule, Rules, Viewer
from questlog.document import digest
from tests.eventstore.forks import forking
from tests.eventstore.scribe import DM, Scribe, open_store

FOLDER = Path(__file__).parent
CAMPAIGN, FORK = "golden", "golden-fork"
MIRA, TOBIN = Viewer("player", "mira"), Viewer("player", "tobin")
VIEWERS = (Viewer("dm"), MIRA, TOBIN, Viewer("player"), Viewer("spectator"))
PLAYER = Actor("mira", "player")

DOCUMENT: dict[str, Any] = {
    "characters": {"mira": {"hp": 9, "bag": ["rope", "lamp"]}, "tobin": {"hp": 7}},
    "initiative": [{"id": "goblin", "hidden": True}, {"id": "mira"}],
    "dm": {"plan": "a trap", "roll": 2**70},
    "private": {"mira": {"note": "Łódź 龍 😀"}, "tobin": {"note": '"quoted" \\ /'}},
    "odd keys": {"": 1, "/": 2, "~": 3, "é": None, "0": [True, False, -0.5, 1e300]},
}
RULES = Rules(
    default="visible",
    rules=(
        Rule("/dm", ("dm",)),
        Rule("/private/{player}", ("{player}",)),
        Rule("/initiative/*", ("dm",), {"hidden": True}),
    ),
)
CHANGED = Rules(default="hidden", rules=(Rule("/characters/*", ("players", "player:mira")),))
OPERATIONS: tuple[dict[str, Any], ...] = (
    {"op": "test", "path": "/dm/roll", "value": 2**70},
    {"op": "replace", "path": "/characters/mira/hp", "value": 4.5},
    {"op": "add", "path": "/characters/mira/bag/0", "value": {"name": "torch", "lit": True}},
    {"op": "move", "from": "/characters/mira/bag/1", "path": "/characters/tobin/rope"},
    {"op": "copy", "from": "/private/mira", "path": "/odd keys/~1"},
    {"op": "remove", "path": "/odd keys/~0"},
)


def commands() -> list[tuple[Command, Actor, str | None]]:
    """Return all that is done to the campaign, by whom, and under which id (None: the server's).

    What has an id is never changed, only added to: older logs must know it for a retry.
    """
    whole = {**DOCUMENT, "scene": "the crypt", "odd keys": {"-": []}}
    return [
        (Create(DOCUMENT, RULES, "Ash & Örd"), DM, "create"),
        (Activate("main"), DM, None),
        (Commit(patch=list(OPERATIONS), kind="turn.ended", meta={"die": 20}), DM, "turn-1"),
        (Commit(patch=[]), DM, "nothing"),
        (Commit(merge={"characters": {"tobin": {"hp": None}}, "round": 1}), DM, None),
        (Suggest("s1", "mira", "I open the door.", "action", {"n": 1}), PLAYER, "s1"),
        (Suggest("s2", "mira", "And run."), PLAYER, "s2"),
        (Suggest("s3", None, "Boo"), Actor("player", "player"), "s3"),
        (Decide("s1", "mira", "answered", "Which one?"), DM, None),
        (Decide("s1", "mira", "accepted", None, [_put("/door", "open")]), DM, None),
        (Decide("s2", "mira", "dismissed"), DM, None),
        (TakeLease("tablet"), DM, None),
        (BeginNarration("n1", speaker="Narrator"), DM, None),
        (AddNarration("n1", "It is dark. "), DM, None),
        (AddNarration("n1", "Something moves: 😀"), DM, None),
        (EndNarration("n1", " and is gone."), DM, None),
        (BeginNarration("n2", "/scenes"), DM, None),
        (EndNarration("n2", how="interrupted"), DM, None),
        (SetVisibility(CHANGED), DM, "rules"),
        (Commit(structured_data=whole), DM, "whole"),
        (ReleaseLease(12), DM, None),
        (Deactivate(), DM, None),
        (Rewind(3, {}, "/characters"), DM, "back"),
        (Activate("attic", "The crypt"), DM, None),
        (SetVisibility(RULES), DM, None),
    ]


def _put(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


async def write(reader_of: EventReader, scribe: Scribe) -> None:
    """Do all of it."""
    for command, actor, identifier in commands():
        if isinstance(command, Rewind):
            loaded = await reader_of.load(CAMPAIGN, at=command.to_version)
            assert loaded is not None
            command = msgspec.structs.replace(command, target=loaded.state.document)
        await scribe.write(command, id=identifier, actor=actor)


def come_to(state: CampaignState) -> dict[str, Any]:
    """Return what a version has come to, in a form that no later release changes."""
    projector = Projector(state.rules)
    return {
        "version": state.version,
        "views": [digest(projector.project(state.document, viewer)) for viewer in VIEWERS],
        "title": state.title,
        "table": state.table,
        "rules": digest(msgspec.json.decode(msgspec.json.encode(projector.rules))),
        "lease": None if state.lease is None else state.lease.version,
        "suggestions": [
            [each.id, each.player_id, each.state, each.answer] for each in state.suggestions
        ],
        "narrations": [[each.id, each.length] for each in state.narrations],
        "at": [state.created_at, state.last_at],
    }


async def versions(reader: EventReader, campaign_id: str) -> AsyncIterator[CampaignState]:
    """Yield every version of a campaign."""
    head = await reader.head(campaign_id)
    assert head is not None
    for version in range(1, head.version + 1):
        loaded = await reader.load(campaign_id, at=version)
        assert loaded is not None
        yield loaded.state


async def record(name: str) -> None:
    """Write the golden log of the release called `name`.

    Raises:
        FileExistsError: it has been written.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder) / "golden.db")
        await write(store, Scribe(store, CAMPAIGN))
        await store.fork(CAMPAIGN, FORK, await forking(store, CAMPAIGN, 14, FORK))
        logs = [await store.read(campaign_id) for campaign_id in (CAMPAIGN, FORK)]
        told = {
            each: [come_to(s) async for s in versions(store, each)] for each in (CAMPAIGN, FORK)
        }
        await store.close()
    kinds = {event.kind for log in logs for event in log}
    assert kinds >= set(built_in_kinds()), set(built_in_kinds()) - kinds
    with (FOLDER / f"{name}.jsonl").open("xb") as file:
        for event in (event for log in logs for event in log):
            file.write(msgspec.json.encode(event) + b"\n")
    with (FOLDER / f"{name}.json").open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
