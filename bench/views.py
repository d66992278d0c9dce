"""Views: what a commit costs where a thousand players see six things, against one for all.

A server in a process of its own holds a campaign of 450 kB that 1,000 sockets follow: five players
with things of their own, and everyone else. Its rules are changed back and forth, so that the same
sockets are sent the same commits under no rules, as one audience, and under rules that make six.
The server says what CPU time and wall time a commit took it. Six of the sockets are read in full:
each must hold what the server says its view is, and no delta may be longer than the diff of the
two views in its envelope.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from types import MappingProxyType
from typing import Any

import structlog
from aiohttp import ClientSession, ClientWebSocketResponse, web
from msgspec import Struct, convert

from bench.fanout import Counter, Player
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.commands import Commit, Create, Request, SetVisibility
from questlog.campaign.events import Actor
from questlog.campaign.visibility import Rules
from questlog.document import apply, diff, encode, equal
from server.app import make_app, make_runner
from server.clock import SystemClock
from server.config import Config
from server.process import run
from server.services import SERVICES

PLAYERS = 1000
COMMITS = 12
ROUNDS = 7
GOAL = 3.0
PATIENCE = 60.0
CAMPAIGN = "views"
SERVE = "--serve"
DM = Actor("dm", "dm")
NAMES = ("ann", "bob", "cay", "dee", "eli")
REST = "someone"
KINDS = ("hit points", "initiative", "private", "narrative", "parting")
WORDS = ("rain", "river", "bell", "lantern", "oath", "ferry", "stone", "ash", "under", "the", "of")
DM_ONLY = ("dm",)
RULES = MappingProxyType(
    {
        "one view": {"default": "visible", "rules": []},
        "six views": {
            "default": "visible",
            "rules": [
                {"path": "/dm", "to": DM_ONLY},
                {"path": "/private/{player}", "to": ("dm", "{player}")},
                {"path": "/characters/*/secret", "to": DM_ONLY},
                {"path": "/characters/{player}/diary", "to": ("dm", "{player}")},
                {"path": "/initiative/order/*", "to": DM_ONLY, "when": {"hidden": True}},
                {"path": "/locations/*", "to": DM_ONLY, "when": {"discovered": False}},
                {"path": "/log/*", "to": DM_ONLY, "when": {"whisper": True}},
                *({"path": f"/handouts/{name}", "to": (f"player:{name}",)} for name in NAMES),
            ],
        },
    }
)


def campaign_document() -> dict[str, Any]:
    """Return a document of 450 kB such as a long campaign has, the same at every call."""
    rng = random.Random(6)

    def prose(size: int) -> str:
        return " ".join(rng.choices(WORDS, k=size // 6))

    characters = {
        name: {
            "name": name.title(),
            "hp": {"current": 20, "max": 40},
            "abilities": {key: rng.randint(6, 18) for key in ("str", "dex", "con", "int", "wis")},
            "inventory": [{"name": prose(12), "weight": 1, "about": prose(200)} for _ in range(10)],
            "diary": [prose(250) for _ in range(3)],
            "secret": prose(200),
        }
        for name in (*NAMES, *(f"npc-{number}" for number in range(30)))
    }
    order = [
        {"id": f"i{number}", "name": prose(12), "hp": 9, "hidden": number % 3 == 0}
        for number in range(24)
    ]
    locations = [
        {"id": f"l{number}", "about": prose(1000), "discovered": number % 4 > 0}
        for number in range(70)
    ]
    log = [
        {"id": number, "speaker": prose(10), "text": prose(220), "whisper": number % 10 == 0}
        for number in range(1000)
    ]
    return {
        "title": "The Bell under the Water",
        "characters": characters,
        "initiative": {"round": 1, "order": order},
        "locations": locations,
        "log": log,
        "private": {name: {"notes": [prose(300) for _ in range(8)]} for name in NAMES},
        "handouts": {name: {"text": prose(1500)} for name in NAMES},
        "dm": {"plan": [prose(500) for _ in range(30)]},
    }


def patches(kind: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the patches of one kind of commit, without end; the document keeps its size."""
    number = 0
    while True:
        number += 1
        name = NAMES[number % len(NAMES)]
        if kind == "hit points":
            path = f"/characters/{name}/hp/current"
            yield [{"op": "replace", "path": path, "value": 10 + number % 30}]
        elif kind == "initiative":
            # The same member twice: it is revealed, then hidden again.
            path = f"/initiative/order/{3 * (number // 2 % 8)}/hidden"
            yield [{"op": "replace", "path": path, "value": number % 2 == 0}]
        elif kind == "private":
            path = f"/private/{name}/notes/{number % 8}"
            yield [{"op": "replace", "path": path, "value": f"note {number} " + "w" * 250}]
        elif kind == "parting":
            # A player who had nothing of its own gets a note, and loses it again.
            gone = {"op": "remove", "path": "/private/fay"}
            yield [gone if number % 2 == 0 else {"op": "add", "path": "/private/fay", "value": 1}]
        else:
            whisper = number % 5 == 0
            entry = {"id": 1000 + number, "text": "t" * 180, "whisper": whisper}
            yield [
                {"op": "remove", "path": "/log/0"},
                {"op": "add", "path": "/log/-", "value": entry},
            ]


