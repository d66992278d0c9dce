"""The state machine of a replay: when the next version is due, and what controls come to."""

from __future__ import annotations

from typing import Any

import pytest

from questlog.campaign.errors import Rejection
from questlog.sync.replay import (
    Pause,
    Replay,
    Resume,
    Seek,
    SetSpeed,
    Step,
    read_control,
)


def begun(**more: Any) -> Replay:
    """Return a replay of versions 3 to 9 that has just shown the first, at time 100."""
    replay = Replay(3, 9, **more)
    replay.shown(3, 100.0)
    return replay


def test_the_next_version_is_due_after_the_recorded_time() -> None:
    replay = begun()
    assert replay.wait(4.0, 100.0) == 4.0
    assert replay.wait(4.0, 103.0) == 1.0
    assert replay.wait(4.0, 104.0) == 0.0
    assert replay.wait(4.0, 200.0) == 0.0


def test_a_factor_makes_time_go_faster_or_slower() -> None:
    assert begun(speed=4).wait(8.0, 100.0) == 2.0
    assert begun(speed=0.5).wait(3.0, 102.0) == 4.0


def test_at_full_speed_nothing_is_waited_for() -> None:
    assert begun(speed="max").wait(1e9, 100.0) == 0.0


def test_a_night_is_as_long_as_the_longest_gap() -> None:
    replay = begun(gap=10.0, speed=2)
    assert replay.wait(86_400.0, 100.0) == 5.0
    assert begun(gap=0.0).wait(86_400.0, 100.0) == 0.0


def test_time_that_ran_back_is_none() -> None:
    assert begun().wait(-5.0, 100.0) == 0.0


def test_a_pause_stops_the_time() -> None:
    replay = begun()
    assert replay.control(Pause(), 103.0) is None
    assert replay.wait(4.0, 110.0) is None
    assert replay.control(Resume(), 150.0) is None
    assert replay.wait(4.0, 150.5) == 0.5


def test_another_speed_counts_from_then_on() -> None:
    replay = begun(gap=60.0)
    replay.control(SetSpeed(10.0), 102.0)
    assert replay.wait(12.0, 102.0) == 1.0
    replay.control(SetSpeed("max"), 102.0)
    assert replay.wait(12.0, 102.0) == 0.0
    replay.control(SetSpeed(1.0), 300.0)
    assert replay.wait(12.0, 300.0) == 10.0


@pytest.mark.parametrize(("by", "to"), [(1, 4), (-1, 3), (5, 8), (99, 9), (-(10**30), 3)])
def test_a_step_pauses_and_stays_within(by: int, to: int) -> None:
    replay = begun()
    assert replay.control(Step(by), 101.0) == to
    assert replay.paused


def test_a_seek_goes_on_as_before() -> None:
    replay = begun()
    assert replay.control(Seek(7), 101.0) == 7
    assert not replay.paused
    replay.shown(7, 101.0)
    assert replay.wait(4.0, 101.0) == 4.0
    assert replay.control(Seek(0), 102.0) == 3


def test_at_the_end_nothing_is_due_until_somebody_goes_back() -> None:
    replay = begun()
    replay.shown(9, 100.0)
    assert replay.ended
    assert replay.wait(0.0, 200.0) is None
    told = replay.told("c", "2026-01-02T19:30:00.000Z")
    assert (told.version, told.first, told.last, told.ended) == (9, 3, 9, True)
    assert replay.control(Seek(5), 200.0) == 5
    replay.shown(5, 200.0)
    assert replay.wait(1.0, 200.5) == 0.5


@pytest.mark.parametrize(
    ("frame", "control"),
    [
        ('{"type":"pause"}', Pause()),
        ('{"type":"resume"}', Resume()),
        ('{"type":"step"}', Step(1)),
        ('{"type":"step","by":-1}', Step(-1)),
        ('{"type":"speed","speed":4}', SetSpeed(4.0)),
        ('{"type":"speed","speed":"max"}', SetSpeed("max")),
        ('{"type":"seek","to":7}', Seek(7)),
        ('{"type":"seek","to":"2026-11-23T21:14"}', Seek("2026-11-23T21:14")),
    ],
)
def test_controls_are_read(frame: str, control: object) -> None:
    assert read_control(frame) == control


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("[]", "invalid"),
        ('{"type":"rewind"}', "invalid"),
        ('{"type":"pause","now":1}', "invalid"),
        ('{"type":"speed","speed":0}', "invalid"),
        ('{"type":"speed","speed":-1}', "invalid"),
        ('{"type":"speed","speed":1e300}', "invalid"),
        ('{"type":"speed","speed":"fast"}', "invalid"),
        ('{"type":"step","by":1.5}', "invalid"),
        ('{"type":"seek"}', "invalid"),
        ('{"type":"seek","to":null}', "invalid"),
        ('{"type":"seek","to":"%s"}' % ("x" * 5000), "too_large"),
    ],
)
def test_what_is_no_control_says_why(frame: str, code: str) -> None:
    with pytest.raises(Rejection) as refused:
        read_control(frame)
    assert refused.value.code == code
