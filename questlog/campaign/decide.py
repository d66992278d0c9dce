"""Decide: whether a command may happen to a campaign, and the event it would be. Pure.

`decide` gives the event together with the state after it, because finding out whether a patch
applies is applying it; evolving the event again gives an equal state (a test holds it to that).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct

from questlog.campaign.commands import (
    Activate,
    Commit,
    Create,
    Deactivate,
    Fork,
    Request,
    Rewind,
    SetVisibility,
    digest,
)
from questlog.campaign.errors import (
    CampaignExists,
    Invalid,
    PreconditionFailed,
    TooLarge,
    UnknownCampaign,
    VersionConflict,
    from_document,
)
from questlog.campaign.events import (
    EMPTY_OBJECT,
    CampaignActivated,
    CampaignCreated,
    CampaignDeactivated,
    CampaignForked,
    CampaignRewound,
    Fact,
    NewEvent,
    VisibilityChanged,
    encode_fact,
)
from questlog.campaign.evolve import evolve_with
from questlog.campaign.ids import check_event_id, check_kind, check_name, check_title
from questlog.campaign.rewinding import rewinding
from questlog.campaign.state import CampaignState
from questlog.campaign.suggestions import MAX_PENDING
from questlog.campaign.talk import check_lease, happening
from questlog.campaign.visibility import check_rules
from questlog.document import (
    DocumentError,
    Limits,
    Sized,
    apply_within,
    depth,
    diff,
    encode,
    merge,
)

MAX_META = 64 * 1024


class Minted(Struct, frozen=True, gc=False):
    """What a decision needs from outside: the time (RFC 3339) and an id in case none was given."""

    at: str
    id: str


class Decision(Struct, frozen=True):
    """What a command comes to: the event to append (None: nothing to do) and the state after."""

    event: NewEvent | None
    state: CampaignState


def decide(
    state: CampaignState,
    request: Request,
    minted: Minted,
    limits: Limits,
    max_suggestions: int = MAX_PENDING,
) -> Decision:
    """Return what `request` comes to at `state` (version 0: no such campaign yet).

    Args:
        limits: of the document.
        max_suggestions: how many of one player may wait for the DM.

    Raises:
        Rejection: with the code that says why; the campaign is as it was.
    """
    if request.id is not None:
        check_event_id(request.id)
    if isinstance(request.command, Create):
        if state.version:
            raise CampaignExists(version=state.version)
    elif not state.version:
        raise UnknownCampaign
    try:
        match request.command:
            case Create() as command:
                return _create(state, request, command, minted, limits)
            case Commit() as command:
                return _commit(state, request, command, minted, limits)
            case SetVisibility() as command:
                _check_precondition(state, command.if_match)
                check_rules(command.visibility)
                return _built_in(state, request, minted, VisibilityChanged(command.visibility))
            case Activate(table=table, title=title):
                check_title(title)
                if state.table == check_name(table, "table"):
                    return Decision(None, state)
                return _built_in(state, request, minted, CampaignActivated(table, title))
            case Rewind() as command:
                return _rewind(state, request, command, minted, limits)
            case Fork(origin=origin):
                check_name(state.campaign_id, "campaign id")
                return _built_in(state, request, minted, CampaignForked(origin))
            case Deactivate():
                if state.table is None:
                    return Decision(None, state)
                return _built_in(state, request, minted, CampaignDeactivated(state.table))
            case talk:
                at = max(minted.at, state.last_at)
                patch, fact = happening(state, request, talk, at, max_suggestions)
                document = _applied(state, patch, limits)
                return _decided(state, request, minted, document, patch, fact=fact)
    except DocumentError as error:
        raise from_document(error) from error


def _create(
    state: CampaignState, request: Request, command: Create, minted: Minted, limits: Limits
) -> Decision:
    check_name(state.campaign_id, "campaign id")
    if command.visibility is not None:
        check_rules(command.visibility)
    check_title(command.title)
    patch = [{"op": "add", "path": "", "value": command.structured_data}]
    document = apply_within(state.document, patch, size=state.size, limits=limits)
    fact = CampaignCreated(command.title, command.visibility)
    return _decided(state, request, minted, document, patch, fact=fact)


def _commit(
    state: CampaignState, request: Request, command: Commit, minted: Minted, limits: Limits
) -> Decision:
    _check_conditions(state, command)
    check_kind(command.kind)
    patch = _patch_of(command, state)
    document = _applied(state, patch, limits)
    if not patch and not command.log_unchanged:
        return Decision(None, state)
    meta = _encode_meta(command.meta, limits)
    return _decided(state, request, minted, document, patch, kind=command.kind, meta=meta)


def _rewind(
    state: CampaignState, request: Request, command: Rewind, minted: Minted, limits: Limits
) -> Decision:
    _check_conditions(state, command)
    patch = rewinding(state.document, command.target, command.only)
    document = _applied(state, patch, limits)
    fact = CampaignRewound(command.to_version, command.only or None)
    return _decided(state, request, minted, document, patch, fact=fact)


def _applied(state: CampaignState, patch: list[dict[str, Any]], limits: Limits) -> Sized:
    """Return the document after a patch: an object still."""
    document = apply_within(state.document, patch, size=state.size, limits=limits)
    if type(document.value) is not dict:
        raise Invalid("A campaign's document is a JSON object.", version=state.version)
    return document


def _patch_of(command: Commit, state: CampaignState) -> list[dict[str, Any]]:
    """Return the operations a commit asks for, finding them where it gives the outcome instead."""
    patch, whole, merged = command.patch, command.structured_data, command.merge
    if (patch is not UNSET) + (whole is not UNSET) + (merged is not UNSET) != 1:
        raise Invalid("A commit has exactly one of patch and structured_data.")
    if patch is not UNSET:
        return patch
    if whole is not UNSET:
        return diff(state.document, whole)
    return diff(state.document, merge(state.document, merged))


def _check_conditions(state: CampaignState, command: Commit | Rewind) -> None:
    """Refuse a change that is based on another version, or comes from who has lost the wheel."""
    _check_base(state, command.expected_version)
    _check_precondition(state, command.if_match)
    if command.lease is not None:
        check_lease(state, command.lease)


def _check_base(state: CampaignState, expected: int | None) -> None:
    if expected is not None and expected != state.version:
        raise VersionConflict(
            f"The campaign is at version {state.version}, not {expected}.", version=state.version
        )


def _check_precondition(state: CampaignState, if_match: int | None) -> None:
    if if_match is not None and if_match != state.version:
        raise PreconditionFailed(version=state.version)


def _encode_meta(meta: dict[str, Any] | None, limits: Limits) -> str:
    if not meta:
        return EMPTY_OBJECT
    if depth(meta) > limits.max_depth:
        raise Invalid(f"meta is nested deeper than {limits.max_depth}.")
    text = encode(meta)
    if len(text) > MAX_META:
        raise TooLarge(f"meta is over {MAX_META} bytes.")
    return text.decode()


def _built_in(state: CampaignState, request: Request, minted: Minted, fact: Fact) -> Decision:
    return _decided(state, request, minted, Sized(state.document, state.size), [], fact=fact)


def _decided(
    state: CampaignState,
    request: Request,
    minted: Minted,
    document: Sized,
    patch: list[dict[str, Any]],
    *,
    kind: str = "",
    fact: Fact | None = None,
    meta: str = EMPTY_OBJECT,
) -> Decision:
    at = max(minted.at, state.last_at)
    event = NewEvent(
        based_on=state.version,
        id=minted.id if request.id is None else request.id,
        minted=request.id is None,
        kind=kind if fact is None else str(fact.__struct_config__.tag),
        actor=request.actor,
        at=at,
        patch=msgspec.json.encode(patch).decode(),
        data=EMPTY_OBJECT if fact is None else encode_fact(fact),
        meta=meta,
        request=digest(request.command),
        fact=fact,
    )
    return Decision(event, evolve_with(state, document, at=at, fact=fact))
