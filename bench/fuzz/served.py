"""A server under fuzz: the real process, its log in a file, its memory, and who may come in."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from bench.fuzz.corpus import ELSEWHERE, KEPT, PLAYED
from questlog.campaign.events import Role
from server.access.file import AccessFile
from server.access.invites import make_invite
from tests.support.access import mint_for, store_url
from tests.support.server import ROOT, command

READY, GOING = 30.0, 30.0
WEEK_MS = 7 * 24 * 3600 * 1000
# Who gets a token, by the names the corpus calls them.
SEATS: tuple[tuple[str, str, Role, str | None], ...] = (
    ("mira", KEPT, "player", "mira"),
    ("tobin", KEPT, "player", "tobin"),
    ("witness", KEPT, "player", "witness"),
    ("spectator", KEPT, "spectator", None),
    ("dm", KEPT, "dm", None),
    ("keeper", KEPT, "dm", "keeper"),
    ("free dm", PLAYED, "dm", None),
    ("played keeper", PLAYED, "dm", "keeper"),
    ("guest", PLAYED, "player", "mira"),
    ("outsider", ELSEWHERE, "dm", None),
)


class Keys(Struct, frozen=True):
    """What opens the doors: tokens by whose they are, and the secret of an invite."""

    tokens: Mapping[str, str]
    invite: str

    def parts(self) -> list[str]:
        """Return texts of which none may stand in a log: pieces of every signature and secret."""
        signatures = [token.rpartition(".")[2] for token in self.tokens.values()]
        whole = [*signatures, self.invite] if self.tokens else []
        return [text[at : at + 12] for text in whole for at in (0, 10, 20)]


async def keys_for(path: Path) -> Keys:
    """Make a token for every seat at the store at `path`, and an invite that never runs out."""
    access = await AccessFile.open(store_url(path))
    try:
        tokens = {
            name: await mint_for(access, campaign_id, role, player_id)
            for name, campaign_id, role, player_id in SEATS
        }
        now = time.time_ns() // 1_000_000
        _, invite = await make_invite(
            access,
            KEPT,
            "guest",
            "player",
            max_uses=None,
            expires_at=now + WEEK_MS,
            lasts=3600,
            now_ms=now,
        )
    finally:
        await access.close()
    return Keys(tokens, invite)


class Server:
    """`questlog serve` as a process of its own.

    Attributes:
        port: where it listens on the loopback.
        log: the file its standard error goes to.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self._process = process
        self._read = 0

    @property
    def url(self) -> str:
        """The address clients are given."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    @classmethod
    @asynccontextmanager
    async def running(cls, store: Path, log: Path, *options: str) -> AsyncIterator[Server]:
        """Serve a store on a free port; killed at the end if it still runs."""
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tools", "serve", "--log-format", "json"),
                *("--store", store_url(store), "--port", "0", "--poll-wait", "0.2", *options),
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        try:
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), READY)
            if not line:
                raise AssertionError(f"the server did not start: {log}")
            yield cls(process, int(line.decode().rpartition(":")[2]), log)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def stop(self) -> int | None:
        """Ask it to stop (SIGTERM); returns its exit status, None where it does not go."""
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), GOING)
        except TimeoutError:
            return None

    def lines(self) -> list[str]:
        """Return what it has logged since this was last asked."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1] if self.alive else text
        self._read += len(whole)
        return whole.decode("utf-8", "replace").splitlines()

    def resident(self) -> float | None:
        """Return its resident memory in MB, None where the system does not tell."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        return None


async def verified(store: Path) -> list[str]:
    """Return what `questlog verify` finds wrong with a store that is not served."""
    process = await command("verify", "--store", store_url(store), "--json")
    output, errors = await process.communicate()
    findings = output.decode().splitlines()
    if process.returncode and not findings:
        return [errors.decode()]
    return findings
