"""A short rough evening: bad wifi, changing ways, and everybody right at the end."""

from __future__ import annotations

import secrets
from pathlib import Path

from bench.rough import evening


async def test_on_bad_wifi_and_changing_ways_all_converge_and_see_nothing_twice(
    tmp_path: Path,
) -> None:
    seed = secrets.token_hex(4)
    print(f"seed {seed}")
    report = await evening(6.0, seed, tmp_path)
    assert report.wrong == []
    assert report.cut > 5
    assert set(report.seen) == {"socket", "stream", "poll"}, "every way brought updates"
