"""The messages of what is said at the table: who is there, suggestions, signals, the wheel, and
narration as it is spoken. The document's own messages are in `messages`, which reads all of them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from questlog.campaign.commands import (
    BeginNarration,
    Decide,
    EndNarration,
    ReleaseLease,
    Suggest,
    TakeLease,
)
from questlog.campaign.events import Role
from questlog.campaign.ids import derived_id
from questlog.campaign.narration import DEFAULT_PATH
from questlog.campaign.state import Lease
from questlog.campaign.suggestions import Outcome, Standing, Suggestion

Decision = Literal["accepted", "dismissed", "answered", "accept", "dismiss", "answer"]


class Member(Struct, frozen=True):
    """One member at the campaign, with however many connections they have.

    Attributes:
        player_id: None where the role is all that is known of them: they share one entry.
        status: what they say of themselves (ready, typing, away), None: nothing.
        connections: 0 where they have been gone for less than the grace.
        version: the newest they are known to hold.
    """

    player_id: str | None
    role: Role
    status: str | None
    connections: int
    version: int


class Presence(Struct, frozen=True, tag="presence", tag_field="type"):
    """Who is there, whole: it replaces what was known.

    Attributes:
        members: everybody this viewer may know of; empty where they are only counted.
        counts: how many there are of each role, where there are too many to name.
    """

    members: list[Member]
    timestamp: str
    counts: dict[str, int] | UnsetType = UNSET


class PlayerJoined(Member, frozen=True, tag="player_joined", tag_field="type", kw_only=True):
    """Somebody came who was not there: their first connection."""

    timestamp: str


class PlayerLeft(Struct, frozen=True, tag="player_left", tag_field="type"):
    """Somebody has been gone for longer than the grace."""

    player_id: str | None
    role: Role
    timestamp: str


class PlayerStatus(Struct, frozen=True, tag="player_status", tag_field="type"):
    """Somebody says something else of themselves."""

    player_id: str | None
    role: Role
    status: str | None
    timestamp: str


class SuggestionTold(Struct, frozen=True, tag="suggestion", tag_field="type"):
    """A suggestion as it stands now, for the DM and its author."""

    id: str
    player_id: str | None
    content: str
    suggestion_type: str | None
    metadata: dict[str, Any] | None
    state: Standing
    answer: str | None
    timestamp: str


def suggestion_told(suggestion: Suggestion, timestamp: str) -> SuggestionTold:
    """Return what is told of a suggestion as it stands."""
    return SuggestionTold(
        suggestion.id,
        suggestion.player_id,
        suggestion.content,
        suggestion.suggestion_type,
        suggestion.metadata,
        suggestion.state,
        suggestion.answer,
        timestamp,
    )


class Sender(Struct, frozen=True):
    """Who sent a signal."""

    player_id: str | None
    role: Role


class SignalTold(Struct, frozen=True, tag="signal", tag_field="type", rename={"sender": "from"}):
    """A signal, passed on and not logged; `from` null: of somebody this viewer may not know of."""

    name: str
    data: Any
    sender: Sender | None
    timestamp: str


class LeaseTold(Struct, frozen=True, tag="lease", tag_field="type"):
    """Who is at the wheel, for DMs; all null: nobody."""

    lease: int | None
    member: str | None
    name: str | None
    timestamp: str


def lease_told(lease: Lease | None, timestamp: str) -> LeaseTold:
    """Return what is told of who is at the wheel, None being nobody."""
    if lease is None:
        return LeaseTold(None, None, None, timestamp)
    return LeaseTold(lease.version, lease.member, lease.name, timestamp)


class NarrationTold(Struct, frozen=True, tag="narration", tag_field="type"):
    """A piece of a narration, as it is spoken: its entry in the document has it soon.

    Attributes:
        id: of the entry.
        offset: the place of the first character in the whole text, in Unicode code points.
    """

    id: str
    offset: int
    text: str
    timestamp: str


class _Said(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """A message a client may send: its fields and no others."""


class StatusMessage(_Said, frozen=True, tag="player_status"):
    """Say something of oneself, in a word or two; null takes it back."""

    status: str | None = None


class SignalMessage(_Said, frozen=True, tag="signal"):
    """Have something passed on, and not logged.

    Attributes:
        to: `dm`, `players`, `spectators`, `all` or players' ids, one or a list; none: everyone.
    """

    name: str
    data: Any = None
    to: str | list[str] | None = None


class SuggestMessage(_Said, frozen=True, tag="player_suggestion"):
    """Propose something to the DM."""

    id: str
    content: str
    suggestion_type: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def request_id(self) -> str:
        """The id of the event."""
        return self.id

    def command(self, player_id: str | None) -> Suggest:
        """Return what this asks for, of a player."""
        return Suggest(self.id, player_id, self.content, self.suggestion_type, self.metadata)


class DecideMessage(_Said, frozen=True, tag="decide_suggestion"):
    """Dispose of a suggestion. DM only.

    Attributes:
        id, player_id: of the suggestion, as it was told.
        patch: what comes of it, where it is accepted.
    """

    id: str
    decision: Decision
    player_id: str | None = None
    answer: str | None = None
    patch: list[dict[str, Any]] | UnsetType = UNSET

    @property
    def outcome(self) -> Outcome:
        """The decision as a suggestion's state is spelt."""
        spelt: dict[str, Outcome] = {
            "accept": "accepted",
            "dismiss": "dismissed",
            "answer": "answered",
        }
        return spelt.get(self.decision) or self.decision  # type: ignore[return-value]

    @property
    def request_id(self) -> str:
        """The id of the event: of its own for every suggestion, decision and answer."""
        patch = None if self.patch is UNSET else msgspec.json.encode(self.patch).decode()
        return derived_id("decide", self.player_id, self.id, self.outcome, self.answer, patch)

    def command(self) -> Decide:
        """Return what this asks for."""
        return Decide(self.id, self.player_id, self.outcome, self.answer, self.patch)


