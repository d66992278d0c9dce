"""Attendance: who was at which campaign, when, and how far they are known to have followed it.

The log names people by opaque ids and says nothing of who watched. That is kept beside it, in the
access file, where a person can be forgotten. Nobody who plays waits for it: what is seen of people
is noted in memory, and written now and then, many rows at once. Where the file is busy it is
written later; where there is none, which is how an open server runs, it is kept in memory alone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventstore.errors import StoreError
from eventstore.port import EventReader
from questlog.campaign.errors import StoreUnavailable
from questlog.campaign.sessions import session_at
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Viewer
from questlog.sync.session import Phase
from server.access.attended import Attended, attended, record, widened
from server.access.file import AccessFile
from server.clock import Clock, rfc3339
from server.crowd import is_known
from server.live import LiveCampaign
from server.roster import Present, Roster

# Seconds between two writes: while nobody comes or goes, and at the least.
EVERY = 30.0
SOONEST = 1.0
# How many rows are kept where there is no access file.
REMEMBERED = 10_000
# Of a time, how much says the date.
DAY = 10

Places = Callable[[], Iterable[tuple[LiveCampaign, Roster]]]


class Seen(Struct, frozen=True):
    """How far a member has followed a campaign.

    Attributes:
        held: the newest version they said they hold, by a heartbeat, a pong or a position; 0: none.
        sent: the newest version they were sent, and may have seen; never below `held`.
        last_at: when they were last there, RFC 3339.
        here: whether they are there now.
    """

    held: int
    sent: int
    last_at: str
    here: bool = False


class _Stretch(Struct, frozen=True):
    """What a row of attendance is about: a session, known by one of its versions, or a day."""

    campaign_id: str
    mark: int
    day: str


class _Note(Struct, frozen=True):
    """What is to be written of a member, and when they came. Its session is found then."""

    row: Attended
    since: str


class Attendance:
    """Who was where: one for a server.

    Args:
        access: where it is kept; None: in memory, for as long as the server runs.

    Attributes:
        places: returns every campaign in memory, and who is there.
    """

    places: Places

    def __init__(
        self, access: AccessFile | None, store: EventReader, clock: Clock, log: Any
    ) -> None:
        self._access = access
        self._store = store
        self._clock = clock
        self._log = log
        self._notes: dict[tuple[_Stretch, Viewer], _Note] = {}
        self._marks: dict[str, int] = {}
        self._kept: OrderedDict[tuple[Any, ...], Attended] = OrderedDict()
        self._pressing = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failing = False

    async def acknowledged(self, campaign_id: str) -> dict[Viewer, int]:
        """Return the newest version each member is known to hold, of those who are or were there.

        Those without a name share one entry for each role: what the furthest of them holds. Who
        never said what they hold is left out. `seen` says besides what they were sent.

        Raises:
            StoreUnavailable, StoreError: it cannot be read now.
        """
        found = await self.seen(campaign_id)
        return {viewer: each.held for viewer, each in found.items() if each.held}

    async def seen(self, campaign_id: str) -> dict[Viewer, Seen]:
        """Return how far each member who is or was there has followed a campaign.

        Raises:
            StoreUnavailable, StoreError: it cannot be read now.
        """
        found: dict[Viewer, Seen] = {}
        for row in await self.rows(campaign_id):
            before = found.get(row.viewer, Seen(0, 0, ""))
            held, sent = max(before.held, row.held), max(before.sent, row.sent)
            found[row.viewer] = Seen(held, sent, max(before.last_at, row.last_at))
        for live, roster in self.places():
            for member in roster if live.campaign_id == campaign_id else ():
                if member.connections and member.viewer in found:
                    found[member.viewer] = replace(found[member.viewer], here=True)
        return found

    async def rows(self, campaign_id: str) -> list[Attended]:
        """Return who is and was at a campaign: days without a session first, then by session.

        Raises:
            StoreUnavailable, StoreError: it cannot be read now.
        """
        self._look(campaign_id)
        noted = {
            key: note for key, note in self._notes.items() if key[0].campaign_id == campaign_id
        }
        if self._access is None:
            kept = [row for row in self._kept.values() if row.campaign_id == campaign_id]
        else:
            kept = await self._access.read(lambda c: attended(c, campaign_id))
        found = {row.key: row for row in kept}
        for note in await self._resolved(noted):
            before = found.get(note.row.key)
            found[note.row.key] = note.row if before is None else widened(before, note.row)
        return sorted(found.values(), key=lambda row: (row.session, row.day, row.first_at, row.key))

    def note(self, live: LiveCampaign, member: Present) -> None:
        """Note that a member is there. Touches no file."""
        self._note(live, member, self._stretch(live.state))

    def answered(self, campaign_id: str, viewer: Viewer, version: int) -> None:
        """Note that somebody was sent a version in answer to a call. Touches no file.

        It goes by the day, session or not: whoever only reads has not been at the session, and is
        not to be listed among those who were.
        """
        if viewer.role == "dm":
            # They see everything: nobody asks what they have seen.
            return
        now = rfc3339(self._clock.now_ms())
        row = Attended(
            campaign_id=campaign_id,
            session=0,
            day=now[:DAY],
            role=viewer.role,
            member=viewer.member,
            people=1,
            first_at=now,
            last_at=now,
            held=0,
            sent=version,
        )
        key = (_Stretch(campaign_id, 0, row.day), viewer)
        before = self._notes.get(key)
        if before is not None:
            row = widened(before.row, row)
        self._notes[key] = _Note(row, now if before is None else before.since)

    def changed(self, live: LiveCampaign, member: Present) -> None:
        """Note that a member has come, or is about to go, and have it written soon."""
        self.note(live, member)
        self._pressing.set()

    def turned(self, live: LiveCampaign, roster: Roster, before: CampaignState) -> None:
        """Note that a session has begun or ended: who is there was there, and is from now on."""
        there = [member for member in roster if member.connections]
        for member in there:
            self._note(live, member, self._stretch(before))
        self._marks[live.campaign_id] = live.state.version
        for member in there:
            self.note(live, member)
        self._pressing.set()

    async def write(self, *, last: bool = False) -> None:
        """Write what has been noted; what cannot be written now is kept for the next time.

        Args:
            last: wait for whoever has the file, as there will be no next time.
        """
        async with self._writing:
            noted = dict(self._notes)
            if not noted:
                return
            try:
                await self._write(await self._resolved(noted), patient=last)
            except (StoreUnavailable, StoreError) as error:
                if not self._failing or last:
                    self._log.warning("attendance not written", code=error.code)
                self._failing = True
                return
            self._failing = False
            for key, note in noted.items():
                if self._notes.get(key) is note:
                    del self._notes[key]

    async def watch(self) -> None:
        """Write now and then, and soon after somebody came or went, forever."""
        while True:
            await asyncio.sleep(SOONEST)
            try:
                async with asyncio.timeout(EVERY):
                    await self._pressing.wait()
            except TimeoutError:
                self._look()
            self._pressing.clear()
            try:
                await self.write()
            except Exception:
                # A watch that ends is noticed by nobody: the next round may go better.
                self._log.exception("attendance not written")

    def _look(self, campaign_id: str | None = None) -> None:
        """Note everybody who is there, at one campaign or at all of them."""
        for live, roster in self.places():
            if campaign_id in (None, live.campaign_id):
                for member in roster:
                    if member.connections:
                        self.note(live, member)

    def _stretch(self, state: CampaignState) -> _Stretch:
        if state.table is None:
            return _Stretch(state.campaign_id, 0, rfc3339(self._clock.now_ms())[:DAY])
        mark = self._marks.setdefault(state.campaign_id, state.version)
        return _Stretch(state.campaign_id, mark, "")

    def _note(self, live: LiveCampaign, member: Present, stretch: _Stretch) -> None:
        now, viewer = rfc3339(self._clock.now_ms()), member.viewer
        if any(each.session.phase is Phase.LIVE for each in member.connections):
            member.sent = live.state.version
        row = Attended(
            campaign_id=stretch.campaign_id,
            session=stretch.mark,
            day=stretch.day,
            role=viewer.role,
            member=viewer.member,
            people=1 if is_known(viewer) else len(member.connections),
            first_at=now,
            last_at=now,
            held=member.held,
            sent=max(member.sent, member.held),
        )
        before = self._notes.get((stretch, viewer))
        if before is not None:
            row = widened(before.row, row)
        self._notes[stretch, viewer] = _Note(row, member.since)

    async def _resolved(self, noted: dict[tuple[_Stretch, Viewer], _Note]) -> list[_Note]:
        """Return notes that name their session by the version it began at, as the log has it."""
        began: dict[_Stretch, int] = {}
        for stretch in {stretch for stretch, _ in noted if stretch.mark}:
            turns = await self._store.turns(stretch.campaign_id, until=stretch.mark)
            began[stretch] = session_at(turns, stretch.mark)
        return [
            _Note(replace(note.row, session=began.get(stretch, 0)), note.since)
            for (stretch, _), note in noted.items()
        ]

    async def _write(self, notes: list[_Note], *, patient: bool) -> None:
        rows = [(note.row, note.since) for note in notes]
        if self._access is not None:
            await self._access.run(lambda c: record(c, rows), patient=patient)
            return
        for row, _ in rows:
            before = self._kept.pop(row.key, row)
            self._kept[row.key] = widened(before, row)
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
