"""The crash hunt: a server killed with -9 in the middle of full-speed play, again and again.

One store lives through all rounds. In each, an orchestrator commits with 1, 8 or 64 commits under
way and a dozen players drop in and out, until the server is killed; then the file it left is
examined:

- `verify` finds nothing, and what was examined in earlier rounds still has the hash it had;
- version n + 1 is step n of the play, by its id: none is missing, none is doubled;
- every commit that was acknowledged is there, and every version that anyone was told of.

At the end the orchestrator asks again for steps it made long ago, and everyone's document is
compared with the play's. The exit status is 1, and the store is kept, if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.recordings import steps
from eventstore.proof.verifier import verify
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.visibility import Projector
from questlog.client import CampaignClient
from questlog.document import diff, equal
from server.process import run
from tests.support.crowd import SOON, Crowd
from tests.support.server import Served, create
from tools.demo import recording_path

CAMPAIGN = "hunted"
# With many under way the load is highest; with one, the answer heard last is the last there was, so
# that an answer given before the disk has it cannot hide behind those still on their way here.
UNDER_WAY = (1, 8, 64)
SHORTEST, LONGEST = 0.3, 1.5
PATIENCE = 30.0
ASKED_AGAIN = 1_000


class Script:
    """A play without end: the demo's evening over and over, with a count of its steps."""

    def __init__(self) -> None:
        _, self._states = steps(recording_path())
        pairs = zip([self._states[-1], *self._states], self._states, strict=False)
        self._patches = [diff(before, after) for before, after in pairs]

    def document(self, step: int) -> dict[str, Any]:
        """Return the document after so many steps."""
        return {**self._states[(step - 1) % len(self._states)], "performed": step}

    def patch(self, step: int) -> list[dict[str, Any]]:
        """Return what takes the document of the step before to that of this one."""
        patch = self._patches[(step - 1) % len(self._patches)]
        return [*patch, {"op": "replace", "path": "/performed", "value": step}]


