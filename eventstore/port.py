"""The port: what Questlog asks of a place that keeps events.

It promises only what a shared log can keep: events of one campaign in order, without gaps, an
append that fails when the log has moved on, snapshots that may vanish. There is no global
position and no transaction across campaigns. Every adapter passes the same contract test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from eventstore.chain import AT, FIELDS, VERSION
from questlog.campaign.events import Actor, Event, NewEvent
from questlog.campaign.sessions import Tally, Turn
from questlog.campaign.state import CampaignState


class Appended(Struct, frozen=True, gc=False):
    """The event is in the log and on disk, as `version`."""

    version: int
    hash: str


class Duplicate(Struct, frozen=True, gc=False):
    """The same request was appended before, as `version`; nothing was written."""

    version: int
    hash: str


class Reused(Struct, frozen=True, gc=False):
    """The id belongs to another request of this actor, appended as `version`; nothing written."""

    version: int


class Conflict(Struct, frozen=True, gc=False):
    """The log is at `version` (0: no such campaign), not at the one given; nothing was written."""

    version: int


Outcome = Appended | Duplicate | Reused | Conflict


class Head(Struct, frozen=True, gc=False):
    """The last version of a log and its chain hash."""

    version: int
    hash: str


class Loaded(Struct, frozen=True):
    """A campaign as of a version.

    Attributes:
        hash: the chain hash of the event of that version.
        weight: what the events after the snapshot it was read from weigh (see `policy`).
    """

    state: CampaignState
    hash: str
    weight: int


class Summary(Struct, frozen=True):
    """What a list of campaigns says of one."""

    campaign_id: str
    title: str | None
    version: int
    hash: str
    table: str | None
    created_at: str
    last_at: str


class Extent(Struct, frozen=True):
    """How large a store is.

    Attributes:
        size: bytes that it takes.
        events, campaigns: how many are in the log.
    """

    size: int
    events: int
    campaigns: int


class Finding(Struct, frozen=True):
    """Something `verify` found wrong.

    Attributes:
        campaign_id: "" where it concerns the store as a whole.
        code: what kind of damage: `hash_mismatch`, `swapped`, `gap`, `missing_tail`, `extra_tail`,
            `head_mismatch`, `patch_failed`, `time_reversed`, `seat_mismatch`,
            `snapshot_mismatch`, `orphan`, `schema_changed` or `unreadable`.
        version: the first version it concerns, None where it concerns a whole campaign.
    """

    campaign_id: str
    code: str
    version: int | None
    detail: str


class StoredEvent(Struct, frozen=True):
    """An event exactly as it stands in the store, for the verifier.

    Attributes:
        fields: its columns in the order of `chain.FIELDS`.
        hash: the hex hash stored with them.
    """

    fields: tuple[str | int, ...]
    hash: str

    @property
    def version(self) -> int:
        """The event's version."""
        return int(self.fields[VERSION])

    @property
    def at(self) -> str:
        """When it was appended."""
        return str(self.fields[AT])

    def field(self, name: str) -> str | int:
        """Return one column by its name."""
        return self.fields[FIELDS.index(name)]


class Kept(Struct, frozen=True):
    """What a store keeps of one campaign, all of one moment, for the verifier.

    Attributes:
        summary: what stands beside the log, None where nothing does.
        first, last: the lowest and highest version in the log, None where it is empty.
        snapshots: version and chain hash of every snapshot, in order.
    """

    summary: Summary | None
    first: int | None
    last: int | None
    snapshots: list[tuple[int, str]]


class Auditor(Protocol):
    """What the verifier asks of a store besides reading: everything as stored, nothing decoded."""

    async def logs(self) -> list[str]:
        """Return every campaign id that anything in the store names, in order."""
        ...

    async def kept(self, campaign_id: str) -> Kept:
        """Return what the store holds of a campaign, all of it of one moment."""
        ...

    async def stored(self, campaign_id: str, after: int, until: int) -> list[StoredEvent]:
        """Return the next few events of versions `after` < v <= `until`; none: there are none."""
        ...

    async def stored_snapshots(self, campaign_id: str, after: int, until: int) -> dict[int, str]:
        """Return the texts of the next few snapshots of versions `after` < v <= `until`."""
        ...

    async def inspect(self) -> list[Finding]:
        """Return what is wrong with the store as a whole: its schema, its pages."""
        ...


