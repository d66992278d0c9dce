"""The orchestrator that performs a recording: one commit a step, each exactly once.

A step's id is made from the campaign, the recording and the step's number, so that a performance
that is broken off, here or there, goes on where it was and nothing is doubled.

Each step is sent as the patch from the step before, with the version that patch was made for as
`expected_version`: a patch alone would be small and, where somebody else has written meanwhile,
wrong. Where the version is another, the step is sent as a whole document, which is right whatever
the campaign holds, and the next ones are patches again.

One step is under way at a time, at full speed too. Were the next sent before the answer, its
expected version would be a guess, which a commit of somebody else's can make true by accident.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from questlog.campaign.errors import IdReused, Rejection, rejection_of
from questlog.client import CampaignClient
from questlog.document import diff, encode
from questlog.sync.backoff import Backoff
from questlog.sync.messages import Committed
from tools.recording import Recording, Step, committable_kind

PAGE = 200
MENDABLE = frozenset({"version_conflict", "patch_failed", "invalid", "too_large"})
FIRST_SERVER_ERROR = 500


class Pace(Struct, frozen=True):
    """How long to wait before a step.

    Attributes:
        speed: times as fast as it was recorded; None: no waiting at all.
        usual: seconds before a step whose time, or whose forerunner's, is not known.
        longest: seconds at most, however long the table was silent; both before `speed`.
    """

    speed: float | None = 1.0
    usual: float = 1.5
    longest: float = 8.0

    def pause(self, before: str | None, now: str | None) -> float:
        """Return the seconds to wait between steps of these times (RFC 3339)."""
        if self.speed is None:
            return 0.0
        try:
            then, since = datetime.fromisoformat(now or ""), datetime.fromisoformat(before or "")
            gap = (then - since).total_seconds()
        except (ValueError, TypeError):
            return self.usual / self.speed
        return min(max(gap, 0.0), self.longest) / self.speed


class Performance(Struct, frozen=True):
    """What came of it.

    Attributes:
        steps: how many the recording has; `committed` were made now, after `resumed_after`.
        version: the campaign's version after the last of them.
    """

    campaign_id: str
    steps: int
    committed: int
    resumed_after: int
    version: int


class Performer:
    """Performs one recording as one campaign."""

    def __init__(
        self,
        client: CampaignClient,
        recording: Recording,
        campaign_id: str,
        pace: Pace,
        on_step: Callable[[int], None],
    ) -> None:
        """Prepare to perform.

        Args:
            client: a DM's, following the campaign.
            on_step: called with the number of each step that is done.
        """
        self._client = client
        self._recording = recording
        self._campaign_id = campaign_id
        self._pace = pace
        self._on_step = on_step
        self._base: int | None = None
        self._version = 0

    async def run(self, done: int, version: int | None) -> Performance:
        """Perform the steps after `done`.

        Args:
            version: the campaign's version where its document is known to be that of step `done`.

        Raises:
            Rejection: the server refuses a step, even as a whole document.
            ClosedError: the server closed the connection for good.
            RecordingError: the recording has a line that is no step.
        """
        self._base = version
        self._version = version or 0
        number, committed = await self._perform_all(done)
        await self._client.live()
        await self._client.reached(self._version)
        version = self._version if committed else self._client.version
        return Performance(self._campaign_id, number, committed, done, version)

    async def _perform_all(self, done: int) -> tuple[int, int]:
        """Perform the steps after `done`; returns how many there are, and how many it made."""
        before, ts, number, committed = self._recording.header.initial_state, None, 0, 0
        for number, step in enumerate(self._recording, start=1):
            if number > done:
                if pause := self._pace.pause(ts, step.ts) if number > 1 else 0.0:
                    await asyncio.sleep(pause)
                await self._perform(number, step, before)
                committed += 1
            before, ts = step.state, step.ts
        return number, committed

    async def _perform(self, number: int, step: Step, before: dict[str, Any]) -> None:
        """Commit one step, and wait until it is durable."""
        base, self._base = self._base, None
        try:
            if base is None or not await self._commit_patch(number, step, before, base):
                await self._commit_whole(number, step)
        except IdReused:
            # It is in the log already, sent in another form before this run; the version it led to
            # is not told, so the next step goes whole.
            pass
        self._on_step(number)

    async def _commit_patch(
        self, number: int, step: Step, before: dict[str, Any], base: int
    ) -> bool:
        """Return whether the step could be committed as a patch to version `base`."""
        try:
            answer = await self._client.commit(
                patch=diff(before, step.state),
                kind=committable_kind(step.kind),
                id=self._id(number),
                expected_version=base,
                meta=_meta(number, step),
            )
        except Rejection as rejection:
            if rejection.code not in MENDABLE:
                raise
            return False
        self._note(answer)
        return True

    async def _commit_whole(self, number: int, step: Step) -> None:
        answer = await self._client.commit(
            structured_data=step.state,
            kind=committable_kind(step.kind),
            id=self._id(number),
            meta=_meta(number, step),
        )
        self._note(answer)

    def _note(self, answer: Committed) -> None:
        self._version = answer.version
        # A duplicate's version is where it happened, and much may have happened since.
        self._base = None if answer.duplicate else answer.version

    def _id(self, number: int) -> str:
        return step_id(self._campaign_id, self._recording.lead, number)


def step_id(campaign_id: str, lead: bytes, number: int) -> str:
    """Return the commit id of a step of the recording whose first line is `lead`; 0: the start."""
    return hashlib.sha256(b"%s\n%d\n%s" % (campaign_id.encode(), number, lead)).hexdigest()


async def prepare(
    session: aiohttp.ClientSession, url: str, campaign_id: str, recording: Recording
) -> tuple[int, int | None]:
    """Create the campaign if it is missing, and find how far it was performed.

    Returns the last step that is in the log, and the campaign's version where its document is that
    step's (None where somebody else has written since). Waits for a server that is down.

    Raises:
        Rejection: the server refuses.
    """
    path = f"{url.rstrip('/')}/api/campaigns/{campaign_id}"
    body = encode({"structured_data": recording.header.initial_state})
    key = {"Idempotency-Key": step_id(campaign_id, recording.lead, 0)}
    try:
        created = await call(session, "PUT", path, body, key)
    except Rejection as rejection:
        if rejection.code not in ("campaign_exists", "id_reused"):
            raise
    else:
        if not created.get("duplicate"):
            return 0, 1
    head = int((await call(session, "GET", path))["version"])
    until = head
    while until > 0:
        after = max(0, until - PAGE)
        page = await call(session, "GET", f"{path}/events?after={after}&limit={until - after}")
        for event in reversed(page["events"]):
            number = _step_of(event)
            if event["id"] == step_id(campaign_id, recording.lead, number):
                return number, head if event["version"] == head else None
        until = after
    return 0, None


async def call(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return what an HTTP call answers; comes back to a server that is down or failing.

    Raises:
        Rejection: the server refuses, with the code it gave.
    """
    headers = {"Content-Type": "application/json", **(headers or {})}
    backoff, attempt = Backoff(), 0
    while True:
        try:
            async with session.request(method, url, data=body, headers=headers) as response:
                content = await response.read()
                if response.status < FIRST_SERVER_ERROR:
                    return _answer(response.status, content)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
            # It may have done what was asked: asking twice is safe, by the key.
            pass
        await asyncio.sleep(backoff.delay(attempt))
        attempt += 1


def _answer(status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise rejection_of("invalid", f"This is no Questlog server: HTTP {status}.") from error
    if status >= 400:
        detail = str(answer.get("detail", f"HTTP {status}"))
        raise rejection_of(str(answer.get("code", "invalid")), detail)
    return answer


def _step_of(event: dict[str, Any]) -> int:
    """Return the step an event says it is of, 0 where it says none."""
    recorded = event["meta"].get("recording")
    number = recorded.get("step") if isinstance(recorded, dict) else None
    return number if type(number) is int else 0


def _meta(number: int, step: Step) -> dict[str, Any]:
    return {"recording": {"step": number, "actor": step.actor, "ts": step.ts}}
