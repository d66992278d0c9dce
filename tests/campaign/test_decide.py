"""Decide and evolve: every rejection has its code, an event evolves to what was decided."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from questlog.campaign.commands import (
    Activate,
    Command,
    Commit,
    Create,
    Deactivate,
    Request,
    SetVisibility,
    digest,
)
from questlog.campaign.decide import MAX_META, Decision, Minted, decide
from questlog.campaign.errors import (
    Rejection,
    VersionConflict,
    from_document,
    rejection_of,
    rejections,
)
from questlog.campaign.events import (
    Actor,
    CampaignCreated,
    NewEvent,
    VisibilityChanged,
    built_in_kinds,
    decode_fact,
)
from questlog.campaign.evolve import DamagedLogError, Step, fold
from questlog.campaign.ids import MAX_TITLE
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Rule, Rules
from questlog.document import DocumentError, Limits, encode, equal
from tests.eventstore.scribe import any_command, moment, put

DM = Actor("dm", "dm")
LIMITS = Limits(max_bytes=2000, max_depth=10, max_operations=20)
RULES = Rules(default="visible", rules=(Rule("/dm", ("dm",)),))
BAD_RULES = Rules(default="visible", rules=(Rule("dm", ("dm",)),))


def ask(
    state: CampaignState, command: Command, *, id: str | None = None, at: str = moment(1)
) -> Decision:
    """Decide a DM's command."""
    return decide(state, Request(DM, command, id), Minted(at, "minted"), LIMITS)


def new_event(decision: Decision) -> NewEvent:
    """Return the event of a decision that has one."""
    assert decision.event is not None
    return decision.event


def step_of(event: NewEvent) -> Step:
    """Return what an event does, from what is stored of it."""
    fact = decode_fact(event.kind, event.data)
    return Step(event.based_on + 1, event.at, msgspec.json.decode(event.patch), fact)


NONE = CampaignState(campaign_id="c")
MADE = ask(NONE, Create({"hp": 10})).state