class EventReader(Protocol):
    """The reading half of a store. Reads never wait for a writer, and never see half a batch."""

    @property
    def secret(self) -> bytes:
        """The store's 32-byte secret, by which positions are proved."""
        ...

    async def head(self, campaign_id: str) -> Head | None:
        """Return the head of a campaign's log, None where there is no such campaign."""
        ...

    async def hash_at(self, campaign_id: str, version: int) -> str | None:
        """Return the chain hash of one version, None where the log has no such version."""
        ...

    async def read(
        self,
        campaign_id: str,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        kind: str | None = None,
    ) -> list[Event]:
        """Return the events of versions `after` < v <= `until` in order, at most `limit`."""
        ...

    async def begins(self, campaign_id: str) -> int:
        """Return the version a campaign began with: 1, or that of a fork's `campaign.forked`."""
        ...

    async def turns(self, campaign_id: str, *, until: int | None = None) -> list[Turn]:
        """Return where sessions begin and end, up to version `until`, in order."""
        ...

    async def tallies(self, campaign_id: str, *, after: int = 0, until: int) -> list[Tally]:
        """Return how many events after `after` up to `until` each actor made of each kind."""
        ...

    async def find(self, campaign_id: str, actor: Actor, identifier: str) -> Event | None:
        """Return the event this actor committed under this id, None where there is none."""
        ...

    async def load(self, campaign_id: str, *, at: int | None = None) -> Loaded | None:
        """Return the campaign at its head or at version `at`; None where there is no such one."""
        ...

    async def campaigns(self) -> list[Summary]:
        """Return a summary of every campaign, by id."""
        ...

    async def summary(self, campaign_id: str) -> Summary | None:
        """Return the summary of one campaign, None where there is no such one."""
        ...

    async def extent(self) -> Extent:
        """Return how large the store is."""
        ...

    async def seated(self, table: str) -> str | None:
        """Return the id of the campaign active at `table`, None where the table is empty."""
        ...

    async def snapshots(self, campaign_id: str) -> list[tuple[int, str, CampaignState]]:
        """Return version, chain hash and state of every snapshot of a campaign, in order."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
        ...


class EventStore(EventReader, Protocol):
    """A store that can be written to."""

    def append(self, campaign_id: str, events: Sequence[NewEvent]) -> asyncio.Future[list[Outcome]]:
        """Append events in order; the future gives one outcome each, once they are on disk.

        A future and not a coroutine: whoever commits thousands a second need not start a task for
        each to be told.

        For each event: an id this actor used before answers with that event (or `Reused`, where
        the request was another); then a `based_on` that is not the head is a `Conflict`; only
        then is it written. The first event of a campaign is based on 0.

        Cancelling the future does not cancel the append. It fails with:
            StoreFullError: nothing was written.
            OutcomeUnknownError: the disk failed; any of the events may have been written.
            StoreClosedError: the store is closing.
        """
        ...

    def fork(self, source: str, campaign_id: str, event: NewEvent) -> asyncio.Future[Outcome]:
        """Begin a log with a copy of another's, up to the version `event` is based on, and `event`.

        The copies are chained anew, as the campaign's id is part of every hash; the source's own
        chain is checked on the way. All of it appears at once, or nothing. Where the campaign is
        there already the outcome is that of appending `event` to it: Duplicate, Reused or Conflict.

        The future fails as `append`'s does, and with DamagedSourceError where the source's log is
        not what its hashes say: nothing was written.
        """
        ...

    async def carry_snapshots(self, source: str, campaign_id: str, until: int) -> None:
        """Give a fork its source's snapshots up to version `until`, one after the other.

        They are disposable: where the disk is full or fails, the rest is left out.
        """
        ...

    async def save_snapshot(self, state: CampaignState, chain_hash: str) -> None:
        """Keep `state` so that loading can start from it. A snapshot there already is kept."""
        ...

    async def check_writable(self) -> None:
        """Raise StoreError where an append could not succeed now."""
        ...
