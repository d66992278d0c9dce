"""Fan-out: what a delivery and an idle connection cost the server, against bare aiohttp.

The server runs in a process of its own and is asked for its CPU time and memory; the players are in
another process and only count bytes. What the same commits cost with no player there is measured
first and taken off: the bare server commits nothing. That one is an aiohttp handler that awaits
`send_str` of a text of the same size for every socket, once on uvloop, as our server runs, and once
on asyncio's own loop, as aiohttp runs by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import statistics
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import cast

import structlog
from aiohttp import web

from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import Commit, Create, Request
from questlog.campaign.events import Actor
from server.app import make_app, make_runner
from server.clock import SystemClock
from server.config import Config
from server.process import run
from server.services import SERVICES

PLAYERS = 2000
MESSAGES = 60
ROUNDS = 3
CAMPAIGN = "fan-out"
DM = Actor("dm", "dm")
SERVERS = MappingProxyType(
    {
        "questlog": f"/ws/campaign/player?campaign_id={CAMPAIGN}",
        "bare-uvloop": "/ws",
        "bare-asyncio": "/ws",
    }
)
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Meter:
    """Answers, on a second port, what the process has used so far."""

    def __init__(self) -> None:
        self.trigger: asyncio.Queue[int] = asyncio.Queue()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each line: `cpu`, `memory`, or a number of broadcasts to make."""
        while line := await reader.readline():
            word = line.decode().strip()
            if word == "cpu":
                usage = resource.getrusage(resource.RUSAGE_SELF)
                value: float = usage.ru_utime + usage.ru_stime
            elif word == "memory":
                value = resident()
            else:
                await self.trigger.put(int(word))
                value = 0
            writer.write(f"{value}\n".encode())


async def serve_questlog(folder: str) -> None:
    """Serve one campaign; a broadcast is a commit of one hit point."""
    store = await SqliteStore.open(f"sqlite:///{folder}/bench.db")
    app = make_app(Config(open=True), store, SystemClock(), structlog.get_logger())
    meter = Meter()
    ports = await _start(make_runner(app), meter)
    print(*ports, flush=True)
    registry = app[SERVICES].registry
    document = {"hp": 0, "note": "x" * 60}
    await registry.create(CAMPAIGN, Request(DM, Create(document)))
    live = (await registry.find(CAMPAIGN)).live
    number = 0
    while True:
        for _ in range(await meter.trigger.get()):
            number += 1
            patch = [{"op": "replace", "path": "/hp", "value": number}]
            await live.submit(Request(DM, Commit(patch=patch)))


async def serve_bare(_folder: str) -> None:
    """Serve sockets; a broadcast awaits `send_str` of a text of the same size for each."""
    sockets: list[web.WebSocketResponse] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/ws", handle)
    meter = Meter()
    ports = await _start(web.AppRunner(app, access_log=None), meter)
    print(*ports, flush=True)
    text = json.dumps({"type": "campaign_updated", "text": "x" * 330})
    while True:
        for _ in range(await meter.trigger.get()):
            for socket in sockets:
                await socket.send_str(text)
            await asyncio.sleep(0)


async def _start(runner: web.AppRunner, meter: Meter) -> list[int]:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    control = await asyncio.start_server(meter.answer, "127.0.0.1", 0)
    return [runner.addresses[0][1], control.sockets[0].getsockname()[1]]


def resident() -> float:
    """Return this process's resident memory in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Player(asyncio.Protocol):
    """A peer that upgrades and counts the frames it is sent, without reading them."""

    def __init__(self, path: str, counter: Counter) -> None:
        self._hello = UPGRADE.format(path=path).encode()
        self._counter = counter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade."""
        # uvloop's transports are no subclasses of asyncio's.
        cast(asyncio.Transport, transport).write(self._hello)

    def data_received(self, data: bytes) -> None:
        """Count what came."""
        self._counter.count(len(data))


class Counter:
    """Bytes that all players together have received, and waiting for more."""

    def __init__(self) -> None:
        self.bytes = 0
        self._changed = asyncio.Event()

    def count(self, size: int) -> None:
        """Note that `size` bytes came."""
        self.bytes += size
        self._changed.set()

    async def quiet(self) -> int:
        """Return the bytes received once none have come for half a second."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(0.5):
                    await self._changed.wait()
            except TimeoutError:
                return self.bytes


async def measure(kind: str, path: str) -> tuple[float, float, float]:
    """Return CPU microseconds a delivery, bytes a delivery, and kB of memory a connection."""
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.fanout", kind, folder, stdout=asyncio.subprocess.PIPE
        )
        assert server.stdout is not None
        port, control = map(int, (await server.stdout.readline()).split())
        reader, writer = await asyncio.open_connection("127.0.0.1", control)

        async def ask(word: str) -> float:
            writer.write(f"{word}\n".encode())
            return float(await reader.readline())

        try:
            counter = Counter()
            loop = asyncio.get_running_loop()
            await ask("5")
            await asyncio.sleep(0.5)
            alone = await ask("cpu")
            await ask(str(MESSAGES))
            await asyncio.sleep(0.5)
            alone = await ask("cpu") - alone
            before = await ask("memory")
            for _ in range(PLAYERS):
                await loop.create_connection(lambda: Player(path, counter), "127.0.0.1", port)
            await counter.quiet()
            memory = (await ask("memory") - before) / PLAYERS / 1000
            await ask("5")
            received = await counter.quiet()
            cpu = await ask("cpu")
            await ask(str(MESSAGES))
            total = await counter.quiet() - received
            used = await ask("cpu") - cpu - alone
            deliveries = PLAYERS * MESSAGES
            return used / deliveries * 1e6, total / deliveries, memory
        finally:
            writer.close()
            server.kill()
            await server.wait()


async def main_async() -> None:
    """Print both servers side by side."""
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in SERVERS}
    for _ in range(ROUNDS):
        for name, path in SERVERS.items():
            runs[name].append(await measure(name, path))
    print(f"Fan-out to {PLAYERS} players, medians of {ROUNDS} (goals: 0.85, 24 kB)")
    for name, taken in runs.items():
        cpu, size, memory = (statistics.median(column) for column in zip(*taken, strict=True))
        pairs = zip(runs["questlog"], taken, strict=True)
        ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in pairs)
        print(
            f"{name:<13} {cpu:6.2f} us/delivery, questlog is {ratio:4.2f} of it; "
            f"{size:4.0f} B each; {memory:5.1f} kB/connection"
        )


def main() -> None:
    """Print the comparison, or be one of the two servers."""
    if len(sys.argv) == 3:
        kind, folder = sys.argv[1:]
        serve = serve_questlog if kind == "questlog" else serve_bare
        with contextlib.suppress(KeyboardInterrupt):
            if kind == "bare-asyncio":
                asyncio.run(serve(folder))
            else:
                run(serve(folder))
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
        run(main_async())


if __name__ == "__main__":
    main()
