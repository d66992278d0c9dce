"""What is said at the table, as far as it is logged: suggestions, the lease, narration. Pure.

Each function returns the patch and the payload of the event that a command comes to, or raises the
rejection that says why it comes to none.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from questlog.campaign.commands import (
    AddNarration,
    BeginNarration,
    Decide,
    EndNarration,
    ReleaseLease,
    Request,
    Suggest,
    TakeLease,
)
from questlog.campaign.errors import Invalid, LeaseLost
from questlog.campaign.events import (
    Fact,
    LeaseReleased,
    LeaseTaken,
    NarrationAdded,
    NarrationBegun,
    SuggestionMade,
    decision,
    over,
)
from questlog.campaign.ids import check_event_id
from questlog.campaign.narration import Narration, adding, beginning, ending, find
from questlog.campaign.state import CampaignState
from questlog.campaign.suggestions import (
    Suggestion,
    check_room,
    check_suggestion,
    check_text,
    pending,
)

Talk = Suggest | Decide | TakeLease | ReleaseLease | BeginNarration | AddNarration | EndNarration
MAX_LEASE_NAME = 100
Happening = tuple[list[dict[str, Any]], Fact]


def happening(state: CampaignState, request: Request, talk: Talk, at: str, most: int) -> Happening:
    """Return the patch and the payload of the event that `talk` comes to.

    Args:
        at: when it is, for an entry that says so.
        most: how many suggestions of one player may wait for the DM.

    Raises:
        Rejection: it comes to none.
    """
    match talk:
        case Suggest():
            return _suggest(state, talk, most)
        case Decide():
            return _decide(state, talk)
        case TakeLease(name=name):
            if name is not None and not (1 <= len(name) <= MAX_LEASE_NAME and name.isprintable()):
                raise Invalid(f"A lease's name has 1 to {MAX_LEASE_NAME} printable characters.")
            return [], LeaseTaken(request.actor.member, name)
        case ReleaseLease(lease=lease):
            check_lease(state, lease)
            return [], LeaseReleased()
        case BeginNarration():
            fresh = Narration(talk.id, talk.path)
            patch = beginning(state.narrations, state.document, fresh, talk.speaker, at)
            return patch, NarrationBegun(talk.id, talk.path)
        case AddNarration(text=text):
            narration = find(state.narrations, talk.id)
            patch = adding(state.document, narration, text)
            return patch, NarrationAdded(talk.id, narration.length + len(text))
        case EndNarration(text=text, how=how):
            narration = find(state.narrations, talk.id)
            patch = ending(state.document, narration, text, how)
            return patch, over(how)(talk.id, narration.length + len(text))


def check_lease(state: CampaignState, lease: int) -> None:
    """Refuse a lease that is not the one in force.

    Raises:
        LeaseLost: it is not: somebody has taken the wheel since, or nobody ever did.
    """
    if state.lease is None or state.lease.version != lease:
        raise LeaseLost(version=state.version)


def _suggest(state: CampaignState, talk: Suggest, most: int) -> Happening:
    check_event_id(talk.id)
    check_suggestion(talk.content, talk.suggestion_type, talk.metadata)
    fresh = Suggestion(
        id=talk.id, player_id=talk.player_id, content=talk.content, metadata=talk.metadata
    )
    check_room(state.suggestions, fresh, most)
    fact = SuggestionMade(
        talk.id, talk.player_id, talk.content, talk.suggestion_type, talk.metadata or None
    )
    return [], fact


def _decide(state: CampaignState, talk: Decide) -> Happening:
    pending(state.suggestions, talk.player_id, talk.id)
    if talk.answer is not None:
        check_text(talk.answer, "answer")
    elif talk.outcome == "answered":
        raise Invalid("An answer says something: it has an answer.")
    patch = [] if talk.patch is UNSET else talk.patch
    if patch and talk.outcome != "accepted":
        raise Invalid("Only a suggestion that is accepted may change the document.")
    return patch, decision(talk.outcome)(talk.id, talk.player_id, talk.answer)
