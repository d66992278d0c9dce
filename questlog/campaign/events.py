"""Events: the immutable records a campaign's log is made of.

A stored event's `data` is the payload of a built-in kind. Payloads are tagged Structs whose tag is
the event's kind: a stable word, never a class path, so that code can be renamed and old logs stay
readable.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, get_args

import msgspec
from msgspec import Raw, Struct

from questlog.campaign.narration import Ending
from questlog.campaign.suggestions import Outcome
from questlog.campaign.upcast import SCHEMA
from questlog.campaign.visibility import Rules

Role = Literal["dm", "player", "spectator"]

DEFAULT_KIND = "state.updated"
RESERVED_PREFIXES = ("campaign", "visibility", "suggestion", "lease", "narration")
EMPTY_OBJECT = "{}"


class Actor(Struct, frozen=True, gc=False):
    """Who committed: an opaque member id and the role they acted in."""

    member: str
    role: Role


class CampaignCreated(Struct, frozen=True, tag="campaign.created", tag_field="kind"):
    """Version 1: the whole document came to be, under these rules (None: the default ones)."""

    title: str | None = None
    visibility: Rules | None = None


class CampaignActivated(Struct, frozen=True, tag="campaign.activated", tag_field="kind"):
    """The campaign took its seat at a table: a session begins.

    Attributes:
        title: what the session is called; None: nothing.
    """

    table: str
    title: str | None


class CampaignDeactivated(Struct, frozen=True, tag="campaign.deactivated", tag_field="kind"):
    """The campaign left its table: the session ends."""

    table: str


class VisibilityChanged(Struct, frozen=True, tag="visibility.changed", tag_field="kind"):
    """From this version on these rules say who sees what."""

    visibility: Rules


class CampaignRewound(Struct, frozen=True, tag="campaign.rewound", tag_field="kind"):
    """The document, or what is at `only` in it (a JSON Pointer), is what it was at a version."""

    to_version: int
    only: str | None = None


class Origin(Struct, frozen=True):
    """Where a fork's log was copied from: up to which version, whose chain hash was `hash`."""

    campaign_id: str
    version: int
    hash: str


class CampaignForked(Struct, frozen=True, tag="campaign.forked", tag_field="kind"):
    """What came before was copied from another campaign's log; from here on it is a log of its own.

    In `data` the origin is named `from`.
    """

    origin: Origin = msgspec.field(name="from")


class SuggestionMade(Struct, frozen=True, tag="suggestion.made", tag_field="kind"):
    """A player proposed something; `player_id` None: one who gave no name."""

    id: str
    player_id: str | None
    content: str
    suggestion_type: str | None = None
    metadata: dict[str, Any] | None = None


class _SuggestionDecided(Struct, frozen=True, tag_field="kind"):
    """The DM disposed of the suggestion `id` of `player_id`, with a word to its author or none."""

    id: str
    player_id: str | None
    answer: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What was decided: the second word of the kind."""
        outcome: Outcome = str(self.__struct_config__.tag).partition(".")[2]  # type: ignore[assignment]
        return outcome


class SuggestionAccepted(_SuggestionDecided, frozen=True, tag="suggestion.accepted"):
    """The DM accepted a suggestion; the event's patch is what came of it, if anything did."""


class SuggestionDismissed(_SuggestionDecided, frozen=True, tag="suggestion.dismissed"):
    """The DM dismissed a suggestion."""


class SuggestionAnswered(_SuggestionDecided, frozen=True, tag="suggestion.answered"):
    """The DM answered a suggestion, which goes on waiting to be decided."""


class LeaseTaken(Struct, frozen=True, tag="lease.taken", tag_field="kind"):
    """A DM took the wheel: the lease is the version of this event.

    Attributes:
        member: who; an opaque id.
        name: which of their devices or agents, in their own words.
    """

    member: str
    name: str | None = None


class LeaseReleased(Struct, frozen=True, tag="lease.released", tag_field="kind"):
    """The DM who had the wheel let go of it."""


class NarrationBegun(Struct, frozen=True, tag="narration.begun", tag_field="kind"):
    """A stream of text began: its entry joined the list at `path`."""

    id: str
    path: str


