"""Visibility: each sentence of its rules, and the compiled ones against a plain reading."""

from __future__ import annotations

import random
from typing import Any

import pytest

from questlog.campaign.errors import Invalid
from questlog.campaign.visibility import (
    MAX_RULES,
    Projector,
    Rule,
    Rules,
    Viewer,
    check_rules,
    default_rules,
    view_key,
)
from questlog.document import apply, diff, encode, equal
from tests.campaign import seeing

DM = Viewer("dm")
MIRA = Viewer("player", "mira")
TOM = Viewer("player", "tom")
NOBODY = Viewer("player")
SPECTATOR = Viewer("spectator")


def view(document: dict[str, Any], viewer: Viewer, *rules: Rule, default: Any = "visible") -> Any:
    """Return the document as `viewer` sees it under these rules."""
    return Projector(Rules(default=default, rules=rules)).project(document, viewer)


def test_with_none_given_dm_is_for_the_dm_and_private_for_that_player() -> None:
    document = {"dm": {"plot": 1}, "private": {"mira": 1, "tom": 2}, "hp": 3}
    projector = Projector(None)
    assert projector.by_default
    assert projector.project(document, DM) is document
    assert projector.project(document, MIRA) == {"private": {"mira": 1}, "hp": 3}
    assert projector.project(document, TOM) == {"private": {"tom": 2}, "hp": 3}
    assert projector.project(document, NOBODY) == {"private": {}, "hp": 3}
    assert projector.project(document, SPECTATOR) == {"private": {}, "hp": 3}


def test_rules_given_replace_the_default_ones() -> None:
    assert view({"dm": 1}, MIRA) == {"dm": 1}


def test_a_dm_sees_everything() -> None:
    document = {"a": 1}
    assert view(document, DM, Rule("/a", ()), default="hidden") is document


def test_a_star_matches_one_segment() -> None:
    document = {"a": {"x": {"s": 1, "t": 2}, "y": {"s": 3}}, "s": 4}
    assert view(document, MIRA, Rule("/a/*/s", ("dm",))) == {"a": {"x": {"t": 2}, "y": {}}, "s": 4}


def test_player_matches_one_segment_and_captures_it() -> None:
    document = {"notes": {"mira": {"x": 1}, "tom": {"x": 2}}}
    rule = Rule("/notes/{player}/x", ("{player}",))
    assert view(document, MIRA, rule) == {"notes": {"mira": {"x": 1}, "tom": {}}}
    assert view(document, SPECTATOR, rule) == {"notes": {"mira": {}, "tom": {}}}
    assert view(document, NOBODY, rule) == {"notes": {"mira": {}, "tom": {}}}


@pytest.mark.parametrize(
    ("to", "seeing_it"),
    [
        (("dm",), []),
        (("players",), [MIRA, TOM, NOBODY]),
        (("spectators",), [SPECTATOR]),
        (("all",), [MIRA, TOM, NOBODY, SPECTATOR]),
        (("player:mira",), [MIRA]),
        (("player:mira", "spectators"), [MIRA, SPECTATOR]),
        ((), []),
    ],
)
def test_to_lists_who_sees(to: tuple[str, ...], seeing_it: list[Viewer]) -> None:
    for viewer in (MIRA, TOM, NOBODY, SPECTATOR):
        assert view({"a": 1}, viewer, Rule("/a", to)) == ({"a": 1} if viewer in seeing_it else {})


def test_a_rule_covers_its_subtree() -> None:
    assert view({"a": {"b": {"c": 1}}, "d": 2}, MIRA, Rule("/a", ("dm",))) == {"d": 2}
    shown = view({"a": {"b": {"c": 1}}, "d": 2}, MIRA, Rule("/a", ("all",)), default="hidden")
    assert shown == {"a": {"b": {"c": 1}}}


def test_the_longest_matching_path_decides() -> None:
    rules = (Rule("/a", ("dm",)), Rule("/a/b", ("all",)), Rule("/a/b/c", ("dm",)))
    assert view({"a": {"b": {"c": 1, "d": 2}, "e": 3}}, MIRA, *rules) == {"a": {"b": {"d": 2}}}


@pytest.mark.parametrize("paths", [("/a/b", "/a/*"), ("/a/*", "/a/b"), ("/a/{player}", "/a/b")])
def test_of_equally_long_ones_the_one_that_denies_decides(paths: tuple[str, str]) -> None:
    rules = (Rule(paths[0], ("all",)), Rule(paths[1], ("dm",)))
    assert view({"a": {"b": 1}}, MIRA, *rules) == {"a": {}}
    assert view({"a": {"b": 1}}, MIRA, *rules[::-1]) == {"a": {}}


