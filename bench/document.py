"""Documents: `diff` and `apply` against jsonpatch, on recorded campaigns.

And `canonical`, which has no counterpart there, against `json.dumps` with sorted keys.

Every tenth pair of consecutive steps, since `make_patch` takes a tenth of a second on the larger
ones. Each pair is decoded for itself. Ours goes first and so meets the caches cold. Times are the
medians of three rounds over all pairs.
"""

from __future__ import annotations

import gzip
import json
import lzma
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonpatch
from msgspec import Struct

from questlog.document import Limits, apply, decode, diff, encode, equal
from questlog.document.canonical import canonical

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data"
EVERY = 10
ROUNDS = 3
LARGE = 100_000

COLUMNS = (
    "diff, decoded afresh",
    "make_patch, decoded afresh",
    "diff, sharing structure",
    "make_patch, sharing structure",
    "apply, over 100 kB",
    "jsonpatch apply, over 100 kB",
    "canonical",
    "json.dumps, sorted keys",
)


class Pair(Struct, frozen=True):
    """Two consecutive steps of a recording, as their lines."""

    old: bytes
    new: bytes


class Result(Struct):
    """What one recording took: seconds by column and round, and bytes of all patches."""

    pairs: int
    times: dict[str, list[float]]
    ours: int = 0
    theirs: int = 0

    def median(self, column: str) -> float:
        return statistics.median(self.times[column])


def sample(path: Path) -> Iterator[Pair]:
    """Yield every tenth pair of consecutive steps."""
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else lzma.open
    with opener(path, "rb") as lines:
        next(lines)
        before = next(lines)
        for number, line in enumerate(lines):
            if number % EVERY == 0:
                yield Pair(before, line)
            before = line


def clock(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Return the seconds a call takes, and what it returns."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def measure_pair(pair: Pair, took: dict[str, float]) -> tuple[int, int]:
    """Add what each way takes on a pair; return the bytes of our patch and of theirs."""
    limits = Limits(max_bytes=2**30)
    old, new = (decode(line, limits)["state"] for line in (pair.old, pair.new))
    seconds: dict[str, float] = {}
    seconds[COLUMNS[0]], ours = clock(diff, old, new)
    seconds[COLUMNS[1]], theirs = clock(jsonpatch.make_patch, old, new)
    applying, shared = clock(apply, old, ours)
    seconds[COLUMNS[2]], again = clock(diff, old, shared)
    seconds[COLUMNS[3]], _ = clock(jsonpatch.make_patch, old, shared)
    if len(pair.old) > LARGE:
        seconds[COLUMNS[4]] = applying
        seconds[COLUMNS[5]], _ = clock(jsonpatch.apply_patch, old, ours)
    seconds[COLUMNS[6]], _ = clock(canonical, new)
    seconds[COLUMNS[7]], _ = clock(lambda: json.dumps(new, sort_keys=True))
    if not equal(shared, new) or not equal(apply(old, again), new):
        raise AssertionError("a patch does not lead to the next step")
    for column, value in seconds.items():
        took[column] += value
    return len(encode(ours)), len(encode(theirs.patch))


def measure(path: Path) -> Result:
    """Run all rounds over one recording."""
    pairs = list(sample(path))
    result = Result(len(pairs), {column: [] for column in COLUMNS})
    for _ in range(ROUNDS):
        took = dict.fromkeys(COLUMNS, 0.0)
        sizes = [measure_pair(pair, took) for pair in pairs]
        for column in COLUMNS:
            result.times[column].append(took[column])
        result.ours, result.theirs = (sum(side) for side in zip(*sizes, strict=True))
    return result


def row(name: str, results: list[Result]) -> str:
    """Return one line of the table: milliseconds ours / theirs, and how many times that is."""
    cells = [name, str(sum(result.pairs for result in results))]
    for ours, theirs in zip(COLUMNS[::2], COLUMNS[1::2], strict=True):
        mine, yours = (sum(result.median(side) for result in results) for side in (ours, theirs))
        times = f"{yours / mine:.1f}x" if mine else "-"
        cells.append(f"{mine * 1e3:.2f} / {yours * 1e3:.0f} ms = {times}" if mine else "-")
    mine, yours = sum(result.ours for result in results), sum(result.theirs for result in results)
    cells.append(f"{mine:,} / {yours:,} = {mine / yours:.2f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table; say so where there are no recordings."""
    paths = sorted(RECORDINGS.glob("*.jsonl.*"))
    if not paths:
        print("documents: skipped, no recordings in ../shared/data")
        return
    print(f"documents: every {EVERY}th step, medians of {ROUNDS} rounds, questlog / jsonpatch")
    print(
        "| recording | pairs | diff afresh | diff sharing | apply over 100 kB "
        "| canonical / json.dumps | patch bytes |"
    )
    print("|---|---|---|---|---|---|---|")
    results = []
    for path in paths:
        results.append(measure(path))
        print(row(path.name.split(".")[0], results[-1:]), flush=True)
    print(row("total", results))


if __name__ == "__main__":
    main()
