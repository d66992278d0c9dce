"""The client's end of the company: who is there, what was said, and the text of a narration."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from questlog.sync.company import SPOKEN, Company
from questlog.sync.messages import CampaignActive
from questlog.sync.replica import Heard, Replica
from questlog.sync.talk import (
    LeaseTold,
    Member,
    NarrationTold,
    PlayerJoined,
    PlayerLeft,
    PlayerStatus,
    Presence,
    SignalTold,
    SuggestionTold,
)

NOW = "2026-11-23T21:14:05.123Z"
MIRA = Member("mira", "player", None, 1, 3)
DM = Member(None, "dm", "ready", 2, 3)


def suggestion(state: Any, identifier: str = "s1") -> SuggestionTold:
    return SuggestionTold(identifier, "mira", "I hide.", None, None, state, None, NOW)


def piece(offset: int, text: str, identifier: str = "n1") -> NarrationTold:
    return NarrationTold(identifier, offset, text, NOW)


def entry(*parts: str, state: str = "streaming") -> dict[str, Any]:
    return {"id": "n1", "at": NOW, "parts": list(parts), "state": state}


def test_presence_replaces_what_was_known_and_news_changes_it() -> None:
    company = Company()
    company.hear(Presence([MIRA, DM], NOW))
    assert company.members == {("player", "mira"): MIRA, ("dm", None): DM}
    company.hear(PlayerJoined("tobin", "player", "away", 1, 4, timestamp=NOW))
    assert company.members["player", "tobin"] == Member("tobin", "player", "away", 1, 4)
    company.hear(PlayerStatus("mira", "player", "typing", NOW))
    assert company.members["player", "mira"] == Member("mira", "player", "typing", 1, 3)
    company.hear(PlayerStatus("oda", "player", "typing", NOW))
    company.hear(PlayerLeft("tobin", "player", NOW))
    company.hear(PlayerLeft("oda", "player", NOW))
    assert set(company.members) == {("player", "mira"), ("dm", None)}
    company.hear(Presence([], NOW, {"dm": 1, "player": 120, "spectator": 0}))
    assert (company.members, company.counts["player"]) == ({}, 120)
    company.hear(Presence([DM], NOW))
    assert (list(company.members.values()), company.counts) == ([DM], {})


def test_suggestions_and_the_lease_are_held_as_they_stand() -> None:
    company = Company()
    company.hear(suggestion("pending"))
    company.hear(suggestion("accepted"))
    company.hear(suggestion("pending", "s2"))
    states = {key: each.state for key, each in company.suggestions.items()}
    assert states == {("mira", "s1"): "accepted", ("mira", "s2"): "pending"}
    lease = LeaseTold(4, "dm", "tablet", NOW)
    company.hear(lease)
    assert company.lease == lease
    company.hear(SignalTold("dice", {"d20": 7}, None, NOW))
    company.disconnected()
    assert list(company.suggestions) == [("mira", "s1")], "what waits is told anew"
    assert company.lease is None


@pytest.mark.parametrize(
    ("pieces", "parts", "text"),
    [
        ([], [], ""),
        ([], ["The ", "bell"], "The bell"),
        ([(0, "The "), (4, "bell")], [], "The bell"),
        ([(0, "The "), (4, "bell")], ["The "], "The bell"),
        ([(0, "The "), (4, "bell")], ["The ", "bell tolls"], "The bell tolls"),
        ([(4, "bell")], ["The "], "The bell"),
        ([(4, "bell")], ["The be"], "The bell"),
        # Nothing is made up of what lies between.
        ([(4, "bell")], ["Th"], "Th"),
        ([(0, "The "), (8, " tolls")], ["The "], "The "),
        ([(0, "The "), (8, " tolls")], ["The ", "bell"], "The bell tolls"),
        # Said again, once or in other pieces.
        ([(0, "The "), (4, "bell"), (4, "bell")], [], "The bell"),
        ([(0, "The be"), (4, "bell")], [], "The bell"),
        ([(0, "The bell"), (0, "The bell tolls")], ["The "], "The bell tolls"),
        ([(4, "bell"), (0, "The bell")], [], "The bell"),
        # Places are those of Unicode code points.
        ([(0, "\U0001f409 "), (2, "wakes")], ["\U0001f409"], "\U0001f409 wakes"),
    ],
)
def test_the_text_is_what_the_document_has_and_what_was_heard_since(
    pieces: list[tuple[int, str]], parts: list[str], text: str
) -> None:
    company = Company()
    for offset, said in pieces:
        company.hear(piece(offset, said))
    assert company.text_of(entry(*parts)) == text


@pytest.mark.parametrize("state", ["complete", "interrupted"])
def test_once_a_narration_is_over_only_the_document_counts(state: str) -> None:
    company = Company()
    company.hear(piece(0, "The bell tolls"))
    assert company.text_of(entry("The bell", state=state)) == "The bell"


def test_an_entry_that_is_no_narration_has_its_own_text() -> None:
    company = Company()
    assert company.text_of({"id": "a", "text": "Rain."}) == "Rain."
    assert company.text_of({}) == ""
    assert company.text_of({"parts": ["a", 7, "b"]}) == "ab"


def test_what_was_spoken_is_not_kept_for_ever() -> None:
    company = Company()
    for number in range(SPOKEN * 3):
        company.hear(piece(0, "word", f"n{number}"))
        company.hear(piece(4, "word", "n0"))
    assert len(company.spoken) == SPOKEN
    assert "n0" in company.spoken, "what is being spoken stays"


def active(campaign_id: str = "c", reason: Any = "connected") -> bytes:
    return msgspec.json.encode(CampaignActive(campaign_id, 1, "1.ab", {}, reason, NOW))


def test_a_replica_hears_and_forgets_the_company_of_another_campaign_or_role() -> None:
    replica = Replica()
    replica.receive(active())
    joined = PlayerJoined("mira", "player", None, 1, 1, timestamp=NOW)
    for snapshot, kept in ((active(), True), (active(reason="role"), False), (active("d"), False)):
        assert replica.receive(msgspec.json.encode(joined)) == [Heard(joined)]
        replica.receive(snapshot)
        assert bool(replica.company.members) is kept
    replica.receive(msgspec.json.encode(suggestion("pending")))
    replica.disconnected()
    assert replica.company.suggestions == {}
