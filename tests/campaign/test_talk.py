"""What is said at the table, decided and evolved: suggestions, the lease, narration."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from questlog.campaign.commands import (
    AddNarration,
    BeginNarration,
    Command,
    Commit,
    Create,
    Decide,
    EndNarration,
    ReleaseLease,
    Request,
    Suggest,
    TakeLease,
    digest,
)
from questlog.campaign.decide import Decision, Minted, decide
from questlog.campaign.errors import Rejection
from questlog.campaign.events import Actor, decode_fact
from questlog.campaign.evolve import Step, fold
from questlog.campaign.narration import MAX_LENGTH, MAX_OPEN, Narration
from questlog.campaign.state import CampaignState, Lease
from questlog.campaign.suggestions import (
    MAX_ALL_PENDING,
    MAX_ALL_PENDING_BYTES,
    MAX_CONTENT,
    MAX_METADATA,
    MAX_PENDING,
    MAX_PENDING_BYTES,
    MAX_TYPE,
    REMEMBERED,
    Suggestion,
    weight,
)
from questlog.document import Limits
from tests.eventstore.scribe import moment, put

DM, MIRA = Actor("dm", "dm"), Actor("mira", "player")
LIMITS = Limits(max_bytes=20_000, max_depth=10, max_operations=20)
DOCUMENT: dict[str, Any] = {"hp": 7, "private": {"mira": {}}, "log": ["It rains."]}


def ask(state: CampaignState, command: Command, actor: Actor = DM) -> Decision:
    """Decide a command, at the time of its version."""
    number = state.version + 1
    minted = Minted(moment(number), f"minted-{number}")
    return decide(state, Request(actor, command), minted, LIMITS)


def after(*commands: Command) -> CampaignState:
    """Return what a new campaign comes to by these commands."""
    state = CampaignState(campaign_id="c")
    for command in (Create(DOCUMENT), *commands):
        state = ask(state, command).state
    return state


def kind_of(decision: Decision) -> str:
    assert decision.event is not None
    return decision.event.kind


def suggest(number: int = 1, player: str | None = "mira", content: str = "I hide.") -> Suggest:
    return Suggest(f"s{number}", player, content)


def code_of(state: CampaignState, command: Command) -> str:
    """Return the code a command is rejected with; the state is as it was."""
    before = msgspec.json.encode(state)
    with pytest.raises(Rejection) as caught:
        ask(state, command)
    assert msgspec.json.encode(state) == before
    assert caught.value.message
    return caught.value.code


def until_refused(commands: Iterable[Command]) -> tuple[CampaignState, str]:
    """Return what a new campaign comes to before one is rejected, and why that is."""
    state = after()
    for command in commands:
        try:
            state = ask(state, command).state
        except Rejection as rejection:
            return state, rejection.message
    raise AssertionError("nothing was refused")


MADE = after()
WAITING = after(suggest())
DRIVEN = after(TakeLease("tablet"))
TOLD = after(BeginNarration("n1"), AddNarration("n1", "The bell "))


def test_a_suggestion_waits_outside_the_document_until_it_is_decided() -> None:
    decision = ask(MADE, Suggest("s1", "mira", "I hide.", "action", {"dc": 15}), MIRA)
    assert kind_of(decision) == "suggestion.made"
    assert decision.state.document is MADE.document
    (waiting,) = decision.state.suggestions
    assert waiting == Suggestion(
        id="s1",
        player_id="mira",
        content="I hide.",
        suggestion_type="action",
        metadata={"dc": 15},
        version=2,
    )
    answered = ask(decision.state, Decide("s1", "mira", "answered", "Behind what?"))
    assert kind_of(answered) == "suggestion.answered"
    (waiting,) = answered.state.suggestions
    assert (waiting.state, waiting.answer) == ("pending", "Behind what?")
    patch = [{"op": "replace", "path": "/hp", "value": 8}]
    accepted = ask(answered.state, Decide("s1", "mira", "accepted", patch=patch))
    assert kind_of(accepted) == "suggestion.accepted"
    (done,) = accepted.state.suggestions
    assert (done.state, done.answer, done.version) == ("accepted", "Behind what?", 4)
    assert accepted.state.document["hp"] == 8
    dismissed = ask(answered.state, Decide("s1", "mira", "dismissed", "No."))
    assert kind_of(dismissed) == "suggestion.dismissed"
    assert dismissed.state.suggestions[0].answer == "No."


@pytest.mark.parametrize(
    ("state", "command", "code"),
    [
        (CampaignState(campaign_id="c"), suggest(), "unknown_campaign"),
        (MADE, suggest(content=" \n"), "invalid"),
        (MADE, suggest(content="x" * (MAX_CONTENT + 1)), "too_large"),
        (MADE, Suggest("", "mira", "x"), "invalid"),
        (MADE, Suggest("i\n", "mira", "x"), "invalid"),
        (MADE, Suggest("s", "mira", "x", ""), "invalid"),
        (MADE, Suggest("s", "mira", "x", "t" * (MAX_TYPE + 1)), "invalid"),
        (MADE, Suggest("s", "mira", "x", "a\u202eb"), "invalid"),
        (MADE, Suggest("s", "mira", "x", None, {"a": "x" * MAX_METADATA}), "too_large"),
        (MADE, Suggest("s", "mira", "x", None, {"a": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}), "invalid"),
        (WAITING, suggest(), "invalid"),
        (WAITING, Decide("s2", "mira", "accepted"), "invalid"),
        (WAITING, Decide("s1", "tobin", "accepted"), "invalid"),
        (WAITING, Decide("s1", None, "accepted"), "invalid"),
        (WAITING, Decide("s1", "mira", "answered"), "invalid"),
        (WAITING, Decide("s1", "mira", "answered", " "), "invalid"),
        (WAITING, Decide("s1", "mira", "dismissed", "x" * (MAX_CONTENT + 1)), "too_large"),
        (WAITING, Decide("s1", "mira", "dismissed", None, put("/hp", 1).patch), "invalid"),
        (WAITING, Decide("s1", "mira", "answered", "Hm.", put("/hp", 1).patch), "invalid"),
        (WAITING, Decide("s1", "mira", "accepted", None, put("/x/y", 1).patch), "patch_failed"),
        (WAITING, Decide("s1", "mira", "accepted", None, put("", 1).patch), "invalid"),
        (
            WAITING,
            Decide("s1", "mira", "accepted", None, put("/a", "x" * 20_000).patch),
            "too_large",
        ),
        (
            after(suggest(), Decide("s1", "mira", "accepted")),
            Decide("s1", "mira", "dismissed"),
            "invalid",
        ),
        (MADE, TakeLease(""), "invalid"),
        (MADE, TakeLease("n" * 101), "invalid"),
        (MADE, TakeLease("a\nb"), "invalid"),
        (MADE, ReleaseLease(1), "lease_lost"),
        (DRIVEN, ReleaseLease(1), "lease_lost"),
        (DRIVEN, put("/hp", 1, lease=1), "lease_lost"),
        (DRIVEN, put("/hp", 1, lease=3), "lease_lost"),
        (after(TakeLease(), TakeLease()), put("/hp", 1, lease=2), "lease_lost"),
        (after(TakeLease(), ReleaseLease(2)), put("/hp", 1, lease=2), "lease_lost"),
        (MADE, BeginNarration(""), "invalid"),
        (MADE, BeginNarration("n" * 65), "invalid"),
        (MADE, BeginNarration("n", speaker=""), "invalid"),
        (MADE, BeginNarration("n", speaker="s" * 201), "invalid"),
        (MADE, BeginNarration("n", "no pointer"), "invalid"),
        (MADE, BeginNarration("n", ""), "invalid"),
        (MADE, BeginNarration("n", "/hp"), "invalid"),
        (MADE, BeginNarration("n", "/private"), "invalid"),
        (MADE, BeginNarration("n", "/nowhere/list"), "invalid"),
        (MADE, BeginNarration("n", "/log/0"), "invalid"),
        (TOLD, BeginNarration("n1"), "invalid"),
        (
            after(*(BeginNarration(f"n{n}") for n in range(MAX_OPEN))),
            BeginNarration("n"),
            "invalid",
        ),
        (MADE, AddNarration("n1", "x"), "invalid"),
        (MADE, EndNarration("n1"), "invalid"),
        (after(BeginNarration("n1"), EndNarration("n1")), AddNarration("n1", "x"), "invalid"),
        (after(BeginNarration("n1"), EndNarration("n1")), EndNarration("n1"), "invalid"),
        (
            after(BeginNarration("n1"), put("/all_narratives", [])),
            AddNarration("n1", "x"),
            "invalid",
        ),
        (
            after(BeginNarration("n1"), put("/all_narratives/0/parts", 7)),
            AddNarration("n1", "x"),
            "invalid",
        ),
        (TOLD, AddNarration("n1", "x" * 20_000), "too_large"),
        (
            replace(TOLD, narrations=(Narration("n1", "/all_narratives", MAX_LENGTH),)),
            AddNarration("n1", "x"),
            "too_large",
        ),
    ],
)
def test_what_may_not_be_is_rejected_with_its_code(
    state: CampaignState, command: Command, code: str
) -> None:
    assert code_of(state, command) == code


def test_what_waits_is_bounded_in_number_and_in_bytes_by_player_and_in_all() -> None:
    full = after(*(suggest(number) for number in range(MAX_PENDING)))
    assert code_of(full, suggest(99)) == "rate_limited"
    assert kind_of(ask(full, suggest(99, "tobin"))) == "suggestion.made"
    room = ask(full, Decide("s3", "mira", "answered", "Wait.")).state
    assert code_of(room, suggest(99)) == "rate_limited", "an answered one waits still"
    room = ask(full, Decide("s3", "mira", "dismissed")).state
    assert kind_of(ask(room, suggest(99))) == "suggestion.made"

    long = "\U0001f409" * MAX_CONTENT
    heavy, why = until_refused(suggest(number, content=long) for number in range(MAX_PENDING))
    assert "wait for an answer" in why
    assert sum(map(weight, heavy.suggestions)) <= MAX_PENDING_BYTES

    crowd, why = until_refused(suggest(n, f"p{n}") for n in range(MAX_ALL_PENDING + 1))
    assert "Too many" in why
    assert len(crowd.suggestions) == MAX_ALL_PENDING
    crowd, why = until_refused(suggest(n, f"p{n}", long) for n in range(MAX_ALL_PENDING))
    assert "Too many" in why
    assert sum(map(weight, crowd.suggestions)) <= MAX_ALL_PENDING_BYTES


def test_of_decided_suggestions_the_latest_are_remembered() -> None:
    state = after(suggest(0, "oda"))
    for number in range(1, REMEMBERED + 6):
        state = ask(
            ask(state, suggest(number)).state, Decide(f"s{number}", "mira", "accepted")
        ).state
    decided = [each.id for each in state.suggestions if each.state == "accepted"]
    assert decided == [f"s{number}" for number in range(6, REMEMBERED + 6)]
    assert [each.id for each in state.suggestions if each.state == "pending"] == ["s0"]


def test_the_lease_is_the_version_of_its_event_and_a_commit_may_name_it() -> None:
    assert DRIVEN.lease == Lease(2, "dm", "tablet")
    assert ask(DRIVEN, put("/hp", 1, lease=2)).state.document["hp"] == 1
    assert ask(DRIVEN, put("/hp", 1)).state.document["hp"] == 1, "one that names none is accepted"
    taken = ask(DRIVEN, TakeLease("agent"), Actor("ada", "dm")).state
    assert taken.lease == Lease(3, "ada", "agent")
    assert ask(taken, ReleaseLease(3)).state.lease is None
    assert ask(MADE, TakeLease()).state.lease == Lease(2, "dm", None)


def test_each_part_of_a_narration_is_added_once() -> None:
    begun = ask(MADE, BeginNarration("n1", speaker="The bell")).state
    entry = {"id": "n1", "at": moment(2), "parts": [], "state": "streaming", "speaker": "The bell"}
    assert begun.document["all_narratives"] == [entry]
    first = ask(begun, AddNarration("n1", "Zoë \U0001f409"))
    assert first.event is not None
    assert msgspec.json.decode(first.event.patch) == [
        {"op": "add", "path": "/all_narratives/0/parts/-", "value": "Zoë \U0001f409"}
    ]
    assert first.state.narrations == (Narration("n1", "/all_narratives", 5),)
    assert msgspec.json.decode(first.event.data) == {"id": "n1", "length": 5}
    ended = ask(first.state, EndNarration("n1", " sings.")).state
    assert ended.document["all_narratives"][0]["parts"] == ["Zoë \U0001f409", " sings."]
    assert ended.document["all_narratives"][0]["state"] == "complete"
    assert ended.narrations == ()
    broken = ask(first.state, EndNarration("n1", "", "interrupted"))
    assert kind_of(broken) == "narration.interrupted"
    assert broken.state.document["all_narratives"][0]["state"] == "interrupted"


def test_a_narration_joins_a_list_that_is_there_and_follows_its_entry_about() -> None:
    state = after(BeginNarration("n1", "/log"), put("/log/0", "Before."))
    assert [type(entry) for entry in state.document["log"]] == [str, str, dict]
    state = ask(state, AddNarration("n1", "x")).state
    assert state.document["log"][2]["parts"] == ["x"]
    deep = after(BeginNarration("n1", "/private/mira/notes"), AddNarration("n1", "x"))
    assert deep.document["private"]["mira"]["notes"][0]["parts"] == ["x"]


def test_a_narration_whose_entry_is_gone_ends_all_the_same() -> None:
    gone = ask(TOLD, Commit(patch=[{"op": "remove", "path": "/all_narratives"}])).state
    ended = ask(gone, EndNarration("n1", "tolls."))
    assert ended.event is not None
    assert (ended.event.patch, ended.state.narrations) == ("[]", ())


def test_the_words_in_hand_are_no_part_of_what_a_retry_is_known_by() -> None:
    assert digest(EndNarration("n1", "a")) == digest(EndNarration("n1", "b"))
    others: list[Command] = [
        EndNarration("n1"),
        EndNarration("n2"),
        EndNarration("n1", "", "interrupted"),
        suggest(),
        suggest(player="tobin"),
        suggest(player=None),
        Decide("s1", "mira", "accepted"),
        Decide("s1", "mira", "accepted", None, []),
        Decide("s1", "mira", "accepted", None, put("/hp", 1).patch),
        TakeLease(),
        TakeLease("a"),
        ReleaseLease(1),
    ]
    assert len({digest(command) for command in others}) == len(others)


def any_talk(rng: random.Random, state: CampaignState) -> Command:
    """Return something that may be said at `state`, or not."""
    name, number = rng.choice(("mira", "tobin", None)), rng.randrange(12)
    narration = rng.choice([each.id for each in state.narrations] or ["n0"])
    lease = 0 if state.lease is None else state.lease.version
    patch = rng.choice((UNSET, put("/hp", number).patch))
    return rng.choice(
        (
            Suggest(f"s{number}", name, "Zoë \U0001f409", rng.choice((None, "a")), {"n": number}),
            Decide(f"s{number}", name, "accepted", rng.choice((None, "Yes.")), patch),
            Decide(f"s{number}", name, rng.choice(("dismissed", "answered")), "No."),
            TakeLease(rng.choice((None, "tablet"))),
            ReleaseLease(lease),
            BeginNarration(f"n{number}", rng.choice(("/all_narratives", "/log")), name),
            AddNarration(narration, rng.choice(("", "word ", "\U0001f409"))),
            EndNarration(narration, "end", rng.choice(("complete", "interrupted"))),
            put("/all_narratives", []),
            put("/hp", number, lease=rng.choice((None, lease))),
        )
    )


@pytest.mark.parametrize("share", range(20))
def test_folding_the_log_gives_what_was_decided_and_so_does_a_snapshot(share: int) -> None:
    asked = os.environ.get("QUESTLOG_TEST_SEED")
    seed = f"{asked or random.SystemRandom().getrandbits(48)} {share}"
    rng = random.Random(seed)
    state, steps = after(), []
    begun = state
    for _ in range(200):
        try:
            decision = ask(state, any_talk(rng, state), rng.choice((DM, MIRA)))
        except Rejection:
            continue
        event = decision.event
        assert event is not None
        fact = decode_fact(event.kind, event.data)
        assert fact == event.fact, f"seed {seed}"
        operations = msgspec.json.decode(event.patch)
        steps.append(Step(event.based_on + 1, event.at, operations, fact))
        state = decision.state
    assert len(steps) > 60, f"seed {seed}"
    assert fold(begun, steps) == state, f"seed {seed}"
    half = fold(begun, steps[:30])
    kept = msgspec.json.decode(msgspec.json.encode(half), type=CampaignState)
    assert kept == half, f"seed {seed}"
    assert fold(kept, steps[30:]) == state, f"seed {seed}"