class TakeLeaseMessage(_Said, frozen=True, tag="take_lease"):
    """Take the wheel; the version in the answer is the lease. DM only."""

    id: str | None = None
    name: str | None = None

    @property
    def request_id(self) -> str | None:
        """The id of the event."""
        return self.id

    def command(self) -> TakeLease:
        """Return what this asks for."""
        return TakeLease(self.name)


class ReleaseLeaseMessage(_Said, frozen=True, tag="release_lease"):
    """Let go of the wheel. DM only."""

    lease: int
    id: str | None = None

    @property
    def request_id(self) -> str | None:
        """The id of the event."""
        return self.id

    def command(self) -> ReleaseLease:
        """Return what this asks for."""
        return ReleaseLease(self.lease)


class NarrationMessage(_Said, frozen=True, tag="narration"):
    """Stream text into the document: begin, chunks, end. DM only.

    Attributes:
        id: of the entry that is filled.
        offset: of a chunk's or an end's text, in Unicode code points of the whole.
        path, speaker: where the entry goes and who speaks, to begin with.
    """

    id: str
    phase: Literal["begin", "chunk", "end"]
    offset: int = 0
    text: str = ""
    path: str = DEFAULT_PATH
    speaker: str | None = None

    def begins(self) -> BeginNarration:
        """Return the command that begins it."""
        return BeginNarration(self.id, self.path, self.speaker)

    def ends(self, text: str) -> EndNarration:
        """Return the command that ends it with what is not in the log yet."""
        return EndNarration(self.id, text)


TalkTold = (
    Presence
    | PlayerJoined
    | PlayerLeft
    | PlayerStatus
    | SuggestionTold
    | SignalTold
    | LeaseTold
    | NarrationTold
)
TalkMessage = (
    StatusMessage
    | SignalMessage
    | SuggestMessage
    | DecideMessage
    | TakeLeaseMessage
    | ReleaseLeaseMessage
    | NarrationMessage
)
