"""The whole of it: a server after another, workers and witnesses on each, and what it came to."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from pathlib import Path

from msgspec import Struct

from bench.fuzz.corpus import callers, corpus_of
from bench.fuzz.judge import Judge
from bench.fuzz.mutate import MARK
from bench.fuzz.served import Keys, Server, keys_for, verified
from bench.fuzz.witness import keepers
from bench.fuzz.workers import Budget, Worker

WORKERS = 48
WARM_UP = 40_000
MAX_GROWTH = 30.0
PORTION, PROGRESS = 1_000, 20_000
SMALL = 256 * 1024
RAISED = (
    *("--player-rate", "1000000", "--failed-tokens", "1000000"),
    *("--max-body", str(SMALL), "--max-document", str(SMALL)),
    *("--allow-origin", "https://app.example"),
)


class Part(Struct, frozen=True):
    """A server and what is sent to it.

    Attributes:
        share: of all inputs.
        options: of `questlog serve`.
        huge: bytes of the largest text sent.
    """

    name: str
    share: float
    options: tuple[str, ...]
    huge: int = 0

    @property
    def open(self) -> bool:
        """Whether it asks nobody for a token."""
        return "--open" in self.options


PARTS = (
    Part("with its limits raised", 0.9, RAISED, huge=SMALL + 1_000),
    Part("as it comes", 0.05, ()),
    Part("open", 0.05, ("--open", *RAISED)),
)


class Memory(Struct):
    """A server's resident memory in MB; None where the system does not tell."""

    warm: float | None = None
    end: float | None = None
    most: float = 0.0

    def take(self, resident: float | None, *, warm: bool) -> None:
        """Take a measurement."""
        if resident is None:
            return
        self.most = max(self.most, resident)
        self.end = resident
        if warm and self.warm is None:
            self.warm = resident

    @property
    def growth(self) -> float:
        """MB it has grown by since it was warm."""
        return 0.0 if self.warm is None or self.end is None else self.end - self.warm


class Fuzz:
    """A run.

    Attributes:
        judge: what was found.
        memory: of the first server.
    """

    def __init__(self, folder: Path, count: int, seed: str) -> None:
        self.judge = Judge()
        self.memory = Memory()
        self._folder = folder
        self._count = count
        self._seed = seed
        self._budget = Budget()
        self._canaries = {
            name: f"CANARY-{secrets.token_hex(8)}" for name in ("dm", "mira", "tobin")
        }

    async def run(self) -> None:
        """Send everything; what is wrong is in `judge`."""
        for number, part in enumerate(PARTS):
            begun, sent = time.monotonic(), self._budget.sent
            store = self._folder / ("open.db" if part.open else "questlog.db")
            keys = Keys({}, "") if part.open else await keys_for(store)
            log = self._folder / f"{number}.log"
            async with Server.running(store, log, *part.options) as server:
                pulse = await self._part(part, server, keys)
                if await server.stop() != 0:
                    self.judge.fault("the server did not stop in good order", part.name)
                self._read_log(server, keys)
            for finding in await verified(store):
                self.judge.fault("the log is not intact", finding)
            sent = self._budget.sent - sent
            seconds = time.monotonic() - begun
            print(f"A server {part.name}: {sent:,} inputs in {seconds:.0f} s; {pulse}.", flush=True)

    async def _part(self, part: Part, server: Server, keys: Keys) -> str:
        """Send a part's share to its server; returns how its witnesses fared."""
        count = round(self._count * part.share)
        canaries = {} if part.open else self._canaries
        corpora = {
            caller: corpus_of(caller, keys.invite) for caller in callers(keys.tokens, canaries)
        }
        async with keepers(self.judge, server.url, keys.tokens, canaries) as witnesses:
            for portion in range(0, count, PORTION):
                self._budget.allow(min(PORTION, count - portion))
                async with asyncio.TaskGroup() as group:
                    for number in range(WORKERS):
                        chance = random.Random(f"{self._seed} {part.name} {portion} {number}")
                        worker = Worker(
                            self.judge, self._budget, server.port, corpora, chance, part.huge
                        )
                        group.create_task(worker.run())
                if part is PARTS[0]:
                    warm = portion + PORTION >= min(WARM_UP, count // 5)
                    self.memory.take(server.resident(), warm=warm)
                self._read_log(server, keys)
                self._progress(server)
                if not server.alive:
                    self.judge.fault("the server has died", part.name)
                    break
        if part is PARTS[0] and self.memory.growth > MAX_GROWTH:
            self.judge.fault("memory grew", f"{self.memory.warm} to {self.memory.end} MB")
        slowest = max(each.slowest for each in witnesses)
        beats = sum(each.beats for each in witnesses)
        return f"{beats} beats reached the witnesses, the slowest after {slowest:.2f} s"

    def _progress(self, server: Server) -> None:
        """Say now and then how far it is."""
        if self._budget.sent % PROGRESS == 0:
            resident = server.resident()
            memory = "" if resident is None else f", {resident:.0f} MB"
            print(
                f"{self._budget.sent:>9,} sent, {sum(self.judge.faults.values())} wrong{memory}",
                flush=True,
            )

    def _read_log(self, server: Server, keys: Keys) -> None:
        self.judge.log(server.lines(), (*keys.parts(), *self._canaries.values(), MARK))


def report(fuzz: Fuzz) -> str:
    """Return what a run came to, for people."""
    answers = sorted(fuzz.judge.answers.items())
    lines = [f"{number:>9,}  {answer}" for answer, number in answers]
    memory = fuzz.memory
    if memory.warm is not None:
        lines.append(
            f"The server's memory: {memory.warm:.0f} MB warm, {memory.end:.0f} MB at the end,"
            f" {memory.most:.0f} MB at most."
        )
    for kind, number in fuzz.judge.faults.items():
        lines.append(f"WRONG, {number} times: {kind}")
    lines += fuzz.judge.examples
    return "\n".join(lines)
