"""One campaign as the broadcaster knows it: what the application holds of it, and what the log.

The application's document and the log's are two branches of one history: others change the log's
meanwhile. What the application changed since it last sent its document, or was handed the log's,
is put on top of the log's (`questlog.document.rebase`), and the patch that takes the log there is
committed, on the condition that the log is still where it was seen. Where it is not, it is looked
at again.

One id serves a change however often it is tried. A refused condition leaves the id unused, so the
next try may have another body; a try whose answer was lost is repeated to the letter. So the log
holds an id once, whoever tried it and in whatever life of the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from questlog.broadcast.port import CampaignServer, Change, Held, Logged, Made
from questlog.broadcast.work import Work, commit_id
from questlog.campaign.errors import CampaignExists, IdReused, UnknownCampaign, VersionConflict
from questlog.campaign.events import DEFAULT_KIND
from questlog.document import diff, rebase

T = TypeVar("T")

# How far back the log is searched for what was last sent before a restart, in events.
PAGE, PAGES = 100, 10
SEATING = frozenset({"campaign.activated", "campaign.deactivated"})


class Persist(Protocol):
    """Calls until there is an answer: a refusal that passes is no answer."""

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what `call` returns, or raise the refusal it ends with."""
        ...


class Sent(Struct, frozen=True):
    """What a broadcast came to: it is on the server's disk.

    Attributes:
        version: the campaign's version that holds it.
        duplicate: its id was in the log before, from this life of the application or another;
            nothing was sent again.
    """

    campaign_id: str
    version: int
    duplicate: bool = False


class Branch:
    """A campaign's two documents.

    Attributes:
        held: the log's document, as last seen; None: not looked at, or not known any more.
        sent: the application's, as it last sent it or was handed it; None: not in this life.
        turns: held by whoever has the turn.
    """

    def __init__(
        self, campaign_id: str, server: CampaignServer, persist: Persist, name: str
    ) -> None:
        self.campaign_id = campaign_id
        self.held: Held | None = None
        self.sent: dict[str, Any] | None = None
        self.turns = asyncio.Lock()
        self._server = server
        self._persist = persist
        self._name = name

    async def find(self, identifier: str) -> Logged | None:
        """Return the event that the log has under the application's `identifier`, if any."""
        key = self._key(identifier)
        return await self._persist(lambda: self._server.find(self.campaign_id, key))

    async def look(self) -> Held | None:
        """Return the campaign as it is now, None where there is none."""
        try:
            self.held = await self._persist(lambda: self._server.state(self.campaign_id, self.held))
        except UnknownCampaign:
            self.held = None
        return self.held

    async def carry_out(self, work: Work) -> Sent:
        """Do what the application asked for; returns once it is durable.

        Raises:
            Rejection: the server refuses, for good.
        """
        key = self._key(work.id)
        if work.event == "campaign_deactivated":
            made = await self._persist(lambda: self._server.deactivate(self.campaign_id, key))
            self.held = None
            return Sent(self.campaign_id, made.version, made.duplicate)
        sent = None
        if work.document is not None:
            sent = await self._write(work, work.document)
        if work.event == "campaign_loaded":
            seat = self._key(f"{work.id}/seat") if sent is not None else key
            made = await self._persist(
                lambda: self._server.activate(self.campaign_id, work.table, seat)
            )
            held = self.held
            if held is not None and made.version == held.version + 1:
                # Taking the seat is an event that changes nothing in the document.
                self.held = Held(made.version, held.document, made.position)
            sent = Sent(
                self.campaign_id, made.version, made.duplicate if sent is None else sent.duplicate
            )
        assert sent is not None, "an update brings a document"
        return sent

    async def _write(self, work: Work, document: dict[str, Any]) -> Sent:
        """Take the log's document to where the application's is, as far as that has changed."""
        held = self.held or await self.look()
        if held is None:
            created = await self._create(work, document)
            if created is not None:
                return created
            held = self.held
        while True:
            assert held is not None, "a campaign that is there stays there"
            result = rebase(await self._base(work, held), document, held.document)
            patch = diff(held.document, result)
            if not patch and not work.own:
                self.sent = document
                return Sent(self.campaign_id, held.version)
            change = Change(
                self._key(work.id), work.kind or DEFAULT_KIND, patch, held.version, work.meta
            )
            try:
                made = await self._commit(change)
            except VersionConflict:
                held = await self.look()
                continue
            except IdReused as found:
                # An earlier life did this, with other words perhaps: what it said stands.
                self.held = None
                return Sent(self.campaign_id, found.version or 0, True)
            self.held = Held(made.version, result, made.position)
            self.sent = document
            return Sent(self.campaign_id, made.version, made.duplicate)

    async def _commit(self, change: Change) -> Made:
        return await self._persist(lambda: self._server.commit(self.campaign_id, change))

    async def _create(self, work: Work, document: dict[str, Any]) -> Sent | None:
        """Create the campaign; None where the document is still to be committed.

        A creation has neither kind nor `meta`: what has one is committed to an empty campaign.
        """
        bare = work.kind is not None or work.meta is not None
        first: dict[str, Any] = {} if bare else document
        key = self._key(f"{work.id}/new" if bare else work.id)
        try:
            made = await self._persist(lambda: self._server.create(self.campaign_id, first, key))
        except (CampaignExists, IdReused):
            await self.look()
            return None
        self.held, self.sent = Held(made.version, first, made.position), first
        return None if bare else Sent(self.campaign_id, made.version, made.duplicate)

    async def _base(self, work: Work, held: Held) -> dict[str, Any]:
        """Return the document that the application's was made of."""
        if work.base is not None:
            return work.base
        if self.sent is None:
            self.sent = await self._last_sent(held)
        return self.sent

    async def _last_sent(self, held: Held) -> dict[str, Any]:
        """Return the document as it was when an earlier life of the application last changed it.

        Where there was none, an empty one: then nothing is taken away, only put on top.
        """
        until = held.version
        for _ in range(PAGES):
            after = max(0, until - PAGE)
            events = await self._events(after)
            for event in reversed(events):
                ours = event.id.startswith(f"{self._name}:") and event.kind not in SEATING
                if ours and event.version <= until:
                    return (await self._state_at(event.version)).document
            until = after
            if not until:
                break
        return {}

    async def _events(self, after: int) -> list[Logged]:
        return await self._persist(lambda: self._server.events(self.campaign_id, after, PAGE))

    async def _state_at(self, version: int) -> Held:
        return await self._persist(lambda: self._server.state(self.campaign_id, None, version))

    def _key(self, identifier: str) -> str:
        return commit_id(self._name, identifier)
