"""A feed: a campaign's recent versions, and the messages that carry viewers from one to another.

A delta is the diff of two views, so it is right by construction whatever moved, was hidden or
revealed between them. Views that are equal share one computation and one encoding: everything made
for the present head is kept until the head moves on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from questlog.campaign.events import Actor, EventHeader
from questlog.campaign.position import Position, proves, seal
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Projector, Rules, Viewer
from questlog.document import diff, encode
from questlog.sync.entries import Entry, Sights
from questlog.sync.messages import (
    CampaignActive,
    CampaignLoaded,
    CampaignUpdated,
    Encoded,
    Mode,
    Reason,
    ServerHeartbeat,
)

RECENT_VERSIONS = 512
RECENT_BYTES = 8 * 1024 * 1024
EVENTS_SHARE = 0.05
SECONDS = 19
DM = Viewer("dm")
ANY_PLAYER = Viewer("player")


class Feed:
    """The head of one campaign, the versions just before it, and messages between them."""

    def __init__(
        self, state: CampaignState, chain_hash: str, secret: bytes, now: Callable[[], str]
    ) -> None:
        self._secret = secret
        self._now = now
        self._recent: OrderedDict[int, Entry] = OrderedDict()
        self._recent_weight = 0
        self._made: dict[tuple[Any, ...], Encoded] = {}
        self._made_bytes = 0
        self._steps: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
        self._projector = Projector(state.rules)
        self._sights = Sights()
        self.head = Entry(state, chain_hash, self._projector, sights=self._sights)
        self._recent[state.version] = self.head

    @property
    def campaign_id(self) -> str:
        """The campaign this feed is of."""
        return self.head.state.campaign_id

    def entry(self, state: CampaignState, chain_hash: str) -> Entry:
        """Return an entry for a version read from the log, under the rules of its time."""
        return Entry(state, chain_hash, self._projector_for(state.rules))

    def advance(self, steps: Sequence[tuple[CampaignState, str, EventHeader, int]]) -> Entry:
        """Move the head through `steps` (state, hash, header, patch bytes); return the old head."""
        before = self.head
        self._sights.turn()
        for state, chain_hash, header, size in steps:
            self._projector = self._projector_for(state.rules)
            entry = Entry(state, chain_hash, self._projector, header, size, self._sights)
            self._recent[entry.version] = self.head = entry
            self._recent_weight += size
        while len(self._recent) > 1 and (
            len(self._recent) > RECENT_VERSIONS or self._recent_weight > RECENT_BYTES
        ):
            self._recent_weight -= self._recent.popitem(last=False)[1].weight
        self._forget_made()
        return before

    def recall(self, version: int) -> Entry | None:
        """Return a version still in memory, None where it must be read from the log."""
        return self._recent.get(version)

    def position(self, viewer: Viewer) -> str:
        """Return the head's position for this viewer."""
        return str(self.seal(self.head, self.head.key(viewer)))

    def seal(self, entry: Entry, key: str) -> Position:
        """Return the position of `entry` for the view named `key`."""
        return seal(self._secret, entry.version, entry.hash, key)

    def proves(self, position: Position, entry: Entry, viewer: Viewer) -> bool:
        """Return whether a client at `position` holds this viewer's view of `entry`.

        A bare version is taken on trust, as far as the rules in force go: what they have hidden
        since then must not be named, not even as gone, to who may never have seen it. A proof is
        believed only where it is this view's.
        """
        if position.proof is None:
            return viewer.role == "dm" or entry.projector.rules == self.head.projector.rules
        return proves(self._secret, position, entry.hash, entry.key(viewer))

    def snapshot(self, viewer: Viewer, reason: Reason) -> Encoded:
        """Return the whole view at the head: `campaign_loaded` on activation, else `_active`."""
        key = self.head.key(viewer)
        return self._once(("snapshot", key, reason), lambda: self._snapshot(viewer, key, reason))

    def update(self, viewer: Viewer, base: Entry, mode: Mode = "delta") -> Encoded:
        """Return what takes a view from `base`, just left, to the head, naming every event."""
        key = self.head.key(viewer)
        witness = self._witness(viewer, base)
        name = (base.key(viewer), key, base.version, witness)
        if mode == "full":
            return self._once(("full", *name), lambda: self._full(viewer, key, base, witness))
        return self._once(
            ("update", *name),
            lambda: self._delta(viewer, key, base, self._headers(witness, base)),
        )

    def catch_up(self, viewer: Viewer, base: Entry, mode: Mode, reason: Reason) -> Encoded:
        """Return what takes a view from any earlier `base` to the head: the smaller message."""
        if mode == "full":
            return self.snapshot(viewer, reason)
        key = self.head.key(viewer)
        witness = self._witness(viewer, base)
        return self._once(
            ("catch up", base.key(viewer), key, base.version, witness, reason),
            lambda: self._smaller(viewer, key, base, witness, reason),
        )

    def parted(self, base: Entry) -> bool:
        """Return whether any player's view parted from the others' or joined them since `base`."""
        return any(entry.distinct != base.distinct for entry in self._since(base))

    def events(self, viewer: Viewer, base: Entry) -> list[EventHeader]:
        """Return the events after `base` that this viewer may know of, as far as memory reaches."""
        return self._headers(self._witness(viewer, base), base)

    def heartbeat(self, viewer: Viewer, *, with_digest: bool = False) -> Encoded:
        """Return where the head stands, for this viewer; the view's digest where it is wanted."""
        name = ("heartbeat", self.head.key(viewer), with_digest)
        return self._once(name, lambda: self._heartbeat(viewer, with_digest))

    def _once(self, name: tuple[Any, ...], make: Callable[[], Encoded]) -> Encoded:
        # A message says when it was made: while the head rests it is made again each second.
        name = (*name, self._now()[:SECONDS])
        made = self._made.get(name)
        if made is None:
            made = make()
            if self._made_bytes + len(made.payload) > RECENT_BYTES:
                # A peer may ask from every version of the log in turn while the head rests.
                self._forget_made()
            self._made[name] = made
            self._made_bytes += len(made.payload)
        return made

    def _forget_made(self) -> None:
        self._made.clear()
        self._made_bytes = 0
        self._steps.clear()

    def _projector_for(self, rules: Rules | None) -> Projector:
        """Return compiled rules, compiling only when they are not the ones in force."""
        given = self._projector
        if rules == (None if given.by_default else given.rules):
            return given
        return Projector(rules)

    def _heartbeat(self, viewer: Viewer, with_digest: bool) -> Encoded:
        return Encoded(
            ServerHeartbeat(
                self.campaign_id,
                self.head.version,
                self.position(viewer),
                self._now(),
                self.head.digest(viewer) if with_digest else UNSET,
            )
        )

    def _snapshot(self, viewer: Viewer, key: str, reason: Reason) -> Encoded:
        kind = CampaignLoaded if reason == "activated" else CampaignActive
        return Encoded(
            kind(
                self.campaign_id,
                self.head.version,
                str(self.seal(self.head, key)),
                self.head.view(viewer),
                reason,
                self._now(),
            )
        )

    def _delta(self, viewer: Viewer, key: str, base: Entry, headers: list[EventHeader]) -> Encoded:
        return Encoded(
            CampaignUpdated(
                self.campaign_id,
                self.head.version,
                str(self.seal(self.head, key)),
                headers,
                self._now(),
                base=base.version,
                patch=self._patch(viewer, base, self.head),
            )
        )

    def _full(self, viewer: Viewer, key: str, base: Entry, witness: Viewer) -> Encoded:
        return Encoded(
            CampaignUpdated(
                self.campaign_id,
                self.head.version,
                str(self.seal(self.head, key)),
                self._headers(witness, base),
                self._now(),
                structured_data=self.head.view(viewer),
            )
        )

    def _smaller(
        self, viewer: Viewer, key: str, base: Entry, witness: Viewer, reason: Reason
    ) -> Encoded:
        """Return the delta, with as many of the latest events as a twentieth of it pays for."""
        patch = self._patch(viewer, base, self.head)
        room = int(len(encode(patch)) * EVENTS_SHARE)
        delta = self._delta(viewer, key, base, self._headers(witness, base, room))
        delta.reason = reason
        whole = self.head.view(viewer) is self.head.state.document
        if whole and len(delta.payload) * 2 < self.head.state.size:
            return delta
        snapshot = self.snapshot(viewer, reason)
        return snapshot if len(snapshot.payload) < len(delta.payload) else delta

    def _since(self, base: Entry) -> Iterator[Entry]:
        """Yield the versions after `base` that are in memory."""
        for version in range(base.version + 1, self.head.version + 1):
            if version in self._recent:
                yield self._recent[version]

    def _witness(self, viewer: Viewer, base: Entry) -> Viewer:
        """Return whose eyes saw what `viewer` saw since `base`.

        Any player's will do for one who shared their view all the time; one who had a view of its
        own at any version in between may know of events that others may not, and the reverse; and
        so does the author of one.
        """
        if viewer.role != "player":
            return viewer
        own = viewer.player_id in base.distinct or any(
            viewer.player_id in entry.distinct or is_own(entry.header, viewer)
            for entry in self._since(base)
        )
        return viewer if own else ANY_PLAYER

    def authors(self, base: Entry) -> frozenset[str]:
        """Return the players who have made events since `base`: each is told of their own."""
        found = [entry.header.actor for entry in self._since(base) if entry.header is not None]
        return frozenset(actor.member for actor in found if actor.role == "player")

    def _headers(self, viewer: Viewer, base: Entry, room: int | None = None) -> list[EventHeader]:
        """Return the events after `base` that this viewer may know of.

        They are those that changed the view, and the viewer's own. A DM may know of all. Where
        `room` (bytes) or memory ends, the oldest are left out; so is, of a catch-up, what was done
        under other rules than those in force: its effect may have come and been hidden meanwhile.
        """
        headers: list[EventHeader] = []
        rules = self.head.projector.rules
        for version in range(self.head.version, base.version, -1):
            entry = self._recent.get(version)
            before = base if version - 1 == base.version else self._recent.get(version - 1)
            if entry is None or entry.header is None:
                break
            if room is not None:
                room -= len(msgspec.json.encode(entry.header))
                if room < 0:
                    break
            known = viewer.role == "dm" or is_own(entry.header, viewer)
            if not known and entry.projector.rules != rules:
                continue
            if known or (before is not None and self._patch(viewer, before, entry)):
                headers.append(entry.header)
        headers.reverse()
        return headers

    def _patch(self, viewer: Viewer, before: Entry, after: Entry) -> list[dict[str, Any]]:
        """Return the diff of what `viewer` saw at one version and at a later one."""
        if after.version - before.version != 1:
            return diff(before.view(viewer), after.view(viewer))
        # One version's step is asked for twice, to be told of and to be sent; and again by whoever
        # catches up over it. These are as many as there are views in memory.
        name = (before.version, before.key(viewer), after.key(viewer))
        patch = self._steps.get(name)
        if patch is None:
            patch = self._steps[name] = diff(before.view(viewer), after.view(viewer))
        return patch


def is_own(header: EventHeader | None, viewer: Viewer) -> bool:
    """Return whether `viewer` made the event: somebody with a name, so that nobody else did."""
    if header is None or viewer.player_id in (None, viewer.role):
        # By the name of a role go all who have none of their own.
        return False
    return header.actor == Actor(viewer.player_id, viewer.role)
