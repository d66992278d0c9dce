"""The verifier: walks every log as it is stored and says what is damaged, and where first.

It holds one chunk of a log at a time, so that its memory does not grow with the log, and may run
while a server writes: each campaign is judged as it stood when its turn came.

One damage is one finding. After a broken link the walk goes on from the hash that is stored; after
an event that is missing or was changed the document is in doubt, and so the next snapshot is taken
as it is instead of being reported along with every patch that no longer applies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from eventstore.chain import AT, DATA, GENESIS, KIND, PATCH, SCHEMA, VERSION, link
from eventstore.errors import UnreadableError
from eventstore.port import Auditor, Finding, Kept, StoredEvent, Summary
from eventstore.sqlite.rows import step_of
from questlog.campaign.evolve import DamagedLogError, fold
from questlog.campaign.state import CampaignState
from questlog.campaign.upcast import UnknownSchemaError
from questlog.document import equal

_BROKEN = (msgspec.MsgspecError, UnknownSchemaError, DamagedLogError, UnicodeError)


async def verify(
    reader: Auditor,
    campaign_id: str | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> AsyncIterator[Finding]:
    """Yield what is wrong with the store and with every log in it, or with the one named.

    `progress` is told of each chunk how many events were in it. A campaign that nothing in the
    store names yields nothing.
    """
    names, findings = await survey(reader)
    for finding in findings:
        yield finding
    for name in names if campaign_id is None else [campaign_id]:
        async for finding in verify_campaign(reader, name, progress):
            yield finding


async def survey(reader: Auditor) -> tuple[list[str], list[Finding]]:
    """Return the ids of all campaigns, and what is wrong with the store as a whole.

    Where the file is so damaged that it does not say which there are, none is named.
    """
    try:
        findings = await reader.inspect()
        return await reader.logs(), findings
    except UnreadableError as error:
        return [], [Finding("", error.code, None, error.message)]


async def verify_campaign(
    reader: Auditor, name: str, progress: Callable[[int], None] | None = None
) -> AsyncIterator[Finding]:
    """Yield what is wrong with one log; `progress` as for `verify`."""
    version = None
    try:
        kept = await reader.kept(name)
        if kept.summary is None:
            for finding in _orphans(name, kept):
                yield finding
            return
        walk = _Walk(kept.summary, kept)
        while rows := await reader.stored(name, walk.version, kept.summary.version):
            texts: dict[int, str] = {}
            for row in rows:
                version = row.version
                walk.take(row)
                if version in walk.snapshots:
                    if version not in texts:
                        texts = await reader.stored_snapshots(name, version - 1, rows[-1].version)
                    walk.check_snapshot(texts.get(version))
            walk.fold()
            if progress is not None:
                progress(len(rows))
            for finding in walk.found():
                yield finding
        walk.end()
    except UnreadableError as error:
        after = 1 if version is None else version + 1
        yield Finding(name, error.code, after, error.message)
        return
    for finding in walk.found():
        yield finding


def _orphans(name: str, kept: Kept) -> list[Finding]:
    if kept.first is not None:
        detail = f"Versions {kept.first} to {kept.last} belong to a campaign that is not there."
        return [Finding(name, "orphan", kept.first, detail)]
    detail = "A snapshot belongs to a campaign that is not there."
    return [Finding(name, "orphan", version, detail) for version, _ in kept.snapshots]


class _Walk:
    """A walk along one log: how far it came, and what the log has come to there."""

    def __init__(self, summary: Summary, kept: Kept) -> None:
        self.version = 0
        self.snapshots = dict(kept.snapshots)
        self._summary = summary
        self._last = kept.last or 0
        self._found: list[Finding] = []
        # The hashes the next event may follow; none where the event before it is missing.
        self._previous: tuple[str, ...] = (GENESIS,)
        self._at = ""
        self._broken_from: int | None = None
        self._pending: list[StoredEvent] = []
        # None where what came before is missing, so that only a snapshot can tell.
        self._state: CampaignState | None = CampaignState(campaign_id=summary.campaign_id)
        self._doubted = False

    def found(self) -> list[Finding]:
        """Return the findings since the last call."""
        found, self._found = self._found, []
        return found

    def take(self, row: StoredEvent) -> None:
        """Look at the next event: its version, its link, its time; its patch with `fold`."""
        version, at = row.version, row.at
        if version != self.version + 1:
            self._gap(version)
        try:
            expected = [link(previous, row.fields) for previous in self._previous]
        except UnicodeEncodeError:
            # Bytes that are no text: whatever they were, it was another hash.
            expected = [link(each, row.fields, "surrogateescape") for each in self._previous]
        if expected and row.hash not in expected:
            self.fold()
            self._doubted = True
            if self._broken_from is None:
                self._broken_from = version
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

    def fold(self) -> None:
        """Apply the patches taken since the last call."""
        pending, self._pending = self._pending, []
        if self._state is None or not pending:
            return
        try:
            self._state = _folded(self._state, pending)
        except _BROKEN:
            self._find_broken(self._state, pending)

    def check_snapshot(self, text: str | None) -> None:
        """Compare the snapshot of the version just taken with what the log came to."""
        if text is None:
            return
        self.fold()
        if self._previous and self.snapshots[self.version] not in self._previous:
            self._add("snapshot_mismatch", self.version, "The snapshot names another event's hash.")
            return
        if self._state is not None and _is_text_of(text, self._state):
            self._doubted = False
            return
        try:
            snapshot = msgspec.json.decode(text, type=CampaignState)
        except (msgspec.MsgspecError, UnicodeError) as error:
            self._add("snapshot_mismatch", self.version, f"The snapshot cannot be read: {error}.")
            return
        if self._state is not None and _same(self._state, snapshot):
            self._doubted = False
        elif self._state is None or self._doubted:
            self._state, self._doubted = snapshot, False
        else:
            self._add("snapshot_mismatch", self.version, "The snapshot is not what the log says.")

    def end(self) -> None:
        """Compare the end of the log with what is kept beside it."""
        self.fold()
        broken = self._broken_from is not None
        self._end_break()
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
        if self._broken_from is not None:
            run = f", and so on to version {self.version}" * (self._broken_from != self.version)
            detail = f"It is not what its hash and the hash before it were made of{run}."
            self._add("hash_mismatch", self._broken_from, detail)
            self._broken_from = None

    def _find_broken(self, state: CampaignState, pending: list[StoredEvent]) -> None:
        """Name the event of `pending` that cannot follow, where that was not to be expected."""
        for row in pending:
            try:
                state = _folded(state, [row])
            except _BROKEN as error:
                if not self._doubted:
                    self._add("patch_failed", row.version, f"{error}.")
                break
        self._state = None

    def _add(self, code: str, version: int, detail: str) -> None:
        self._found.append(Finding(self._summary.campaign_id, code, version, detail))


def _folded(state: CampaignState, rows: list[StoredEvent]) -> CampaignState:
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
