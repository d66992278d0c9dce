"""The demo campaign keeps to the recording format, and its secret stays with the DM."""

from __future__ import annotations

import json
import re
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tools.demo import recording_path

Json = dict[str, Any]

RESERVED = ("campaign.", "visibility.", "suggestion.", "lease.", "narration.")
KIND = re.compile(r"[a-z]+(\.[a-z]+)*")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def lines() -> list[Json]:
    text = recording_path().read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def steps(lines: list[Json]) -> list[Json]:
    return lines[1:]


@pytest.fixture(scope="module")
def states(lines: list[Json]) -> list[Json]:
    return [lines[0]["initial_state"], *(line["state"] for line in lines[1:])]


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def without_dm(state: Json) -> str:
    return canonical({key: value for key, value in state.items() if key != "dm"}).casefold()


def is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def member_faults(state: Json) -> list[str]:
    """Name the members whose type is not the one the pages expect."""
    turn_info = state["turn_info"]
    expected = {
        "narrative": isinstance(state["narrative"], str),
        "all_narratives": isinstance(state["all_narratives"], list)
        and 1 <= len(state["all_narratives"]) <= 6
        and all(
            set(entry) == {"id", "speaker", "text", "at"} and is_texts(list(entry.values()))
            for entry in state["all_narratives"]
        ),
        "turn": type(state["turn"]) is int,
        "turn_info": set(turn_info) == {"round", "current", "order"}
        and is_texts(turn_info["order"]),
        "status": isinstance(state["status"], str),
        "initiative": isinstance(state["initiative"], list),
        "combat_status": isinstance(state["combat_status"], str | None),
        "environmental_conditions": is_texts(state["environmental_conditions"]),
        "immediate_threats": is_texts(state["immediate_threats"]),
        "story_progression": isinstance(state["story_progression"], list),
        "dm": isinstance(state["dm"], dict) and is_texts(state["dm"]["notes"]),
        "private": set(state["private"]) == set(state["characters"]),
        "characters": len(state["characters"]) == 4
        and all(
            isinstance(hero["name"], str)
            and type(hero["ac"]) is int
            and is_texts(hero["conditions"])
            and all(item["count"] >= 1 for item in hero["inventory"])
            for hero in state["characters"].values()
        ),
    }
    return [member for member, right in expected.items() if not right]


def test_the_recording_is_compact_utf8_of_a_modest_size() -> None:
    data = recording_path().read_bytes()
    assert 0 < len(data) < 1_500_000
    assert data.endswith(b"\n")
    for line in data.decode("utf-8").splitlines():
        compact = json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":"))
        assert line == compact


def test_the_first_line_says_what_the_recording_is(lines: list[Json]) -> None:
    header = lines[0]
    assert set(header) == {"campaign_id", "source", "licence", "initial_state"}
    assert re.fullmatch(r"[a-z0-9-]{1,64}", header["campaign_id"])
    assert header["licence"] == "MIT"


def test_there_are_at_least_150_steps_in_the_format_of_a_recording(steps: list[Json]) -> None:
    assert len(steps) >= 150
    for number, step in enumerate(steps, 1):
        assert set(step) == {"ts", "actor", "kind", "state"}, number
        assert step["actor"] in {"dm", *step["state"]["characters"]}, number


def test_every_kind_is_one_that_a_client_may_commit(steps: list[Json]) -> None:
    for kind in {step["kind"] for step in steps}:
        assert KIND.fullmatch(kind), kind
        assert not f"{kind}.".startswith(RESERVED), kind


def test_time_only_goes_forward(steps: list[Json]) -> None:
    stamps = [step["ts"] for step in steps]
    assert [stamp for stamp in stamps if not TIMESTAMP.fullmatch(stamp)] == []
    times = [datetime.fromisoformat(stamp) for stamp in stamps]
    assert all(earlier < later for earlier, later in pairwise(times))


def test_every_step_changes_the_document(states: list[Json]) -> None:
    encoded = [canonical(state) for state in states]
    unchanged = [n for n, (old, new) in enumerate(pairwise(encoded), 1) if old == new]
    assert unchanged == []


def test_the_members_have_the_types_that_the_pages_expect(states: list[Json]) -> None:
    faults = {n: found for n, state in enumerate(states) if (found := member_faults(state))}
    assert faults == {}


def test_the_turn_never_goes_back(states: list[Json]) -> None:
    turns = [state["turn"] for state in states]
    assert all(earlier <= later for earlier, later in pairwise(turns))
    assert turns[-1] > turns[0]


def test_hit_points_stay_between_none_and_all(states: list[Json]) -> None:
    for number, state in enumerate(states):
        bodies = [*state["characters"].values(), *state["dm"]["foes"].values()]
        for body in bodies:
            hp = body["hp"]
            assert 0 <= hp["current"] <= hp["max"], (number, body["name"])
            assert hp.get("temp", 0) >= 0, (number, body["name"])


def test_a_hero_is_down_exactly_when_without_hit_points(states: list[Json]) -> None:
    fallen = 0
    for number, state in enumerate(states):
        for hero in state["characters"].values():
            conditions = hero["conditions"]
            assert len(conditions) == len(set(conditions)), (number, hero["name"])
            down = hero["hp"]["current"] == 0
            assert down == ("down" in conditions), (number, hero["name"])
            fallen += down
    assert fallen > 0


def test_turn_order_is_by_initiative_and_stands_only_in_combat(states: list[Json]) -> None:
    for number, state in enumerate(states):
        info, initiative = state["turn_info"], state["initiative"]
        if state["status"] != "combat":
            assert info == {"round": None, "current": None, "order": []}, number
            assert (initiative, state["combat_status"]) == ([], None), number
            continue
        scores = [entry["score"] for entry in initiative]
        assert scores == sorted(scores, reverse=True), number
        ids = [entry["id"] for entry in initiative]
        assert info["order"] == [i for i in ids if i in info["order"]], number
        assert info["current"] in info["order"], number
        assert info["round"] >= 1, number


def test_the_evening_has_two_fights_and_several_scenes(steps: list[Json]) -> None:
    kinds = [step["kind"] for step in steps]
    assert kinds.count("combat.started") == kinds.count("combat.ended") == 2
    assert len({step["state"]["scene"]["id"] for step in steps}) >= 3
    assert steps[-1]["state"]["status"] == "ended"


def test_the_hidden_enemy_is_named_to_nobody_but_the_dm_until_revealed(
    lines: list[Json], steps: list[Json]
) -> None:
    initial = lines[0]["initial_state"]
    (hidden,) = initial["dm"]["hidden"]
    words = [hidden["id"].casefold(), *hidden["name"].casefold().split()]
    (reveal,) = [n for n, step in enumerate(steps) if step["kind"] == "foe.revealed"]
    for number, state in enumerate([initial, *(step["state"] for step in steps[:reveal])]):
        assert [entry["id"] for entry in state["dm"]["hidden"]] == [hidden["id"]], number
        assert [word for word in words if word in without_dm(state)] == [], number
    revealed = steps[reveal]["state"]
    assert revealed["dm"]["hidden"] == []
    assert hidden["name"] in [entry["name"] for entry in revealed["initiative"]]


def test_private_notes_change_in_the_course_of_play(states: list[Json]) -> None:
    for player in states[0]["private"]:
        assert states[0]["private"][player] != states[-1]["private"][player], player
    assert states[0]["dm"]["notes"] != states[-1]["dm"]["notes"]
