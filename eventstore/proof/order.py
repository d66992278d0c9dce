"""Events that do not link: whether they are changed, or stand in one another's places.

The version is hashed with the rest, so an event in another's place holds neither there nor with
what follows; but under the version it had it still holds, behind the event that came before it. So
the events of all runs that do not link are tried at each of their places. Runs may be far apart:
each is kept until it is put in order, or the log ends, or there are too many of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from eventstore.chain import PATCH, VERSION, link
from eventstore.port import Finding, StoredEvent

# What is kept, and so how often something is tried, stays the same however much is damaged.
MOST_EVENTS = 32
MOST_CHARACTERS = 4 * 1024 * 1024

Before = tuple[str, ...]
Placed = dict[int, StoredEvent]


class Entry(Struct, eq=False):
    """What is said of one place in a log; while it is open that may still change."""

    findings: list[Finding]
    open: bool = False


class Run(Struct, eq=False):
    """A run of events that do not link.

    Attributes:
        before: the hashes its first event may follow.
        entry: what is said of it.
        rows: its events.
        lost: it has too many of them to be put in order.
        snapshots: those of its versions that name another hash: version, hash, what is said.
    """

    before: Before
    entry: Entry
    rows: list[StoredEvent] = field(default_factory=list)
    snapshots: list[tuple[int, str, Entry]] = field(default_factory=list)
    lost: bool = False

    def settle(self) -> None:
        """Let what is said of it stand."""
        for entry in (self.entry, *(each for _, _, each in self.snapshots)):
            entry.open = False


class Breaks:
    """The runs of one log that may be put in order yet."""

    def __init__(self, campaign_id: str) -> None:
        self._campaign_id = campaign_id
        self._runs: list[Run] = []

    def begin(self, before: Before, entry: Entry) -> None:
        """Begin a run."""
        self._runs.append(Run(before, entry))

    def take(self, row: StoredEvent) -> None:
        """Add an event to the run that is going on."""
        run = self._runs[-1]
        if run.lost:
            return
        run.rows.append(row)
        while _too_much(self._runs) and len(self._runs) > 1:
            self._runs.pop(0).settle()
        if _too_much(self._runs):
            run.rows.clear()
            run.lost = True

    def describe(self, detail: str) -> None:
        """Say of the run that is going on what is wrong with it, should it not be put in order."""
        entry = self._runs[-1].entry
        entry.findings = [replace(entry.findings[0], detail=detail)]

    def snapshot(self, version: int, digest: str, entry: Entry) -> None:
        """Note a snapshot in the run that is going on which names another hash."""
        self._runs[-1].snapshots.append((version, digest, entry))

    def end(self) -> Placed:
        """End the run that is going on; return what was put in order by it: what belongs where."""
        solved = _in_order(self._runs)
        placed = {version: row for found in solved.values() for version, row in found.items()}
        for number in sorted(solved, reverse=True):
            self._report(self._runs.pop(number), placed)
        if self._runs and self._runs[-1].lost:
            self._runs.pop().settle()
        return placed

    def settle(self, *, going_on: bool = False) -> None:
        """Let what is said of every run stand, but of the last where that is going on."""
        kept = self._runs[-1:] if going_on else []
        for run in self._runs[: len(self._runs) - len(kept)]:
            run.settle()
        self._runs = kept

    def _report(self, run: Run, placed: Placed) -> None:
        """Say of a run what was swapped, each time at the first of its places."""
        cycles = [_cycle(row.version, placed) for row in run.rows]
        run.entry.findings = [
            Finding(self._campaign_id, "swapped", cycle[0], _sentence(sorted(cycle)))
            for cycle in cycles
            if len(cycle) > 1 and cycle[0] == min(cycle)
        ]
        for version, digest, entry in run.snapshots:
            if placed[version].hash == digest:
                entry.findings = []
        run.settle()


def holds(row: StoredEvent, before: Iterable[str], version: int) -> bool:
    """Return whether an event is what its hash says, as this version and behind one of these."""
    fields = (*row.fields[:VERSION], version, *row.fields[VERSION + 1 :])
    return any(digest_of(previous, fields) == row.hash for previous in before)


def digest_of(previous: str, fields: Sequence[str | int]) -> str:
    """Return the hash of an event as it is stored, be its text none."""
    try:
        return link(previous, fields)
    except UnicodeEncodeError:
        # Bytes that are no text: whatever they were, it was another hash.
        return link(previous, fields, "surrogateescape")


def _in_order(runs: Sequence[Run]) -> dict[int, Placed]:
    """Return the runs, by number, whose places all have their event in one of these runs."""
    rows = [row for run in runs for row in run.rows]
    # Those before it were tried when they ended: only together with this one can they be whole.
    if not _filled(runs[-1], rows):
        return {}
    solved = {number: found for number, run in enumerate(runs) if (found := _filled(run, rows))}
    while True:
        there = {row.version for number in solved for row in runs[number].rows}
        # What a run lends to another must come back to one that is whole.
        short = [
            number
            for number, found in solved.items()
            if any(row.version not in there for row in found.values())
        ]
        if not short:
            return solved
        for number in short:
            del solved[number]


def _filled(run: Run, rows: Sequence[StoredEvent]) -> Placed:
    """Return which event belongs at each place of a run; nothing where one is missing."""
    before, found = run.before, {}
    for own in run.rows:
        row = next((each for each in (own, *rows) if holds(each, before, own.version)), None)
        if row is None:
            return {}
        before, found[own.version] = (row.hash,), row
    return found


def _cycle(version: int, placed: Placed) -> list[int]:
    """Return the places that events were moved between, from this one on."""
    cycle = [version]
    while (after := placed[cycle[-1]].version) != version:
        cycle.append(after)
    return cycle


def _sentence(versions: Sequence[int]) -> str:
    named = f"{', '.join(map(str, versions[:-1]))} and {versions[-1]}"
    whose = "each other's place" if len(versions) == 2 else "one another's places"
    return f"Versions {named} stand in {whose}; put back, they hold, and nothing is lost."


def _too_much(runs: Sequence[Run]) -> bool:
    rows = [row for run in runs for row in run.rows]
    size = sum(len(str(row.fields[PATCH])) for row in rows)
    return len(rows) > MOST_EVENTS or size > MOST_CHARACTERS
