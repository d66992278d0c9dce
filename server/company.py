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
from collections.abc import Callable
from typing import Protocol

from questlog.campaign.discretion import Discretion
from questlog.campaign.errors import Invalid
from questlog.campaign.narration import adding, find
from questlog.campaign.state import CampaignState
from questlog.campaign.suggestions import Suggestion
from questlog.campaign.visibility import Viewer
from questlog.document import apply, parse
from questlog.sync.entries import Entry
from questlog.sync.messages import Encoded
from questlog.sync.talk import (
    LeaseTold,
    NarrationTold,
    PlayerJoined,
    PlayerLeft,
    PlayerStatus,
    Presence,
    Sender,
    SignalMessage,
    SignalTold,
    SuggestionTold,
)
from server.connection import Connection
from server.live import LiveCampaign
from server.narrator import Narrator, shows
from server.roster import Present, Roster

NAMED = 100
COUNTS_EVERY = 1.0
LAG_EVERY = 2.0
# Told apart from anything that is ever said.
PROBE = "\x00"

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
        now: the time as messages give it.
        grace: seconds after their last connection in which a member still counts as there.
        narration_idle: seconds without a chunk after which a narration counts as broken off.
    """

    def __init__(
        self,
        live: LiveCampaign,
        floor: Floor,
        now: Callable[[], str],
        grace: float,
        narration_idle: float,
    ) -> None:
        self.roster = Roster()
        self.narrator = Narrator(live, self._narrate, now, narration_idle)
        self._live = live
        self._floor = floor
        self._now = now
        self._grace = grace
        self._discretion = Discretion(live.state.rules)
        self._disposed: set[tuple[str | None, str]] = set()
        self._shown: dict[tuple[str, str], bool] = {}
        self._counting: asyncio.TimerHandle | None = None
        self._counted_at = 0.0
        self._lagging: asyncio.TimerHandle | None = None

    def arrive(self, connection: Connection) -> None:
        """Take in a connection that follows the campaign; the others learn of somebody new."""
        member = self.roster.arrive(connection, self._live.state.version)
        if member is None:
            self._tell_lag()
            return
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
                self.depart(connection, blink=False)
            self.arrive(connection)

    def heard(self, connection: Connection, version: int) -> None:
        """Note that a peer holds `version`."""
        if self.roster.heard(connection, version):
            self._tell_lag()

    def introduce(self, connection: Connection) -> None:
        """Tell a peer that has just become live who is there and what waits for it."""
        viewer = connection.session.viewer
        connection.send(Encoded(self._presence(viewer)))
        for suggestion in self._live.state.suggestions:
            if self._is_news(suggestion, connection):
                self._tell_suggestion(suggestion, connection)
        if viewer.role == "dm" and self._live.state.lease is not None:
            connection.send(self._lease(self._live.state))
        for spoken in self.narrator.unsaid():
            if self._shows(viewer, spoken.id):
                connection.send(Encoded(spoken))

    def published(self, before: Entry) -> None:
        """Tell what has become of suggestions, of the lease and of the rules since `before`."""
        old, state = before.state, self._live.state
        self._shown.clear()
        if state.suggestions is not old.suggestions:
            self._disposed &= {(each.player_id, each.id) for each in state.suggestions}
            for suggestion in state.suggestions:
                if suggestion.version > old.version:
                    self._dispose(suggestion)
        if state.lease != old.lease:
            lease = self._lease(state)
            self._floor.tell_each(lambda each: lease if _is_dm(each) else None)
        if state.rules != old.rules:
            self._discretion = Discretion(state.rules)
            self._tell_presence(lambda _: True)

    def say(self, connection: Connection, status: str | None) -> bool:
        """Take what a member says of themselves; returns whether they are there at all."""
        member = self.roster.member(connection.session.viewer)
        if member is None:
            return False
        if member.status != status:
            member.status = status
            viewer = member.viewer
            told = PlayerStatus(viewer.player_id, viewer.role, status, self._now())
            self._announce(Encoded(told), member)
        return True

    def signal(self, sender: Viewer, message: SignalMessage) -> None:
        """Pass a signal on to those it is for; from nobody, to who may not know of the sender."""
        names = [message.to] if isinstance(message.to, str) else message.to
        known = Sender(sender.player_id, sender.role)
        told = Encoded(SignalTold(message.name, message.data, known, self._now()))
        if names is None and self._discretion.open:
            self._floor.tell(told)
            return
        nameless = Encoded(SignalTold(message.name, message.data, None, self._now()))

        def choice(each: Connection) -> Encoded | None:
            viewer = each.session.viewer
            if names is not None and not is_addressed(viewer, names):
                return None
            return told if self._discretion.knows(viewer, sender) else nameless

        self._floor.tell_each(choice)

    def _left(self, member: Present) -> None:
        member.leaving = None
        if self.roster.forget(member):
            viewer = member.viewer
            self._announce(Encoded(PlayerLeft(viewer.player_id, viewer.role, self._now())), member)

    def _announce(self, told: Encoded, member: Present) -> None:
        """Tell everybody who may know of a member what has become of them."""
        if len(self.roster) >= NAMED:
            # At the threshold too: whoever held names must learn that they are counted now.
            self._tell_counts()
        if len(self.roster) > NAMED:
            return
        if self._discretion.open:
            self._floor.tell(told)
            return
        knows = self._discretion.knows
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
        made: dict[Viewer | None, Encoded] = {}
        alike = self._discretion.open or len(self.roster) > NAMED

        def choice(each: Connection) -> Encoded | None:
            if not concerns(each):
                return None
            key = None if alike else each.session.viewer
            if key not in made:
                made[key] = Encoded(self._presence(each.session.viewer))
            return made[key]

        self._floor.tell_each(choice)

    def _presence(self, viewer: Viewer) -> Presence:
        if len(self.roster) > NAMED:
            return Presence([], self._now(), self.roster.counts())
        knows = self._discretion.knows
        return Presence(self.roster.told(lambda member: knows(viewer, member)), self._now())

    def _is_news(self, suggestion: Suggestion, connection: Connection) -> bool:
        """Return whether a peer that comes is to be told of a suggestion.

        What waits, always; what was decided while its author was not there, once.
        """
        if not _concerns(suggestion, connection):
            return False
        if suggestion.state == "pending":
            return True
        told = (suggestion.player_id, suggestion.id) in self._disposed
        author = connection.session.viewer.player_id == suggestion.player_id
        return author and not told and connection.session.came_with < suggestion.version

    def _dispose(self, suggestion: Suggestion) -> None:
        """Tell the DM and the author what has become of a suggestion."""
        self._floor.tell_each(
            lambda each: (
                self._suggestion(suggestion, each)
                if each.introduced and _concerns(suggestion, each)
                else None
            )
        )

    def _tell_suggestion(self, suggestion: Suggestion, connection: Connection) -> None:
        connection.send(self._suggestion(suggestion, connection))

    def _suggestion(self, suggestion: Suggestion, connection: Connection) -> Encoded:
        if suggestion.state != "pending":
            viewer = connection.session.viewer
            if suggestion.player_id in (None, viewer.player_id):
                self._disposed.add((suggestion.player_id, suggestion.id))
        return Encoded(
            SuggestionTold(
                suggestion.id,
                suggestion.player_id,
                suggestion.content,
                suggestion.suggestion_type,
                suggestion.metadata,
                suggestion.state,
                suggestion.answer,
                self._now(),
            )
        )

    def _lease(self, state: CampaignState) -> Encoded:
        lease, now = state.lease, self._now()
        if lease is None:
            return Encoded(LeaseTold(None, None, None, now))
        return Encoded(LeaseTold(lease.version, lease.member, lease.name, now))

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
        name = (self._live.feed.head.key(viewer), identifier)
        shown = self._shown.get(name)
        if shown is None:
            shown = self._shown[name] = self._would_see(viewer, identifier)
        return shown

    def _would_see(self, viewer: Viewer, identifier: str) -> bool:
        head = self._live.feed.head
        try:
            narration = find(head.state.narrations, identifier)
            patch = adding(head.state.document, narration, PROBE)
        except Invalid:
            return False
        view = head.would_show(viewer, apply(head.state.document, patch))
        return shows(view, list(parse(narration.path)), identifier, PROBE)


def is_addressed(viewer: Viewer, names: list[str]) -> bool:
    """Return whether a signal to these names is for `viewer`."""
    roles = {"dm": "dm", "player": "players", "spectator": "spectators"}
    ids = (viewer.player_id, f"player:{viewer.player_id}")
    return any(
        name in ("all", roles[viewer.role]) or (viewer.player_id is not None and name in ids)
        for name in names
    )


def _is_dm(connection: Connection) -> bool:
    return connection.session.viewer.role == "dm"


def _concerns(suggestion: Suggestion, connection: Connection) -> bool:
    """Return whether whoever looks through a connection may know of a suggestion."""
    viewer = connection.session.viewer
    if viewer.role == "dm":
        return True
    if suggestion.player_id is None:
        # Many may share a link that names nobody; this one made it.
        return viewer.player_id is None and suggestion.id in connection.own
    return viewer.player_id == suggestion.player_id