def deep(levels: int) -> dict[str, Any]:
    """Return objects in objects, so many deep."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("seed", range(20))
def test_an_event_evolves_to_the_state_that_was_decided(seed: int) -> None:
    rng = random.Random(seed)
    decided = evolved = NONE
    steps = []
    for number in range(60):
        command = any_command(rng, decided)
        minted = Minted(moment(number), f"id-{number}")
        decision = decide(decided, Request(DM, command), minted, Limits())
        step = step_of(new_event(decision))
        decided, evolved = decision.state, fold(evolved, [step])
        steps.append(step)
        assert equal(decided.document, evolved.document), f"seed {seed}"
        assert decided == evolved, f"seed {seed}"
        assert decided.size == len(encode(decided.document)), f"seed {seed}"
    assert fold(NONE, steps) == decided, f"seed {seed}"


def test_creating_makes_version_1_of_the_whole_document() -> None:
    decision = ask(NONE, Create({"hp": 10}, RULES, "Ashfall"), id="first")
    event = new_event(decision)
    assert (event.based_on, event.id, event.minted) == (0, "first", False)
    assert event.kind == "campaign.created"
    assert msgspec.json.decode(event.patch) == [{"op": "add", "path": "", "value": {"hp": 10}}]
    assert event.fact == CampaignCreated("Ashfall", RULES)
    state = decision.state
    assert (state.version, state.title, state.rules) == (1, "Ashfall", RULES)
    assert (state.created_at, state.last_at, state.table) == (moment(1), moment(1), None)


def test_an_id_is_minted_where_none_is_given() -> None:
    event = new_event(ask(MADE, put("/hp", 9)))
    assert (event.id, event.minted) == ("minted", True)


def test_time_never_falls_back() -> None:
    later = ask(MADE, put("/hp", 9), at=moment(50)).state
    event = new_event(ask(later, put("/hp", 8), at=moment(2)))
    assert event.at == moment(50)


def test_a_commit_is_a_patch_a_merge_or_a_document() -> None:
    for commit in (
        Commit(patch=[{"op": "replace", "path": "/hp", "value": 9}]),
        Commit(merge={"hp": 9}),
        Commit(structured_data={"hp": 9}),
    ):
        decision = ask(MADE, commit)
        assert decision.state.document == {"hp": 9}
        assert msgspec.json.decode(new_event(decision).patch) == [
            {"op": "replace", "path": "/hp", "value": 9}
        ]


def test_a_commit_that_changes_nothing_is_logged_unless_told_otherwise() -> None:
    event = new_event(ask(MADE, Commit(structured_data={"hp": 10})))
    assert event.patch == "[]"
    decision = ask(MADE, Commit(structured_data={"hp": 10}, log_unchanged=False))
    assert decision == Decision(None, MADE)


def test_meta_is_kept_as_it_was_given() -> None:
    assert new_event(ask(MADE, put("/hp", 1, meta={"die": [20, 2**70]}))).meta == (
        f'{{"die":[20,{2**70}]}}'
    )
    assert new_event(ask(MADE, put("/hp", 1, meta={}))).meta == "{}"


def test_activating_seats_and_deactivating_unseats_once() -> None:
    seated = ask(MADE, Activate("main"))
    assert (new_event(seated).kind, seated.state.table) == ("campaign.activated", "main")
    assert ask(seated.state, Activate("main")) == Decision(None, seated.state)
    moved = ask(seated.state, Activate("other"))
    assert moved.state.table == "other"
    left = ask(moved.state, Deactivate())
    assert (new_event(left).kind, left.state.table) == ("campaign.deactivated", None)
    assert msgspec.json.decode(new_event(left).data) == {"table": "other"}
    assert ask(left.state, Deactivate()) == Decision(None, left.state)


def test_new_rules_are_in_force_from_their_event_on() -> None:
    decision = ask(MADE, SetVisibility(RULES, if_match=1))
    assert decision.state.rules == RULES
    assert decision.state.document is MADE.document
    event = new_event(decision)
    assert decode_fact(event.kind, event.data) == VisibilityChanged(RULES)


@pytest.mark.parametrize(
    ("state", "command", "code"),
    [
        (MADE, Create({}), "campaign_exists"),
        (NONE, put("/hp", 1), "unknown_campaign"),
        (NONE, SetVisibility(RULES), "unknown_campaign"),
        (NONE, Activate("main"), "unknown_campaign"),
        (NONE, Deactivate(), "unknown_campaign"),
        (replace(NONE, campaign_id="a/b"), Create({}), "invalid"),
        (NONE, Create({}, BAD_RULES), "invalid"),
        (NONE, Create({}, title="t" * (MAX_TITLE + 1)), "invalid"),
        (MADE, Activate("main", "t" * (MAX_TITLE + 1)), "invalid"),
        (NONE, Create({"a": "x" * 2000}), "too_large"),
        (NONE, Create(deep(11)), "invalid"),
        (MADE, SetVisibility(BAD_RULES), "invalid"),
        (MADE, SetVisibility(RULES, if_match=2), "version_conflict"),
        (MADE, Activate("a b"), "invalid"),
        (MADE, put("/hp", 1, expected_version=2), "version_conflict"),
        (MADE, put("/hp", 1, expected_version=0), "version_conflict"),
        (MADE, put("/hp", 1, if_match=7), "version_conflict"),
        (MADE, put("/hp", 1, lease=1), "lease_lost"),
        (MADE, put("/hp", 1, kind="Hit"), "invalid"),
        (MADE, put("/hp", 1, kind="campaign.created"), "invalid"),
        (MADE, put("/hp", 1, meta=deep(11)), "invalid"),
        (MADE, put("/hp", 1, meta={"a": "x" * MAX_META}), "too_large"),
        (MADE, put("/hp", 1, meta={"a": "\ud800"}), "invalid"),
        (MADE, put("/hp", "\ud800"), "invalid"),
        (MADE, put("/hp", "x" * 2000), "too_large"),
        (MADE, put("/hp", deep(11)), "invalid"),
        (MADE, put("", [1]), "invalid"),
        (MADE, put("/nowhere/hp", 1), "patch_failed"),
        (MADE, Commit(patch=[{"op": "test", "path": "/hp", "value": 11}]), "patch_failed"),
        (MADE, Commit(patch=[{"op": "twist", "path": "/hp"}]), "patch_failed"),
        (MADE, Commit(patch=[{"op": "remove", "path": "/hp"}] * 21), "too_large"),
        (MADE, Commit(structured_data=deep(11)), "invalid"),
        (MADE, Commit(merge=[1]), "invalid"),
        (MADE, Commit(), "invalid"),
        (MADE, Commit(patch=[], structured_data={}), "invalid"),
        (MADE, Commit(merge=None, structured_data={}), "invalid"),
    ],
)
def test_what_may_not_be_is_rejected_with_its_code(
    state: CampaignState, command: Command, code: str
) -> None:
    with pytest.raises(Rejection) as caught:
        ask(state, command)
    assert caught.value.code == code
    assert caught.value.message
    assert MADE.document == {"hp": 10}


@pytest.mark.parametrize("command", [put("/hp", 1, expected_version=5), Create({})])
def test_a_conflict_names_the_actual_version(command: Command) -> None:
    with pytest.raises(Rejection) as caught:
        ask(MADE, command)
    assert caught.value.version == 1


@pytest.mark.parametrize("id", ["", "x" * 65, "a\nb", "\x00"])
def test_an_id_that_cannot_be_kept_is_rejected(id: str) -> None:
    with pytest.raises(Rejection, match="id"):
        ask(MADE, put("/hp", 1), id=id)


def test_a_failing_patch_names_its_operation() -> None:
    patch: list[dict[str, Any]] = [
        {"op": "replace", "path": "/hp", "value": 1},
        {"op": "remove", "path": "/nothing"},
    ]
    with pytest.raises(Rejection, match=r"operation 1 .*remove.*/nothing"):
        ask(MADE, Commit(patch=patch))


def test_a_retry_has_the_digest_of_its_request_and_another_request_has_not() -> None:
    first = put("/hp", 1, meta={"a": 1, "b": 2})
    assert digest(first) == digest(put("/hp", 1, meta={"b": 2, "a": 1}))
    assert digest(first) == digest(replace(first, if_match=3))
    assert digest(first) == digest(replace(first, log_unchanged=False))
    others: list[Command] = [
        first,
        put("/hp", 2, meta=first.meta),
        put("/hp", True, meta=first.meta),
        put("/hp", 1),
        replace(first, expected_version=1),
        replace(first, kind="hit"),
        Commit(merge={"hp": 1}),
        Commit(merge=None),
        Commit(structured_data={"hp": 1}),
        Create({"hp": 1}),
        Activate("main"),
        Deactivate(),
        SetVisibility(RULES),
        SetVisibility(Rules(rules=())),
    ]
    assert len({digest(command) for command in others}) == len(others)


def test_every_code_has_one_class_and_a_sentence() -> None:
    found = rejections()
    assert set(found) == {
        *("bad_json", "invalid", "too_large", "patch_failed", "version_conflict", "id_reused"),
        *("lease_lost", "campaign_exists", "unknown_campaign", "unknown_version"),
        *("unauthenticated", "forbidden", "rate_limited", "unsupported_media_type"),
        "store_unavailable",
    }
    for code, rejection in found.items():
        assert rejection().code == code
        assert rejection().message.endswith((".", "id"))


def test_a_rejection_from_a_server_has_its_class_and_keeps_its_code() -> None:
    known = rejection_of("version_conflict", "No.", 7)
    assert isinstance(known, VersionConflict)
    assert (known.code, known.message, known.version) == ("version_conflict", "No.", 7)
    assert rejection_of("of_a_later_release", "No.").code == "of_a_later_release"


def test_a_document_error_of_a_new_code_is_still_a_rejection() -> None:
    error = DocumentError("odd")
    error.code = "odd"
    assert from_document(error).code == "invalid"


def test_folding_refuses_a_gap_and_a_patch_that_fails() -> None:
    with pytest.raises(DamagedLogError, match="version 3 follows version 1"):
        fold(MADE, [Step(3, moment(3), [])])
    with pytest.raises(DamagedLogError, match="patch"):
        fold(MADE, [Step(2, moment(3), [{"op": "remove", "path": "/nothing"}])])
    with pytest.raises(DamagedLogError, match="no object"):
        fold(MADE, [Step(2, moment(3), [{"op": "replace", "path": "", "value": 7}])])


def test_a_payload_is_decoded_by_its_kind_alone() -> None:
    assert decode_fact("hit", "not even JSON") is None
    assert decode_fact("campaign.created", "{}") == CampaignCreated()
    assert built_in_kinds() == (
        *("campaign.created", "campaign.activated", "campaign.deactivated"),
        *("visibility.changed", "campaign.rewound", "campaign.forked"),
        *("suggestion.made", "suggestion.accepted", "suggestion.dismissed", "suggestion.answered"),
        *("lease.taken", "lease.released"),
        *("narration.begun", "narration.added", "narration.ended", "narration.interrupted"),
    )
    for data in ("[]", "{", '{"visibility":7}'):
        with pytest.raises(msgspec.MsgspecError):
            decode_fact("visibility.changed", data)