def test_what_a_when_rule_hides_is_not_reopened_from_below() -> None:
    rules = (
        Rule("/initiative/*", ("dm",), {"hidden": True}),
        Rule("/initiative/*/name", ("all",)),
    )
    document = {"initiative": [{"name": "ogre", "hidden": True}, {"name": "mira", "hidden": False}]}
    shown = {"initiative": [{"name": "mira", "hidden": False}]}
    assert view(document, MIRA, *rules) == shown
    plain = (Rule("/initiative/*", ("dm",)), rules[1])
    assert view(document, MIRA, *plain) == {"initiative": [{"name": "ogre"}, {"name": "mira"}]}


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ({"hidden": True, "x": 1}, True),
        ({"hidden": True}, False),
        ({"hidden": 1, "x": 1}, False),
        ({"hidden": True, "x": 1.0}, True),
        ({"hidden": True, "x": True}, False),
        ([True, 1], False),
        ("hidden", False),
        (None, False),
    ],
)
def test_when_compares_members_of_the_matched_object(value: Any, holds: bool) -> None:
    shown = view({"a": value}, MIRA, Rule("/a", ("dm",), {"hidden": True, "x": 1}))
    assert shown == ({} if holds else {"a": value})


def test_a_when_rule_can_open_too() -> None:
    rule = Rule("/a/*", ("all",), {"known": True})
    document = {"a": {"x": {"known": True, "n": 1}, "y": {"n": 2}}}
    shown = view(document, MIRA, rule, default="hidden")
    assert shown == {"a": {"x": {"known": True, "n": 1}}}


def test_what_is_hidden_is_absent_and_a_list_closes_up() -> None:
    assert view({"a": [1, 2, 3]}, MIRA, Rule("/a/1", ("dm",))) == {"a": [1, 3]}
    assert view({"a": [1, 2]}, MIRA, Rule("/a/*", ("dm",))) == {"a": []}


def test_an_object_on_the_way_to_something_visible_is_shown_holding_only_that() -> None:
    document = {"a": {"b": {"c": {}, "d": 1}, "e": 2}, "f": [{"b": 1}, {"g": 2}]}
    rules = (Rule("/a/b/c", ("all",)), Rule("/f/*/g", ("all",)))
    assert view(document, MIRA, *rules, default="hidden") == {
        "a": {"b": {"c": {}}},
        "f": [{"g": 2}],
    }


def test_where_nothing_is_visible_the_view_is_an_empty_object() -> None:
    assert view({"a": {"b": 1}}, MIRA, default="hidden") == {}
    assert view({"a": {"b": 1}}, MIRA, Rule("", ("dm",))) == {}
    assert view({"a": 1}, MIRA, Rule("/x", ("all",)), default="hidden") == {}


def test_a_rule_on_the_whole_document_speaks_for_all_of_it() -> None:
    assert view({"a": 1}, MIRA, Rule("", ("players",)), default="hidden") == {"a": 1}
    assert view({"a": 1}, SPECTATOR, Rule("", ("players",)), default="hidden") == {}


def test_a_segment_is_written_as_a_pointer_writes_it() -> None:
    document = {"a/b": {"c~d": 1, "e": 2}}
    assert view(document, MIRA, Rule("/a~1b/c~0d", ("dm",))) == {"a/b": {"e": 2}}


def test_what_no_rule_touches_is_shared_with_the_document() -> None:
    document: dict[str, Any] = {"dm": {"x": 1}, "party": {"mira": {"hp": 1}}, "log": [{}, {}]}
    shown = Projector(None).project(document, MIRA)
    assert shown["party"] is document["party"]
    assert shown["log"] is document["log"]
    untouched = {"party": document["party"]}
    assert Projector(None).project(untouched, MIRA) is untouched
    listed = {"log": document["log"], "a": 1}
    assert view(listed, MIRA, Rule("/log/*", ("dm",), {"hidden": True})) is listed