class NarrationAdded(Struct, frozen=True, tag="narration.added", tag_field="kind"):
    """A part of a stream was added, which makes it `length` characters long."""

    id: str
    length: int


class _NarrationOver(Struct, frozen=True, tag_field="kind"):
    """A stream ended, `length` characters long."""

    id: str
    length: int


class NarrationEnded(_NarrationOver, frozen=True, tag="narration.ended"):
    """A stream ended as it should."""


class NarrationInterrupted(_NarrationOver, frozen=True, tag="narration.interrupted"):
    """A stream broke off: its narrator or the server went away."""


Decided = SuggestionAccepted | SuggestionDismissed | SuggestionAnswered
NarrationOver = NarrationEnded | NarrationInterrupted
Fact = (
    CampaignCreated
    | CampaignActivated
    | CampaignDeactivated
    | VisibilityChanged
    | CampaignRewound
    | CampaignForked
    | SuggestionMade
    | Decided
    | LeaseTaken
    | LeaseReleased
    | NarrationBegun
    | NarrationAdded
    | NarrationOver
)


def decision(outcome: Outcome) -> type[Decided]:
    """Return the fact that says a suggestion was decided so."""
    if outcome == "accepted":
        return SuggestionAccepted
    return SuggestionDismissed if outcome == "dismissed" else SuggestionAnswered


def over(how: Ending) -> type[NarrationOver]:
    """Return the fact that says a stream ended so."""
    return NarrationEnded if how == "complete" else NarrationInterrupted


class NewEvent(Struct, frozen=True, gc=False, kw_only=True):
    """An event that was decided and not yet appended; its JSON members are encoded already.

    Attributes:
        based_on: the version this event was decided against; it becomes `based_on + 1` or nothing.
        minted: the id was made by the server, so that no earlier event can have it.
        fact: what a built-in kind carries, decoded (`data` is the same, encoded).
    """

    based_on: int
    id: str
    minted: bool
    kind: str
    actor: Actor
    at: str
    patch: str
    data: str = EMPTY_OBJECT
    meta: str = EMPTY_OBJECT
    request: str
    schema: int = SCHEMA
    fact: Fact | None = None


class Event(Struct, frozen=True, kw_only=True):
    """One record of the log, in the shape the contract gives it.

    `patch`, `data` and `meta` stay as stored (JSON text), so that a log of any length streams
    through without being decoded; `operations()` and `fact()` decode them.
    """

    campaign_id: str
    version: int
    id: str
    kind: str
    actor: Actor
    at: str
    patch: Raw
    data: Raw
    meta: Raw
    request: str
    schema: int
    hash: str

    def operations(self) -> list[dict[str, Any]]:
        """Return the RFC 6902 operations that take version n-1 to version n.

        Raises:
            msgspec.MsgspecError: the stored patch is no list of operations.
        """
        return msgspec.json.decode(self.patch, type=list[dict[str, Any]])

    def fact(self) -> Fact | None:
        """Return the payload of a built-in kind, None for a kind of the orchestrator's own."""
        return decode_fact(self.kind, bytes(self.data))


class EventHeader(Struct, frozen=True, gc=False):
    """What a `campaign_updated` tells of an event: that it happened, not what was in it."""

    version: int
    id: str
    kind: str
    actor: Actor
    at: str


@cache
def built_in_kinds() -> tuple[str, ...]:
    """Return the kinds that carry a payload, which only the server itself commits."""
    return tuple(str(cls.__struct_config__.tag) for cls in get_args(Fact))


def encode_fact(fact: Fact) -> str:
    """Return the payload as JSON text without its tag: the event's `kind` says that already."""
    members = msgspec.to_builtins(fact)
    del members["kind"]
    return msgspec.json.encode(members).decode()


def decode_fact(kind: str, data: bytes | str) -> Fact | None:
    """Return the payload stored under `kind`, None where the kind has none.

    Raises:
        msgspec.ValidationError: the stored payload is not one of this kind.
    """
    if kind not in built_in_kinds():
        return None
    members = msgspec.json.decode(data, type=dict[str, Any])
    fact: Fact = msgspec.convert({**members, "kind": kind}, Fact)
    return fact
