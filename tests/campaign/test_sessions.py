"""Sessions: where they begin and end, whatever order the log has that in."""

from __future__ import annotations

import pytest

from questlog.campaign.events import (
    CampaignActivated,
    CampaignDeactivated,
    CampaignForked,
    Origin,
)
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.sessions import Tally, Turn, counts_of, session_at, sessions_of

FORKED = CampaignForked(Origin("a", 4, "f" * 64))


def at(minute: int) -> str:
    """Return the time of a minute."""
    return f"2026-01-02T20:{minute:02d}:00.000Z"


def turns(
    *facts: tuple[int, CampaignActivated | CampaignDeactivated | CampaignForked],
) -> list[Turn]:
    """Return turns, each made in the minute of its version."""
    return [Turn(version, at(version), fact) for version, fact in facts]


MAIN, CELLAR = CampaignActivated("main", None), CampaignActivated("cellar", "The crypt")
OVER = CampaignDeactivated("main")


def spans(found: list[Turn]) -> list[tuple[int, int, int | None, float]]:
    """Return number, first and last version and length of each session."""
    return [
        (each.number, each.from_version, each.to_version, each.seconds)
        for each in sessions_of(found, at(30))
    ]


def test_a_deactivation_is_in_the_session_it_ends() -> None:
    assert spans(turns((2, MAIN), (5, OVER))) == [(1, 2, 5, 180.0)]


def test_another_table_ends_the_session_before_its_own_begins() -> None:
    assert spans(turns((2, MAIN), (5, CELLAR), (9, OVER))) == [(1, 2, 4, 180.0), (2, 5, 9, 240.0)]


def test_one_that_is_on_lasts_until_the_latest_event() -> None:
    (session,) = sessions_of(turns((2, MAIN)), at(30))
    assert (session.to_version, session.ended_at, session.seconds) == (None, None, 1680.0)
    assert session.holds(2)
    assert session.holds(10**9)
    assert not session.holds(1)


def test_a_fork_goes_on_at_no_table() -> None:
    assert spans(turns((2, MAIN), (5, FORKED))) == [(1, 2, 4, 180.0)]
    assert spans(turns((2, FORKED), (3, MAIN), (4, OVER))) == [(1, 3, 4, 60.0)]


def test_what_ends_nothing_is_nothing() -> None:
    assert spans(turns((2, OVER), (3, FORKED))) == []
    assert sessions_of([], "") == []


@pytest.mark.parametrize(("version", "began"), [(1, 0), (2, 2), (5, 2), (6, 0), (8, 8), (99, 8)])
def test_the_session_a_version_is_in_is_found(version: int, began: int) -> None:
    assert session_at(turns((2, MAIN), (5, OVER), (8, CELLAR)), version) == began


@pytest.mark.parametrize("when", ["", "soon", "2026-01-02T20:00:00"])
def test_a_time_that_is_none_is_damage(when: str) -> None:
    damaged = [Turn(2, when, MAIN), Turn(3, at(3), OVER)]
    with pytest.raises(DamagedLogError, match="version 2"):
        sessions_of(damaged, at(4))


def test_counts_are_the_sum_of_their_tallies() -> None:
    tallies = [
        Tally("hit", "dm", "dm", 3),
        Tally("hit", "mira", "player", 1),
        Tally("narration.begun", "dm", "dm", 2),
        Tally("hit", "dm", "player", 1),
    ]
    counts = counts_of(tallies)
    assert (counts.events, counts.narrations) == (7, 2)
    assert list(counts.kinds.items()) == [("hit", 5), ("narration.begun", 2)]
    assert [(each.member, each.role, each.events) for each in counts.actors] == [
        ("dm", "dm", 5),
        ("dm", "player", 1),
        ("mira", "player", 1),
    ]
    assert counts_of([]).events == 0
