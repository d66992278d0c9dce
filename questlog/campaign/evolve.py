"""Evolve: what an event that happened makes of a campaign. Pure, total, and never in doubt.

An event in the log was decided once; evolving cannot reject it. A patch that does not apply to the
version before it means a damaged log, and is raised as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from questlog.campaign.errors import DamagedLogError as DamagedLogError
from questlog.campaign.events import (
    CampaignActivated,
    CampaignCreated,
    CampaignDeactivated,
    CampaignForked,
    CampaignRewound,
    Fact,
    LeaseReleased,
    LeaseTaken,
    NarrationAdded,
    NarrationBegun,
    NarrationEnded,
    NarrationInterrupted,
    SuggestionAccepted,
    SuggestionAnswered,
    SuggestionDismissed,
    SuggestionMade,
    VisibilityChanged,
)
from questlog.campaign.narration import Narration
from questlog.campaign.state import CampaignState, Lease
from questlog.campaign.suggestions import Suggestion, decided, made
from questlog.document import DocumentError, Sized, apply, encode


class Step(Struct, frozen=True):
    """The part of an event that changes a campaign."""

    version: int
    at: str
    operations: list[dict[str, Any]]
    fact: Fact | None = None


def evolve_with(
    state: CampaignState, document: Sized, *, at: str, fact: Fact | None
) -> CampaignState:
    """Return the campaign one version on, its new document and size already known."""
    changes = {} if fact is None else _changes(state, at, fact)
    return replace(
        state,
        version=state.version + 1,
        document=document.value,
        size=document.size,
        last_at=at,
        **changes,
    )


def _changes(state: CampaignState, at: str, fact: Fact) -> dict[str, Any]:
    """Return what a built-in kind makes of the campaign beside its document."""
    version = state.version + 1
    match fact:
        case CampaignCreated(title=title, visibility=rules):
            return {"created_at": at, "title": title, "rules": rules}
        case CampaignActivated(table=table):
            return {"table": table}
        case CampaignDeactivated():
            return {"table": None}
        case VisibilityChanged(visibility=rules):
            return {"rules": rules}
        case CampaignRewound():
            return {}
        case CampaignForked():
            # The seat and the wheel are the origin's; streams are ended when it is next loaded.
            return {"table": None, "lease": None}
        case SuggestionMade():
            suggestion = Suggestion(
                id=fact.id,
                player_id=fact.player_id,
                content=fact.content,
                suggestion_type=fact.suggestion_type,
                metadata=fact.metadata,
                version=version,
            )
            return {"suggestions": made(state.suggestions, suggestion)}
        case SuggestionAccepted() | SuggestionDismissed() | SuggestionAnswered():
            there = decided(
                state.suggestions, fact.player_id, fact.id, fact.outcome, fact.answer, version
            )
            return {"suggestions": there}
        case LeaseTaken(member=member, name=name):
            return {"lease": Lease(version, member, name)}
        case LeaseReleased():
            return {"lease": None}
        case NarrationBegun(id=identifier, path=path):
            return {"narrations": (*state.narrations, Narration(identifier, path))}
        case NarrationAdded(id=identifier, length=length):
            longer = [
                Narration(each.id, each.path, length) if each.id == identifier else each
                for each in state.narrations
            ]
            return {"narrations": tuple(longer)}
        case NarrationEnded(id=identifier) | NarrationInterrupted(id=identifier):
            rest = tuple(each for each in state.narrations if each.id != identifier)
            return {"narrations": rest}


def fold(state: CampaignState, steps: Iterable[Step]) -> CampaignState:
    """Return `state` after all of `steps`, applied as one run of operations.

    Folding at once lets `apply` copy each container a single time, which makes reading a version
    cost about as much as decoding the snapshot it starts from.

    Raises:
        DamagedLogError: a version is missing, or a patch does not apply.
    """
    operations: list[dict[str, Any]] = []
    for step in steps:
        if step.version != state.version + 1:
            raise DamagedLogError(
                f"version {step.version} follows version {state.version} of {state.campaign_id!r}"
            )
        operations.extend(step.operations)
        if step.fact is None:
            state = replace(state, version=step.version, last_at=step.at)
        else:
            unchanged = Sized(state.document, state.size)
            state = evolve_with(state, unchanged, at=step.at, fact=step.fact)
    if not operations:
        return state
    try:
        document = apply(state.document, operations)
    except DocumentError as error:
        raise DamagedLogError(f"a patch of {state.campaign_id!r} fails: {error}") from error
    if type(document) is not dict:
        raise DamagedLogError(f"the document of {state.campaign_id!r} is no object")
    return replace(state, document=document, size=len(encode(document)))