@pytest.mark.parametrize(
    "rule",
    [
        Rule("a", ("dm",)),
        Rule("/~2", ("dm",)),
        Rule("/{player}/{player}", ("{player}",)),
        Rule("/a", ("{player}",)),
        Rule("/a", ("everyone",)),
        Rule("/a", ("player:",)),
        Rule("/a", ("dm", "")),
    ],
)
def test_rules_that_cannot_mean_what_they_say_are_refused(rule: Rule) -> None:
    with pytest.raises(Invalid, match="rule 1"):
        check_rules(Rules(default="visible", rules=(Rule("/ok", ("all",)), rule)))


def test_there_are_at_most_200_rules() -> None:
    rules = (Rule("/a", ("dm",)),) * MAX_RULES
    check_rules(Rules(default="visible", rules=rules))
    with pytest.raises(Invalid, match="200"):
        check_rules(Rules(default="visible", rules=(*rules, rules[0])))


def test_the_default_rules_are_allowed() -> None:
    check_rules(default_rules())


def test_a_viewer_is_named_by_the_players_id_or_else_the_role() -> None:
    assert [viewer.member for viewer in (DM, MIRA, NOBODY, SPECTATOR)] == [
        *("dm", "mira", "player", "spectator")
    ]


@pytest.mark.parametrize("start", range(0, 2000, 250))
def test_random_rules_mean_what_a_plain_reading_of_them_means(start: int) -> None:
    for seed in range(start, start + 250):
        rng = random.Random(seed)
        rules, document = seeing.any_rules(rng), seeing.any_document(rng)
        check_rules(rules)
        projector = Projector(rules)
        before = encode(document)
        for viewer in seeing.VIEWERS:
            shown = projector.project(document, viewer)
            assert equal(shown, seeing.view(document, rules, viewer)), f"seed {seed}, {viewer}"
        assert encode(document) == before, f"seed {seed}"


@pytest.mark.parametrize("start", range(0, 2000, 250))
def test_a_delta_leads_from_view_to_view_and_holds_nothing_hidden(start: int) -> None:
    for seed in range(start, start + 250):
        rng = random.Random(seed)
        rules = [seeing.any_rules(rng)]
        if rng.random() < 0.3:
            rules.append(seeing.any_rules(rng))
        old = seeing.any_document(rng)
        new = seeing.changed(rng, old)
        first, last = Projector(rules[0]), Projector(rules[-1])
        for viewer in seeing.VIEWERS:
            before, after = first.project(old, viewer), last.project(new, viewer)
            delta = diff(before, after)
            assert equal(apply(before, delta), after), f"seed {seed}, {viewer}"
            allowed = seeing.texts(seeing.view(new, last.rules, viewer))
            sent = encode([after, delta]).decode()
            for text in (seeing.texts(old) | seeing.texts(new)) - allowed:
                assert text not in sent, f"seed {seed}, {viewer}"


@pytest.mark.parametrize("start", range(0, 1000, 250))
def test_viewers_of_one_view_key_see_the_same(start: int) -> None:
    for seed in range(start, start + 250):
        rng = random.Random(seed)
        projector, document = Projector(seeing.any_rules(rng)), seeing.any_document(rng)
        views: dict[str, Any] = {}
        for viewer in seeing.VIEWERS:
            shown = projector.project(document, viewer)
            key = view_key(viewer, projector.distinct_players(document))
            assert equal(views.setdefault(key, shown), shown), f"seed {seed}, {viewer}"


def test_only_players_with_a_view_of_their_own_have_a_key_of_their_own() -> None:
    document = {"private": {"mira": 1}, "notes": [{"tom": 1}]}
    projector = Projector(None)
    assert view_key(MIRA, projector.distinct_players(document)) == "player:mira"
    assert view_key(TOM, projector.distinct_players(document)) == "player"
    assert view_key(NOBODY, projector.distinct_players(document)) == "player"
    assert view_key(DM, projector.distinct_players(document)) == "dm"
    assert view_key(SPECTATOR, projector.distinct_players(document)) == "spectator"
    rules = (Rule("/a", ("player:ann",)), Rule("/notes/*/{player}", ("{player}",)))
    assert Projector(Rules(default="visible", rules=rules)).distinct_players(document) == {
        "ann",
        "tom",
    }
    captured = (Rule("/notes/{player}", ("{player}",)), Rule("/notes/0/{player}", ("{player}",)))
    assert Projector(Rules(default="visible", rules=captured)).distinct_players(document) == {
        "0",
        "tom",
    }
    missing = (Rule("/none/*/{player}", ("{player}",)), Rule("/notes/7/{player}", ("{player}",)))
    assert (
        Projector(Rules(default="visible", rules=missing)).distinct_players(document) == frozenset()
    )
