"""One who writes campaigns into a store as the server does: decide, append, snapshot."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from eventstore.port import Appended, EventStore, Outcome
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import (
    Activate,
    Command,
    Commit,
    Create,
    Deactivate,
    Request,
    SetVisibility,
)
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor, NewEvent
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Rule, Rules
from questlog.document import Limits
from tests.document import documents

DM = Actor("dm", "dm")
START = datetime(2026, 1, 2, 19, 30, tzinfo=UTC)


def url_of(path: Path) -> str:
    """Return the URL of the store in this file."""
    return f"sqlite:///{path}"


async def open_store(path: Path) -> SqliteStore:
    """Open the store in this file for writing."""
    return await SqliteStore.open(url_of(path))


async def filled(path: Path) -> sqlite3.Connection:
    """Write a campaign of three versions and return a raw connection to its file."""
    store = await open_store(path)
    await Scribe(store).write(create(), put("/hp", 1), put("/hp", 2))
    await store.close()
    return sqlite3.connect(path, isolation_level=None)


def moment(number: int) -> str:
    """Return the time of the event of this number, a second after the one before."""
    at = START + timedelta(seconds=number)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Scribe:
    """Writes one campaign; `state` is what it has come to, `hash` the last event's."""

    def __init__(self, store: EventStore, campaign_id: str = "c") -> None:
        self.store = store
        self.state = CampaignState(campaign_id=campaign_id)
        self.hash = ""

    def decide(self, command: Command, *, id: str | None = None, actor: Actor = DM) -> NewEvent:
        """Return the event `command` comes to, and take the state on; None is a test's mistake."""
        number = self.state.version + 1
        minted = Minted(moment(number), f"minted-{self.state.campaign_id}-{number}")
        decision = decide(self.state, Request(actor, command, id), minted, Limits())
        assert decision.event is not None
        self.state = decision.state
        return decision.event

    async def write(self, *commands: Command, id: str | None = None, actor: Actor = DM) -> Outcome:
        """Append what `commands` come to and return the outcome of the last."""
        events = [self.decide(command, id=id, actor=actor) for command in commands]
        return (await self.append(events))[-1]

    async def append(self, events: Sequence[NewEvent]) -> list[Outcome]:
        """Append `events`, all of which must succeed."""
        outcomes = await self.store.append(self.state.campaign_id, events)
        for outcome in outcomes:
            assert isinstance(outcome, Appended), outcome
            self.hash = outcome.hash
        return outcomes

    async def snapshot(self) -> None:
        """Save a snapshot of the present state."""
        await self.store.save_snapshot(self.state, self.hash)


def create(document: dict[str, Any] | None = None, title: str | None = None) -> Create:
    """Return the command that brings a campaign into being."""
    return Create({"hp": 10, "log": []} if document is None else document, title=title)


def put(path: str, value: Any, *, kind: str = "state.updated", **rest: Any) -> Commit:
    """Return the commit that puts one value at one place."""
    return Commit(patch=[{"op": "add", "path": path, "value": value}], kind=kind, **rest)


def any_command(rng: random.Random, state: CampaignState) -> Command:
    """Return a command that may be given at `state`: mostly commits of all three forms."""
    choice = rng.random()
    if not state.version:
        return Create(_object(rng), title=rng.choice((None, "Ashfall")))
    if choice < 0.04:
        return SetVisibility(
            Rules(default="visible", rules=(Rule(f"/{rng.choice('abc')}", ("dm",)),))
        )
    if choice < 0.08:
        return Activate("main") if state.table is None else Deactivate()
    if choice < 0.3:
        return put(f"/{rng.choice('abc')}", documents.value(rng, 3), kind="scene.changed")
    if choice < 0.5:
        return Commit(merge={rng.choice("abc"): documents.value(rng, 2)}, meta={"n": 1})
    changed = documents.changed(rng, state.document)
    return Commit(structured_data=changed if isinstance(changed, dict) else _object(rng))


def _object(rng: random.Random) -> dict[str, Any]:
    return {key: documents.value(rng, 3) for key in rng.sample("abcdef", 3)}
