"""Views of versions in a row: what stayed is the same object in both, and nothing is kept too long.

That they are the right views is found out at random, in `tests/campaign/test_random_views.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from questlog.campaign.visibility import Projector, Rule, Rules, Viewer
from questlog.document import apply, diff
from questlog.sync import feed as feeds
from questlog.sync.entries import Sights
from tests.sync.world import Campaign, opening, rule_sets

MIRA, BOB = Viewer("player", "mira"), Viewer("player", "bob")
HIDING = Rule("/*/log/*", ("dm",), {"hidden": True})


def log_of(*entries: Any) -> dict[str, Any]:
    """Return a document with a log, and something beside it."""
    return {"a": {"log": list(entries)}, "b": {"log": [{"n": 7}, {"hidden": True}]}, "n": 1}


def after(document: dict[str, Any], path: str, value: Any, op: str = "replace") -> dict[str, Any]:
    """Return the document after one operation."""
    changed: dict[str, Any] = apply(document, [{"op": op, "path": path, "value": value}])
    return changed


def test_what_stayed_is_the_same_object_in_the_next_view() -> None:
    projector, sights = Projector(Rules(rules=(HIDING,))), Sights()
    old = log_of({"n": 1}, {"n": 2, "hidden": True}, {"n": 3})
    first = sights.view(projector, old, MIRA, "player")
    hidden = after(old, "/a/log/1/n", 9)
    assert sights.view(projector, hidden, MIRA, "player")["a"] is first["a"]
    longer = sights.view(projector, after(hidden, "/a/log/0", {"n": 0}, "add"), MIRA, "player")
    assert longer["a"]["log"] == [{"n": 0}, {"n": 1}, {"n": 3}]
    assert longer["b"] is first["b"]
    assert longer["a"]["log"][1] is old["a"]["log"][0]


@pytest.mark.parametrize("rule", [HIDING, Rule("/*/log/0", ("dm",)), Rule("/*/log/*/x", ())])
def test_a_part_that_stayed_is_looked_at_anew_where_it_inherits_something_else(rule: Rule) -> None:
    opening_again = Rule("/a", ("all",), {"open": True})
    document = {"a": {"open": True, "log": [{"n": 1, "x": 1}, {"hidden": True}]}}
    for rules in ((rule, opening_again), (rule, Rule("/a/log/1", ("all",)), opening_again)):
        projector, sights = Projector(Rules(default="hidden", rules=rules)), Sights()
        for value in (True, 1, True):
            shown = after(document, "/a/open", value)
            expected = projector.project(shown, MIRA)
            assert sights.view(projector, shown, MIRA, "player") == expected


def test_what_was_seen_under_other_rules_is_not_remembered() -> None:
    document, sights = log_of({"hidden": True}), Sights()
    shut = Projector(Rules(rules=(HIDING,)))
    assert sights.view(shut, document, MIRA, "player")["a"] == {"log": []}
    assert sights.view(Projector(Rules(rules=())), document, MIRA, "player") is document


def test_a_view_that_is_not_asked_for_in_a_whole_turn_is_forgotten() -> None:
    projector, document, sights = Projector(None), {"dm": 1, "n": 1}, Sights()
    first = sights.view(projector, document, MIRA, "player")
    sights.turn()
    assert sights.view(projector, document, MIRA, "player") is first
    sights.turn()
    sights.turn()
    again = sights.view(projector, document, MIRA, "player")
    assert again == first
    assert again is not first


def test_the_views_a_feed_holds_share_what_stayed() -> None:
    campaign = Campaign("c", {**opening(), "foes": [{"id": 1, "hidden": True}, {"id": 2}]})
    campaign.rules(rule_sets()[1])
    seen = campaign.feed.head.view(MIRA)
    assert seen["foes"] == [{"id": 2}]
    before = campaign.commit([{"op": "add", "path": "/private/bob", "value": "psst"}])
    campaign.feed.update(MIRA, before)
    assert campaign.feed.head.view(MIRA)["foes"] is seen["foes"]
    read = campaign.recall(campaign.state.version)
    assert read is not None
    assert read.view(MIRA)["foes"] is not seen["foes"]


def test_one_version_costs_one_diff_of_each_view(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = Campaign("c", {**opening(), "private": {"mira": 1}})
    compared: list[Any] = []

    def counting(old: Any, new: Any) -> list[dict[str, Any]]:
        compared.append(new)
        return diff(old, new)

    monkeypatch.setattr(feeds, "diff", counting)
    before = campaign.commit([{"op": "replace", "path": "/scene", "value": 2}])
    for viewer in (MIRA, BOB, Viewer("player"), MIRA):
        campaign.feed.update(viewer, before)
        campaign.feed.catch_up(viewer, before, "delta", "lagged")
    assert compared == [campaign.feed.head.view(MIRA), campaign.feed.head.view(BOB)]
