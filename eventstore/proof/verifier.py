"""The verifier: walks every log as it is stored and says what is damaged, and where first.

It holds one chunk of a log at a time, so that its memory does not grow with the log, and may run
while a server writes: each campaign is judged as it stood when its turn came.

One damage is one finding. After a broken link the walk goes on from the hash that is stored; after
an event that is missing or was changed the document is in doubt, and so the next snapshot is taken
as it is instead of being reported along with every patch that no longer applies. What comes after
an event that does not link is told once it is certain whether that was changed, or only swapped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from eventstore.errors import UnreadableError
from eventstore.port import Auditor, Finding, Kept
from eventstore.proof.walk import Walk, advance


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
    walk = None
    try:
        kept = await reader.kept(name)
        if kept.summary is None:
            for finding in _orphans(name, kept):
                yield finding
            return
        walk = Walk(kept.summary, kept)
        while taken := await advance(reader, walk, kept.summary.version):
            if progress is not None:
                progress(taken)
            for finding in walk.found():
                yield finding
        walk.end()
    except UnreadableError as error:
        if walk is not None:
            walk.stop()
            for finding in walk.found():
                yield finding
        after = 1 if walk is None else walk.version + 1
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
