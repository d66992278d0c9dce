"""The company at one campaign: who is there, and what is said that is no change of the document.

Presence goes out as it happens while there are few; past a hundred members they are counted, and
the counts go out at most once a second, so that a hall of two thousand taking their seats costs two
thousand messages and not two thousand squared.

What can go wrong, and what is done:
- Bad wifi blinks: a member counts as there for some seconds after their last connection is gone.
- A slow peer misses a word: once it has drained it is introduced again, with all there is to know.
- The rules change, or somebody's role: whoever is concerned is introduced again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from questlog.campaign.discretion import Discretion
from questlog.campaign.errors import Rejection
from questlog.campaign.events import Role
from questlog.campaign.narration import adding, find
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Viewer
from questlog.document import apply, parse
from questlog.sync.entries import Entry
from questlog.sync.feed import DM
from questlog.sync.messages import Encoded
from questlog.sync.talk import (
    NarrationTold,
    PlayerJoined,
    PlayerLeft,
    PlayerStatus,
    Presence,
    Sender,
    SignalMessage,
    SignalTold,
    lease_told,
)
from server.attendance import Attendance
from server.connection import Connection
from server.live import LiveCampaign
from server.narrator import Narrator, shows
from server.roster import Present, Roster
from server.suggested import Suggested

NAMED = 100
COUNTS_EVERY = 1.0
LAG_EVERY = 2.0
# Told apart from anything that is ever said.
PROBE = "\x00"

GROUPS: Mapping[Role, str] = MappingProxyType(
    {"dm": "dm", "player": "players", "spectator": "spectators"}
)

Choice = Callable[[Connection], Encoded | None]


class Floor(Protocol):
    """What the company needs of the room it is in."""

    def tell(self, message: Encoded) -> None:
        """Send a message to everyone who is live."""
        ...

    def tell_each(self, choice: Choice) -> None:
        """Send everyone who is live what `choice` gives for them; None: nothing."""
        ...


class Company:
    """Who is at one campaign.

    Args:
        attendance: what is told who is there.
        now: the time as messages give it.
        grace: seconds after their last connection in which a member still counts as there.
        narration_idle: seconds without a chunk after which a narration counts as broken off.
    """

    def __init__(
        self,
        live: LiveCampaign,
        floor: Floor,
        attendance: Attendance,
        now: Callable[[], str],
        grace: float,
        narration_idle: float,
    ) -> None:
        self.roster = Roster()
        self.narrator = Narrator(live, self._narrate, now, narration_idle)
        self._live = live
        self._floor = floor
        self._attendance = attendance
        self._now = now
        self._grace = grace
        self._rules = live.state.rules
        self._discretion = Discretion(self._rules)
        self._suggested = Suggested(now)
        self._shown: dict[tuple[str, str], bool] = {}
        self._shown_of: Entry | None = None
        self._crowded = False
        self._counting: asyncio.TimerHandle | None = None
        self._counted_at = 0.0
        self._counted_of: dict[Role, dict[str, int]] = {}
        self._counted_by: Discretion | None = None
        self._lagging: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """End what is streamed, and tell nobody anything any more: the server is going."""
        self.narrator.stop()
        leaving = [member.leaving for member in self.roster]
        for timer in (self._counting, self._lagging, *leaving):
            if timer is not None:
                timer.cancel()

    def arrive(self, connection: Connection) -> None:
        """Take in a connection that follows the campaign; the others learn of somebody new."""
        member = self.roster.arrive(connection, self._live.state.version)
        if member is None:
            self._tell_lag()
            return
        member.since = self._now()
        self._attendance.changed(self._live, member)
        told = member.told()
        joined = PlayerJoined(
            told.player_id,
            told.role,
            told.status,
            told.connections,
            told.version,
            timestamp=self._now(),
        )
        self._announce(Encoded(joined), member)

    def depart(self, connection: Connection, *, blink: bool = True) -> None:
        """Let a connection go; its member leaves if it was their last and none follows soon.

        Args:
            blink: whether they may be back in a moment; else they are somebody else now.
        """
        if connection.present is not None:
            self._attendance.changed(self._live, connection.present)
        member = self.roster.depart(connection)
        if member is None:
            self._tell_lag()
        elif blink:
            loop = asyncio.get_running_loop()
            member.leaving = loop.call_later(self._grace, self._left, member)
        else:
            self._left(member)

    def seat(self, connection: Connection) -> None:
        """Count a connection under whoever looks through it now."""
        member: Present | None = connection.present
        if member is None or member.viewer != connection.session.viewer:
            if member is not None:
                connection.introduced_at, connection.own = 0, ()
                self.depart(connection, blink=False)
            self.arrive(connection)

    def heard(self, connection: Connection, version: int) -> None:
        """Note that a peer holds `version`."""
        self.known(connection, version)
        if self.roster.heard(connection, version):
            self._tell_lag()

    def known(self, connection: Connection, version: int) -> None:
        """Note that a peer has what it was told up to a version."""
        self._suggested.known(connection.session.viewer, version, self._live.state)
        # A pong repeats whatever its peer likes.
        self.roster.holds(connection, min(version, self._live.state.version))

    def introduce(self, connection: Connection) -> None:
        """Tell a peer that has just become live who is there and what waits for it."""
        viewer = connection.session.viewer
        state = self._live.state
        connection.send(Encoded(self._presence(viewer)))
        self._suggested.introduce(connection, state)
        if viewer.role == "dm":
            # Also that nobody has it: a peer that was away may think that somebody does.
            connection.send(self._lease(state))
        connection.introduced_at = state.version
        for spoken in self.narrator.unsaid():
            if self._shows(viewer, spoken.id):
                connection.send(Encoded(spoken))

    def remind(self, connection: Connection) -> None:
        """Tell a peer that is back, and knows who is there, what waits for it since it was gone."""
        self._suggested.remind(connection, self._live.state)
        connection.introduced_at = self._live.state.version

    def published(self, before: Entry) -> None:
        """Tell what has become of suggestions, of the lease and of the rules since `before`."""
        old, state = before.state, self._live.state
        for choice in self._suggested.changed(old, state):
            self._floor.tell_each(choice)
        if state.lease != old.lease:
            lease = self._lease(state)
            self._floor.tell_each(lambda each: lease if _is_dm(each) else None)
        if state.rules != old.rules:
            self._tell_presence(lambda _: True)
        if state.table != old.table:
            self._attendance.turned(self._live, self.roster, old)

    def made(self, connection: Connection, identifier: str) -> None:
        """Note that a peer without a name has made a suggestion."""
        self._suggested.own(connection, identifier, self._live.state)

    def say(self, connection: Connection, status: str | None) -> bool:
        """Take what a member says of themselves; returns whether they are there at all."""
        member = self.roster.member(connection.session.viewer)
        if member is None:
            return False
        if member.status != status:
            member.status = status
            viewer = member.viewer
            if len(self.roster) <= NAMED:
                told = PlayerStatus(viewer.player_id, viewer.role, status, self._now())
                self._tell_known(Encoded(told), member)
        return True

    def signal(self, sender: Viewer, message: SignalMessage) -> None:
        """Pass a signal on to those it is for; from nobody, to who may not know of the sender."""
        to = [message.to] if isinstance(message.to, str) else message.to
        names = None if to is None else frozenset(to)
        discretion = self._discreet()
        known = Sender(sender.player_id, sender.role)
        told = Encoded(SignalTold(message.name, message.data, known, self._now()))
        if names is None and discretion.open:
            self._floor.tell(told)
            return
        nameless = Encoded(SignalTold(message.name, message.data, None, self._now()))

        def choice(each: Connection) -> Encoded | None:
            viewer = each.session.viewer
            if names is not None and not is_addressed(viewer, names):
                return None
            return told if discretion.knows(viewer, sender) else nameless

        self._floor.tell_each(choice)

    def _left(self, member: Present) -> None:
        member.leaving = None
        if self.roster.forget(member):
            viewer = member.viewer
            self._announce(Encoded(PlayerLeft(viewer.player_id, viewer.role, self._now())), member)

    def _announce(self, told: Encoded, member: Present) -> None:
        """Tell everybody who may know of a member what has become of them."""
        crowded = len(self.roster) > NAMED
        if crowded or self._crowded:
            # Once more where they are few again: whoever holds counts is to have names.
            self._tell_counts()
        self._crowded = crowded
        if not crowded:
            self._tell_known(told, member)

    def _tell_known(self, told: Encoded, member: Present) -> None:
        discretion = self._discreet()
        if discretion.open:
            self._floor.tell(told)
            return
        knows = discretion.knows
        self._floor.tell_each(
            lambda each: told if knows(each.session.viewer, member.viewer) else None
        )

    def _tell_counts(self) -> None:
        """Have everybody told how many there are, soon, and not too often."""
        if self._counting is None:
            loop = asyncio.get_running_loop()
            wait = self._counted_at + COUNTS_EVERY - loop.time()
            self._counting = loop.call_later(max(0.0, wait), self._count)

    def _count(self) -> None:
        self._counting = None
        self._counted_of.clear()
        self._counted_at = asyncio.get_running_loop().time()
        self._tell_presence(lambda _: True)

    def _tell_lag(self) -> None:
        """Have DMs told soon who holds which version, and with how many devices."""
        if self._lagging is None and len(self.roster) <= NAMED:
            loop = asyncio.get_running_loop()
            self._lagging = loop.call_later(LAG_EVERY, self._lag)

    def _lag(self) -> None:
        self._lagging = None
        self._tell_presence(_is_dm)

    def _tell_presence(self, concerns: Callable[[Connection], bool]) -> None:
        """Tell who is there to everybody it concerns: one message to all who may know the same."""
        made: dict[Viewer, Encoded] = {}
        alike, few = self._discreet().open, len(self.roster) <= NAMED

        def choice(each: Connection) -> Encoded | None:
            if not concerns(each):
                return None
            viewer = each.session.viewer
            if alike:
                viewer = DM
            elif not few:
                viewer = Viewer(viewer.role)
            if viewer not in made:
                made[viewer] = Encoded(self._presence(viewer))
            return made[viewer]

        self._floor.tell_each(choice)

    def _presence(self, viewer: Viewer) -> Presence:
        knows = self._discreet().knows
        if len(self.roster) > NAMED:
            return Presence([], self._now(), self._counts_for(viewer.role))
        return Presence(self.roster.told(lambda member: knows(viewer, member)), self._now())

    def _counts_for(self, role: Role) -> dict[str, int]:
        """Return how many there are of those whom everybody of a role may know.

        Counted once for all who come until the counts go out next, which makes up for it: else a
        hall taking its seats would be counted by each of them.
        """
        discretion, nobody = self._discreet(), Viewer(role)
        if self._counted_by is not discretion or self._counting is None:
            self._counted_by = discretion
            self._counted_of.clear()
        counts = self._counted_of.get(role)
        if counts is None:
            counts = self.roster.counts(lambda member: discretion.knows(nobody, member))
            self._counted_of[role] = counts
        return counts

    def _discreet(self) -> Discretion:
        """Return who may know of whom under the rules in force, from the tick they are on."""
        rules = self._live.state.rules
        if rules is not self._rules:
            self._rules, self._discretion = rules, Discretion(rules)
        return self._discretion

    def _lease(self, state: CampaignState) -> Encoded:
        return Encoded(lease_told(state.lease, self._now()))

    def _narrate(self, spoken: NarrationTold) -> None:
        """Pass on a piece of narration to whoever may see the entry it belongs to."""
        told = Encoded(spoken)
        self._floor.tell_each(
            lambda each: told if self._shows(each.session.viewer, spoken.id) else None
        )

    def _shows(self, viewer: Viewer, identifier: str) -> bool:
        """Return whether a viewer would see one more part of a narration, were it logged now."""
        if viewer.role == "dm":
            return True
        head = self._live.feed.head
        if head is not self._shown_of:
            self._shown, self._shown_of = {}, head
        name = (head.key(viewer), identifier)
        shown = self._shown.get(name)
        if shown is None:
            shown = self._shown[name] = self._would_see(viewer, identifier)
        return shown

    def _would_see(self, viewer: Viewer, identifier: str) -> bool:
        head = self._live.feed.head
        try:
            narration = find(head.state.narrations, identifier)
            patch = adding(head.state.document, narration, PROBE)
        except Rejection:
            return False
        view = head.would_show(viewer, apply(head.state.document, patch))
        return shows(view, list(parse(narration.path)), identifier, PROBE)


def is_addressed(viewer: Viewer, names: frozenset[str]) -> bool:
    """Return whether a signal to these names is for `viewer`.

    A player who is called as a group is (`players`, `dm`) is reached as `player:ID` alone.
    """
    if "all" in names or GROUPS[viewer.role] in names:
        return True
    name = viewer.player_id
    if name is None or viewer.role == "spectator":
        return False
    return f"player:{name}" in names or (name in names and name not in GROUPS.values())


def _is_dm(connection: Connection) -> bool:
    return connection.session.viewer.role == "dm"
