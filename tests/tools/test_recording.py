"""Recordings are read as streams, and what is wrong with one is named by its line."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from questlog.campaign.ids import check_kind
from tools.demo import recording_path
from tools.recording import Recording, RecordingError, committable_kind, count_steps

HEADER = b'{"campaign_id":"c","initial_state":{"n":0}}\n'
STEPS = b'{"state":{"n":1},"kind":"a","ts":null,"actor":null}\n\n{"state":{"n":2}}\n'


@pytest.mark.parametrize(
    ("name", "pack"),
    [("r.jsonl", bytes), ("r.jsonl.gz", gzip.compress), ("r.jsonl.xz", lzma.compress)],
)
def test_a_recording_reads_the_same_however_it_is_packed(
    name: str, pack: type[bytes], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(HEADER + STEPS))
    with Recording(path) as recording:
        assert recording.header.initial_state == {"n": 0}
        assert [step.state["n"] for step in recording] == [1, 2]
    assert count_steps(path) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1 is no header"),
        (STEPS, "line 1 is no header"),
        (HEADER + STEPS + b'{"state":[]}\n', "line 5 is no step"),
        (HEADER + b"{]\n", "line 2 is no step"),
        (HEADER + b'{"state":{"n":NaN}}\n', "line 2 is no step"),
    ],
)
def test_a_bad_line_is_named(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=sentence), Recording(path) as recording:
        list(recording)


def test_a_file_cut_short_or_missing_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(HEADER + STEPS * 1000)[:-20])
    with pytest.raises(RecordingError, match="after line"), Recording(path) as recording:
        list(recording)
    with pytest.raises(RecordingError, match="No such file"):
        Recording(tmp_path / "missing.jsonl")


@pytest.mark.parametrize(
    ("kind", "fit"),
    [
        (None, "state.updated"),
        ("", "state.updated"),
        ("?!", "state.updated"),
        ("Combat Start", "combat_start"),
        ("episode_start", "episode_start"),
        ("combats.create", "combats.create"),
        ("campaign.created", "recorded.campaign.created"),
        ("narration", "recorded.narration"),
        ("1st strike", "recorded.1st_strike"),
        ("..a..B-", "a.b"),
        ("é" * 3 + "x" * 99, "x" * 64),
    ],
)
def test_a_kind_is_made_fit_to_commit(kind: str | None, fit: str) -> None:
    assert committable_kind(kind) == fit
    assert check_kind(fit) == fit


def test_the_demo_is_a_recording() -> None:
    assert count_steps(recording_path()) >= 150