class Cost(Struct):
    """What a commit took the server, in microseconds, and the version after it."""

    cpu: float
    wall: float
    version: int


async def serve(folder: str) -> None:
    """Serve the campaign, and carry out each line on a second port: rules, or a kind of commit."""
    store = await SqliteStore.open(f"sqlite:///{folder}/bench.db")
    # A heartbeat in the middle of a round would be counted as part of it.
    config = Config(open=True, heartbeat=3600.0, silence_timeout=7200.0)
    app = make_app(config, store, SystemClock(), structlog.get_logger())
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    registry = app[SERVICES].registry
    await registry.create(CAMPAIGN, Request(DM, Create(campaign_document())))
    live = (await registry.find(CAMPAIGN)).live
    sources = {kind: patches(kind) for kind in KINDS}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().removesuffix("\n"):
            if line in RULES:
                await live.submit(Request(DM, SetVisibility(convert(RULES[line], Rules))))
            todo = [next(sources[line]) for _ in range(COMMITS)] if line in sources else []
            cpu, wall = time.process_time(), time.perf_counter()
            for patch in todo:
                await live.submit(Request(DM, Commit(patch=patch)))
            wall = time.perf_counter() - wall
            # What was written last leaves the process at the end of the loop's round.
            await asyncio.sleep(0.02)
            cpu = time.process_time() - cpu
            cost = Cost(cpu / COMMITS * 1e6, wall / COMMITS * 1e6, live.state.version)
            writer.write(encode([cost.cpu, cost.wall, cost.version]) + b"\n")

    control = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(runner.addresses[0][1], control.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


class Witness:
    """A player that reads what it is sent, and judges it when all is over.

    Attributes:
        over: bytes that deltas held beyond the diff of the two views; 0 is asked for.
        deltas: how many deltas were compared.
    """

    def __init__(self, name: str, socket: ClientWebSocketResponse) -> None:
        self.name = name
        self.over = self.deltas = self.version = 0
        self.document: Any = None
        self._told: list[bytes] = []
        self._reading = asyncio.create_task(self._read(socket))
        self._moved = asyncio.Event()

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        async for message in socket:
            self._told.append(message.data.encode())
            self._moved.set()

    async def judge(self, version: int) -> None:
        """Follow all that was told, up to `version`, and compare each delta with the diff."""
        async with asyncio.timeout(PATIENCE):
            while self.version < version:
                while not self._told:
                    self._moved.clear()
                    await self._moved.wait()
                self._take(self._told.pop(0))

    def _take(self, text: bytes) -> None:
        message = json.loads(text)
        if "version" not in message:
            return
        self.version = message["version"]
        if message["type"] == "campaign_active":
            self.document = message["structured_data"]
            return
        before, self.document = self.document, apply(self.document, message["patch"])
        least = encode({**message, "patch": diff(before, self.document)})
        self.over += len(text) - len(least)
        self.deltas += 1


class Table:
    """A server in its own process, and a thousand players at it."""

    def __init__(self, port: int, control: tuple[asyncio.StreamReader, asyncio.StreamWriter]):
        self.url = f"http://127.0.0.1:{port}"
        self.counter = Counter()
        self.witnesses: list[Witness] = []
        self._port = port
        self._reader, self._writer = control

    async def ask(self, line: str) -> Cost:
        """Let the server carry out a line, and wait until every player has what came of it."""
        self._writer.write(f"{line}\n".encode())
        cpu, wall, version = json.loads(await self._reader.readline())
        await self.counter.quiet()
        return Cost(cpu, wall, version)

    async def seat(self, session: ClientSession) -> None:
        """Connect everyone: a witness of each view, and players that only count bytes."""
        path = f"/ws/campaign/player?campaign_id={CAMPAIGN}"
        who = (*NAMES, REST)
        for name in who:
            url = f"{self.url}{path}&player_id={name}"
            self.witnesses.append(Witness(name, await session.ws_connect(url, max_msg_size=0)))
        loop = asyncio.get_running_loop()
        for number in range(PLAYERS - len(who)):
            # Since version 1, the head: a snapshot for each would be half a gigabyte.
            mine = f"{path}&player_id={who[number % len(who)]}&since=1"
            player = partial(Player, mine, self.counter)
            await loop.create_connection(player, "127.0.0.1", self._port)
        await self.counter.quiet()

    async def check(self, session: ClientSession, version: int) -> None:
        """Let each witness judge what it was sent, and hold it against what the server says."""
        for witness in self.witnesses:
            await witness.judge(version)
        held = {encode(witness.document) for witness in self.witnesses}
        assert len(held) == len(self.witnesses), "the views are not six different ones"
        for witness in self.witnesses:
            path = f"{self.url}/api/campaigns/{CAMPAIGN}/state?as=player:{witness.name}"
            async with session.get(path) as reply:
                state = (await reply.json())["structured_data"]
            assert equal(state, witness.document), f"{witness.name} holds another document"


async def measure(table: Table) -> dict[tuple[str, str], list[Cost]]:
    """Return what each kind of commit cost in each situation, a number for each round."""
    costs: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(ROUNDS):
        for situation in RULES:
            await table.ask(situation)
            await table.ask(KINDS[0])
            for kind in KINDS:
                costs.setdefault((situation, kind), []).append(await table.ask(kind))
    return costs


async def main_async() -> None:
    """Start the server, measure, check what was sent, and print it."""
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.views", SERVE, folder), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert server.stdout is not None
            port, control = map(int, (await server.stdout.readline()).split())
            table = Table(port, await asyncio.open_connection("127.0.0.1", control))
            async with ClientSession() as session:
                await table.seat(session)
                costs = await measure(table)
                await table.check(session, (await table.ask("where")).version)
        finally:
            server.kill()
            await server.wait()
    report(table, costs)


def report(table: Table, costs: dict[tuple[str, str], list[Cost]]) -> None:
    """Print the medians side by side, and what the deltas held beyond the diffs."""
    size = len(encode(campaign_document())) / 1000
    print(f"Views: {PLAYERS} players, a document of {size:.0f} kB (goal: {GOAL:.0f} times)")
    for kind in KINDS:
        one, six = (costs[situation, kind] for situation in RULES)
        print(f"{kind:<10} {_compared('CPU', one, six)}; {_compared('wall', one, six)}")
    one, six = ([c for kind in KINDS for c in costs[situation, kind]] for situation in RULES)
    print(f"{'all':<10} {_compared('CPU', one, six)}; {_compared('wall', one, six)}")
    deltas = sum(witness.deltas for witness in table.witnesses)
    over = sum(witness.over for witness in table.witnesses)
    print(f"{deltas} deltas read: {over} bytes beyond the diffs of the views and their envelopes")


def _compared(name: str, one: list[Cost], six: list[Cost]) -> str:
    """Return two medians and the median of their ratio, round by round."""
    field = name.lower()
    before, after = ([getattr(cost, field) / 1000 for cost in costs] for costs in (one, six))
    ratio = statistics.median(b / a for a, b in zip(before, after, strict=True))
    medians = f"{statistics.median(before):5.2f} ms with one view, {statistics.median(after):5.2f}"
    return f"{name} {medians} with six = {ratio:4.2f} times"


def main() -> None:
    """Print the comparison, or be the server."""
    if sys.argv[1:2] == [SERVE]:
        with contextlib.suppress(KeyboardInterrupt):
            run(serve(sys.argv[2]))
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
        run(main_async())


if __name__ == "__main__":
    main()
