"""A walk along one log as it is stored: what each event, link and snapshot of it is found to be."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import takewhile
from typing import Any

import msgspec
from msgspec.structs import replace

from eventstore.chain import AT, DATA, GENESIS, KIND, PATCH, SCHEMA, VERSION
from eventstore.port import Auditor, Finding, Kept, StoredEvent, Summary
from eventstore.proof.order import Breaks, Entry, digest_of
from eventstore.sqlite.rows import step_of
from questlog.campaign.evolve import DamagedLogError, fold
from questlog.campaign.state import CampaignState
from questlog.campaign.upcast import UnknownSchemaError
from questlog.document import equal

# So many findings wait at the most until it is certain what the first of them is.
MOST_HELD = 1000
BROKEN = (msgspec.MsgspecError, UnknownSchemaError, DamagedLogError, UnicodeError)


async def advance(reader: Auditor, walk: Walk, until: int) -> int:
    """Take the next chunk of a log, to version `until`, and return how many events are in it."""
    rows = await reader.stored(walk.campaign_id, walk.version, until)
    texts: dict[int, str] = {}
    for row in rows:
        version = walk.take(row)
        if version in walk.snapshots:
            if version not in texts:
                texts = await reader.stored_snapshots(
                    walk.campaign_id, version - 1, rows[-1].version
                )
            walk.check_snapshot(texts.get(version))
    walk.fold()
    return len(rows)


class Walk:
    """A walk along one log: how far it came, and what the log has come to there."""

    def __init__(self, summary: Summary, kept: Kept) -> None:
        self.campaign_id = summary.campaign_id
        self.version = 0
        # The last snapshot that is what the log says, or that the walk began with.
        self._proved = (0, "")
        self.snapshots = dict(kept.snapshots)
        self._summary = summary
        self._last = kept.last or 0
        self._found: list[Entry] = []
        self._breaks = Breaks(self.campaign_id)
        # The hashes the next event may follow; none where the event before it is missing.
        self._previous: tuple[str, ...] = (GENESIS,)
        self._at = ""
        self._broken_from: int | None = None
        self._pending: list[StoredEvent] = []
        # None where what came before is missing, so that only a snapshot can tell.
        self._state: CampaignState | None = CampaignState(campaign_id=summary.campaign_id)
        self._doubted = False

    def found(self) -> list[Finding]:
        """Return the findings since the last call, up to one that is not certain yet."""
        if len(self._found) > MOST_HELD:
            self._breaks.settle(going_on=self._broken_from is not None)
        certain = list(takewhile(lambda entry: not entry.open, self._found))
        del self._found[: len(certain)]
        return [finding for entry in certain for finding in entry.findings]

    def begin(self, version: int, text: str) -> None:
        """Begin the walk behind a snapshot, taken as it is.

        Raises:
            msgspec.MsgspecError, UnicodeError, KeyError: it cannot be, or it is gone.
        """
        self._state = msgspec.json.decode(text, type=CampaignState)
        self._previous, self._at = (self.snapshots[version],), self._state.last_at
        self.version, self._proved = version, (version, text)

    def proved(self) -> str:
        """Return SHA-256, in hex, of the last snapshot that is as it should be, and its hash."""
        version, text = self._proved
        return sha256(f"{self.snapshots[version]} {text}".encode()).hexdigest()

    def whole_until(self, version: int | None) -> bool:
        """Return whether all is well, and was compared with a snapshot of this version."""
        if self._found or self._broken_from is not None or self._doubted or self._state is None:
            return False
        return version is None or self.version == version == self._proved[0]

    def take(self, row: StoredEvent) -> int:
        """Look at the next event: its version, its link, its time; its patch with `fold`.

        Returns its version.
        """
        version, at = row.version, row.at
        if version != self.version + 1:
            self._gap(version)
        expected = [digest_of(previous, row.fields) for previous in self._previous]
        if expected and row.hash not in expected:
            self.fold()
            self._doubted = True
            if self._broken_from is None:
                self._broken_from = version
                self._breaks.begin(self._previous, self._add("hash_mismatch", version, "", True))
            self._breaks.take(row)
            # Where the hash itself is what was changed, the next event follows the right one.
            self._previous = (row.hash, expected[0])
        else:
            self._end_break()
            if at < self._at:
                self._add("time_reversed", version, f"It is dated {at}, before {self._at}.")
            self._at = at
            self._previous = (row.hash,)
        self.version = version
        self._pending.append(row)
        return version

    def fold(self) -> None:
        """Apply the patches taken since the last call."""
        pending, self._pending = self._pending, []
        if self._state is None or not pending:
            return
        try:
            self._state = folded(self._state, pending)
        except BROKEN:
            self._find_broken(self._state, pending)

    def check_snapshot(self, text: str | None) -> None:
        """Compare the snapshot of the version just taken with what the log came to."""
        if text is None:
            return
        self.fold()
        digest, broken = self.snapshots[self.version], self._broken_from is not None
        if self._previous and digest not in self._previous:
            detail = "The snapshot names another event's hash."
            entry = self._add("snapshot_mismatch", self.version, detail, broken)
            if broken:
                self._breaks.snapshot(self.version, digest, entry)
            return
        if self._state is not None and _is_text_of(text, self._state):
            self._doubted = False
            self._proved = (self.version, text)
            return
        try:
            snapshot = msgspec.json.decode(text, type=CampaignState)
        except (msgspec.MsgspecError, UnicodeError) as error:
            self._add("snapshot_mismatch", self.version, f"The snapshot cannot be read: {error}.")
            return
        if self._state is not None and _same(self._state, snapshot):
            self._doubted = False
            self._proved = (self.version, text)
        elif self._state is None or self._doubted:
            self._state, self._doubted = snapshot, False
        else:
            self._add("snapshot_mismatch", self.version, "The snapshot is not what the log says.")

    def end(self) -> None:
        """Compare the end of the log with what is kept beside it."""
        broken = self._broken_from is not None
        self.stop()
        summary, last = self._summary, self._last
        for version in self.snapshots:
            if not 1 <= version <= max(summary.version, last):
                self._add("orphan", version, "There is a snapshot of a version that is not there.")
        if self.version < summary.version or not summary.version:
            detail = f"The log ends at version {self.version}, its head is {summary.version}."
            self._add("missing_tail", self.version + 1, detail)
            return
        if last > summary.version:
            detail = f"The log goes on to version {last}, its head is {summary.version}."
            self._add("extra_tail", summary.version + 1, detail)
        if summary.hash not in self._previous:
            detail = "The hash kept beside the log is not that of its last event."
            self._add("head_mismatch", self.version, detail)
        if not broken and summary.last_at != self._at:
            detail = "The time kept beside the log is not that of its last event."
            self._add("head_mismatch", self.version, detail)
        self._check_beside()

    def stop(self) -> None:
        """Go no further: what was found stands as it is."""
        self.fold()
        self._end_break()
        self._breaks.settle()

    def _check_beside(self) -> None:
        summary, state = self._summary, self._state
        if state is None or self._doubted:
            return
        if (summary.title, summary.created_at) != (state.title, state.created_at):
            detail = "Title or creation time kept beside the log are not those in it."
            self._add("head_mismatch", 1, detail)
        if summary.table != state.table:
            detail = f"It is kept as active at {summary.table!r}; the log says {state.table!r}."
            self._add("seat_mismatch", self.version, detail)

    def _gap(self, version: int) -> None:
        self.fold()
        self._end_break()
        first, last = self.version + 1, version - 1
        missing = f"Version {first} is" if first == last else f"Versions {first} to {last} are"
        self._add("gap", first, f"{missing} missing.")
        self._state, self._previous = None, ()

    def _end_break(self) -> None:
        """Report the run of events that do not link, now that one links again."""
        if self._broken_from is None:
            return
        run = f", and so on to version {self.version}" * (self._broken_from != self.version)
        self._breaks.describe(f"It is not what its hash and the hash before it were made of{run}.")
        self._broken_from = None
        placed = self._breaks.end()
        if self.version in placed:
            self._previous = (placed[self.version].hash,)

    def _find_broken(self, state: CampaignState, pending: list[StoredEvent]) -> None:
        """Name the event of `pending` that cannot follow, where that was not to be expected."""
        for row in pending:
            try:
                state = folded(state, [row])
            except BROKEN as error:
                if not self._doubted:
                    self._add("patch_failed", row.version, f"{error}.")
                break
        self._state = None

    def _add(self, code: str, version: int, detail: str, is_open: bool = False) -> Entry:
        entry = Entry([Finding(self.campaign_id, code, version, detail)], is_open)
        self._found.append(entry)
        return entry


def folded(state: CampaignState, rows: Sequence[StoredEvent]) -> CampaignState:
    """Return what events as they are stored make of a campaign.

    Raises:
        one of BROKEN: one of them cannot follow.
    """
    # mypy cannot know that the columns of a STRICT table are of the types it declares.
    stored: list[Any] = [row.fields for row in rows]
    steps = [step_of(f[VERSION], f[AT], f[KIND], f[DATA], f[PATCH], f[SCHEMA]) for f in stored]
    return fold(state, steps)


def _is_text_of(text: str, state: CampaignState) -> bool:
    """Return whether a snapshot is, byte for byte, what would be written of `state`: most are."""
    try:
        return msgspec.json.encode(state) == text.encode()
    except UnicodeEncodeError:
        # An event whose bytes are no text has left some in the state.
        return False


def _same(ours: CampaignState, theirs: CampaignState) -> bool:
    return equal(ours.document, theirs.document) and replace(ours, document={}) == replace(
        theirs, document={}
    )
