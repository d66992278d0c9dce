"""The recordings the benchmarks use: those beside the checkout where they are, else the demo's."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.demo import recording_path


def recordings() -> list[Path]:
    """Return the recorded campaigns of `../shared/data`; only the demo's where there are none."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    found = sorted(folder.glob("*.jsonl.[gx]z"))
    if not found:
        print("(no ../shared/data here: the demo campaign stands in for the recordings)")
    return [*found, recording_path()]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a recording: its header, then its steps."""
    openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def steps(path: Path, limit: int | None = None) -> tuple[dict[str, Any], list[Any]]:
    """Return the header of a recording and the document after each of its first steps."""
    source = lines(path)
    header = next(source)
    states = []
    for line in source:
        states.append(line["state"])
        if limit is not None and len(states) >= limit:
            break
    return header, states