class Orchestrator:
    """Commits step after step, each under its own id and to the version it must follow.

    Attributes:
        begun: the last step that was sent.
        acknowledged: the last step that was answered.
        duplicates: how many answers said that the step was in the log already.
        under_way: how many commits may be without an answer.
        enough: once set, nothing more is begun.
    """

    def __init__(self, client: CampaignClient, script: Script) -> None:
        self.begun = self.acknowledged = self.duplicates = 0
        self.under_way = UNDER_WAY[0]
        self.enough = asyncio.Event()
        self._client = client
        self._script = script
        self._unanswered = 0
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Commit until it is enough, and everything that was begun is answered."""
        async with asyncio.TaskGroup() as group:
            while not self.enough.is_set():
                if self._unanswered >= self.under_way:
                    self._answered.clear()
                    await self._answered.wait()
                    continue
                self.begun += 1
                self._unanswered += 1
                group.create_task(self._next(self.begun))

    async def commit(self, step: int) -> bool:
        """Commit a step; returns whether it was in the log already.

        Raises:
            AssertionError: it is told to be at another version than its own.
        """
        answer = await self._client.commit(
            id=commit_id(step), patch=self._script.patch(step), expected_version=step
        )
        assert answer.version == step + 1, f"step {step} was acknowledged as {answer}"
        return answer.duplicate

    async def _next(self, step: int) -> None:
        self.duplicates += await self.commit(step)
        self.acknowledged = max(self.acknowledged, step)
        self._unanswered -= 1
        self._answered.set()


class Examined(Struct, frozen=True):
    """What the file held when it was last examined.

    Attributes:
        wrong: a sentence for each thing that must not be.
    """

    version: int = 0
    hash: str = ""
    wrong: tuple[str, ...] = ()


def commit_id(step: int) -> str:
    """Return the id a step is committed under."""
    return f"step-{step}"


async def examine(store: Path, before: Examined) -> Examined:
    """Examine the file of a server that is dead."""
    wrong = []
    reader = await SqliteReader.open(f"sqlite:///{store}")
    try:
        async for finding in verify(reader):
            wrong.append(f"{finding.code} at {finding.version}: {finding.detail}")
        head = await reader.head(CAMPAIGN)
        assert head is not None, "the campaign is gone"
        if before.version and await reader.hash_at(CAMPAIGN, before.version) != before.hash:
            wrong.append(f"version {before.version} is not what it was")
        events = await reader.read(CAMPAIGN, after=before.version)
    finally:
        await reader.close()
    versions = range(before.version + 1, head.version + 1)
    if [event.version for event in events] != list(versions):
        wrong.append(f"of versions {before.version + 1} to {head.version} some are missing")
    for event in events:
        if event.version > 1 and event.id != commit_id(event.version - 1):
            wrong.append(f"version {event.version} is {event.id}")
    return Examined(head.version, head.hash, tuple(wrong))


class Hunt:
    """The rounds, and what they came to."""

    def __init__(self, store: Path, seed: str) -> None:
        self.wrong: list[str] = []
        self._store = store
        self._seed = seed
        self._chance = random.Random(seed)
        self._script = Script()
        self._examined = Examined()
        self._unanswered = 0

    async def run(self, rounds: int) -> None:
        """Play and kill so many times, then play to the end and compare."""
        begun = time.monotonic()
        async with Served.start(self._store) as served:
            await create(served.url, CAMPAIGN, self._script.document(0))
            async with (
                Crowd.gathered(served.url, CAMPAIGN, self._seed) as crowd,
                CampaignClient(served.url, CAMPAIGN, role="dm", backoff=SOON) as client,
                asyncio.TaskGroup() as group,
            ):
                orchestrator = Orchestrator(client, self._script)
                playing = group.create_task(orchestrator.run())
                for number in range(1, rounds + 1):
                    await self._round(number, served, orchestrator, crowd)
                    await served.restart()
                orchestrator.enough.set()
                await asyncio.wait_for(playing, PATIENCE)
                asked = await self._ask_again(orchestrator)
                await self._compare(crowd, orchestrator.begun)
                visits = crowd.visits
            await served.stop()
        await self._examine()
        if self._examined.version != orchestrator.begun + 1:
            self.wrong.append(f"{orchestrator.begun} steps, but version {self._examined.version}")
        print(
            f"\n{rounds} kills, seed {self._seed}: {orchestrator.acknowledged:,} commits"
            f" acknowledged, the log at version {self._examined.version:,}."
            f"\n{self._unanswered:,} commits had no answer when the server died;"
            f" {orchestrator.duplicates:,} of them were in the log already when sent again."
            f"\n{asked:,} more, asked for again at the end, were all known by their ids."
            f"\nPlayers came in {visits:,} times."
            f"\n{len(self.wrong)} things wrong; {time.monotonic() - begun:.0f} s."
        )

    async def _round(
        self, number: int, served: Served, orchestrator: Orchestrator, crowd: Crowd
    ) -> None:
        """Wait until the play goes on, let it go on for a while, kill, and examine."""
        last = orchestrator.acknowledged
        orchestrator.under_way = self._chance.choice(UNDER_WAY)
        async with asyncio.timeout(PATIENCE):
            # Nothing that was begun before can bring the crowd here: it must be live again.
            await crowd.witness.reached(self._examined.version + max(UNDER_WAY) + 1)
        seconds = self._chance.uniform(SHORTEST, LONGEST)
        await asyncio.sleep(seconds)
        await served.kill()
        before = self._examined
        await self._examine()
        head, newest = self._examined.version, crowd.newest()
        unanswered = orchestrator.begun - orchestrator.acknowledged
        self._unanswered += unanswered
        if orchestrator.acknowledged >= head:
            self._note(f"step {orchestrator.acknowledged} was acknowledged and is not in the log")
        if newest > head:
            self._note(f"somebody was told of version {newest}, the log ends at {head}")
        print(
            f"round {number:>3}: killed after {seconds:.2f} s,"
            f" {orchestrator.under_way:>2} under way, {orchestrator.acknowledged - last:>6,}"
            f" acknowledged, {unanswered:>2} unanswered,"
            f" {head - before.version:>6,} versions more, log at {head:>7,}"
            f" {'ok' if not self.wrong else 'WRONG'}",
            flush=True,
        )

    async def _examine(self) -> None:
        self._examined = await examine(self._store, self._examined)
        for sentence in self._examined.wrong:
            self._note(sentence)

    async def _ask_again(self, orchestrator: Orchestrator) -> int:
        """Commit steps of any age again; returns how many, all of which must be duplicates."""
        count = min(ASKED_AGAIN, orchestrator.begun)
        chosen = sorted(self._chance.sample(range(1, orchestrator.begun + 1), count))
        async with asyncio.timeout(PATIENCE):
            known = await asyncio.gather(*map(orchestrator.commit, chosen))
        for step, duplicate in zip(chosen, known, strict=True):
            if not duplicate:
                self._note(f"step {step} was done twice")
        return count

    async def _compare(self, crowd: Crowd, step: int) -> None:
        """Compare what everyone holds at the end with what they should see of the play."""
        document = self._script.document(step)
        for seat, held in await crowd.dismiss(step + 1):
            if not equal(held, Projector(None).project(document, seat.viewer)):
                self._note(f"{seat.name} does not hold what it should")

    def _note(self, sentence: str) -> None:
        self.wrong.append(sentence)
        print(f"  WRONG: {sentence}", flush=True)


def main() -> int:
    """Hunt; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how often to kill")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of an earlier run")
    arguments = parser.parse_args()
    print(f"Crash hunt, {arguments.rounds} rounds, seed {arguments.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="questlog-crash-"))
    hunt = Hunt(folder / "questlog.db", arguments.seed)
    try:
        run(hunt.run(arguments.rounds))
    except BaseException:
        print(f"Seed {arguments.seed}; the store is kept: {folder}", flush=True)
        raise
    if hunt.wrong:
        print(f"The store is kept: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
