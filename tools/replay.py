"""`questlog replay`: a log shown again as it was written, on a terminal or in a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click
import msgspec

from eventstore.moments import version_at
from questlog.campaign.errors import Invalid, UnknownVersion
from questlog.campaign.visibility import Viewer
from questlog.document import apply
from questlog.sync.replay import (
    DEFAULT_GAP,
    FASTEST,
    SLOWEST,
    Control,
    Pause,
    Resume,
    Seek,
    SetSpeed,
    Speed,
    Step,
    check_speed,
)
from server.showing import GoneError, Outlet, Showing, Wanted
from tools.naming import Named, backwards, check_order, read_version, viewer_option
from tools.options import campaign_argument, json_option, option, store_option
from tools.play import speed_option
from tools.reading import answer, known, opened
from tools.render import Output, changes, headline

if TYPE_CHECKING:
    from eventstore.sqlite.store import SqliteReader

FACTOR = 2.0
HELP = "space pause  n/p step  +/- speed  home/end  q quit"
BACK = "\r\x1b[K"
# What a terminal sends for each key, the longest first.
KEYS: Mapping[str, str] = MappingProxyType(
    {
        "\x1b[1~": "home",
        "\x1b[4~": "end",
        "\x1b[C": "on",
        "\x1b[D": "back",
        "\x1b[H": "home",
        "\x1b[F": "end",
        "\x1bOC": "on",
        "\x1bOD": "back",
        "\x1bOH": "home",
        "\x1bOF": "end",
        " ": "pause",
        "n": "on",
        ".": "on",
        "p": "back",
        ",": "back",
        "+": "faster",
        "=": "faster",
        "-": "slower",
        "q": "quit",
        "\x04": "quit",
    }
)


@click.command()
@campaign_argument
@viewer_option
@option(
    "--from",
    "first",
    default="1",
    callback=read_version,
    metavar="VERSION",
    help="The version or moment to begin with.",
)
@option(
    "--to",
    "last",
    callback=read_version,
    metavar="VERSION",
    help="The last version or moment; else the head.",
)
@speed_option
@option(
    "--gap",
    type=click.FloatRange(min=0),
    default=DEFAULT_GAP,
    metavar="SECONDS",
    help="Wait for so long, as recorded, between two events at the most.",
)
@store_option
@json_option
def replay(
    campaign: str,
    viewer: Viewer,
    first: Named,
    last: Named | None,
    speed: float | None,
    gap: float,
    store: str,
    as_json: bool,
) -> None:
    """Show the log of CAMPAIGN again, as it was written and as any viewer saw it.

    On a terminal: space pauses, n and p (or the arrows) step on and back, + and - change the speed,
    home and end go to either end, q quits. In a pipe it is printed at that pace, or at once with
    `--speed max`.
    """
    check_order(first, last)
    try:
        pace: Speed = check_speed("max" if speed is None else speed)
    except Invalid as error:
        raise click.BadParameter(error.message, param_hint="--speed") from error

    async def work() -> None:
        async with opened(store) as reader:
            await _replay(reader, campaign, viewer, (first, last), pace, gap, as_json=as_json)

    # Who watches ends it so; that is no failure.
    with suppress(KeyboardInterrupt):
        answer(work(), as_json=as_json)


async def _replay(
    reader: SqliteReader,
    campaign: str,
    viewer: Viewer,
    bounds: tuple[Named, Named | None],
    speed: Speed,
    gap: float,
    *,
    as_json: bool,
) -> None:
    head = (await known(reader, campaign)).version
    # What is named by a moment before the log began is its beginning.
    first, last = [
        max(1, await version_at(reader, campaign, each)) if isinstance(each, datetime) else each
        for each in (bounds[0], head if bounds[1] is None else bounds[1])
    ]
    first = max(1, first)
    if not (first <= head and 1 <= last <= head):
        raise UnknownVersion(f"{campaign} has versions 1 to {head}.")
    if first > last:
        raise backwards()
    wanted = Wanted(campaign, first, last, viewer, speed, gap)
    outlet = _Lines() if as_json else _Screen(Output())
    with suppress(GoneError), outlet.reading():
        await Showing(reader, wanted, outlet, time.monotonic, asyncio.Event()).run()


class _Lines(Outlet):
    """Prints each message on a line of its own, as it is over HTTP."""

    async def send(self, payload: bytes, place: str | None = None) -> None:
        """See `Outlet.send`."""
        sys.stdout.write(payload.decode() + "\n")
        sys.stdout.flush()

    async def look(self, *, at_rest: bool) -> None:
        """See `Outlet.look`: whoever reads the store may."""

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Take no keys."""
        yield


class _Screen(Outlet):
    """Prints each version for a person; on a terminal it takes keys, and says where it stands."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._view: Any = {}
        self._told: dict[str, Any] = {}
        self.controlled = output.terminal and sys.stdin.isatty()

    async def send(self, payload: bytes, place: str | None = None) -> None:
        """See `Outlet.send`."""
        message: dict[str, Any] = msgspec.json.decode(payload)
        if self.controlled:
            sys.stdout.write(BACK)
        if message["type"] == "replay":
            self._told = message
        elif message["type"] == "campaign_active":
            self._view = message["structured_data"]
            self._line(message, "snapshot", message["reason"])
        elif message["type"] == "suggestion":
            self._print_suggestion(message)
        elif message["type"] == "campaign_updated":
            self._print_update(message)
        if self.controlled and self._told:
            self._told["version"] = message.get("version", self._told["version"])
            sys.stdout.write(self._status())
        self._output.flush()

    async def look(self, *, at_rest: bool) -> None:
        """See `Outlet.look`: whoever reads the store may."""

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Take keys while the context lasts, where there is somebody to press them."""
        if not self.controlled:
            yield
            return
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        loop = asyncio.get_running_loop()
        try:
            tty.setcbreak(descriptor)
            loop.add_reader(descriptor, self._pressed, descriptor)
            yield
        finally:
            loop.remove_reader(descriptor)
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            sys.stdout.write(BACK)

    def _pressed(self, descriptor: int) -> None:
        text = os.read(descriptor, 1024).decode("utf-8", "replace")
        if not text:
            text = "q"
        while text:
            name = next((key for key in KEYS if text.startswith(key)), None)
            text = text[1 if name is None else len(name) :]
            # Whoever leans on a key is not to have it all done later.
            if name is not None and not self.controls.full():
                self.controls.put_nowait(self._control(KEYS[name]))

    def _control(self, name: str) -> Control | None:
        """Return what a key comes to, as things stand; None: nobody is there any more."""
        speed, paused = self._told.get("speed", 1.0), self._told.get("paused", False)
        factor = FASTEST if speed == "max" else float(speed)
        match name:
            case "pause":
                return Resume() if paused else Pause()
            case "on":
                return Step()
            case "back":
                return Step(-1)
            case "faster":
                return SetSpeed(min(FASTEST, factor * FACTOR))
            case "slower":
                return SetSpeed(max(SLOWEST, factor / FACTOR))
            case "home":
                return Seek(0)
            case "end":
                return Seek(self._told.get("last", 0))
        return None

    def _print_update(self, message: dict[str, Any]) -> None:
        events = [event for event in message["events"] if event["version"] == message["version"]]
        kind, actor = "-", ""
        if events:
            kind, actor = events[0]["kind"], events[0]["actor"]["member"]
        self._line(message, kind, actor)
        for part in changes(self._view, message["patch"]):
            text, style = (part, "") if isinstance(part, str) else part
            self._output.line((f"         {text}", style))
        self._view = apply(self._view, message["patch"])

    def _print_suggestion(self, message: dict[str, Any]) -> None:
        who, answer = message["player_id"] or "a player", message["answer"]
        told = f"{who}: {message['content']}" + (f" - {answer}" if answer else "")
        self._output.line((f"         {message['state']:9} {told}", ""))

    def _line(self, message: dict[str, Any], kind: str, actor: str) -> None:
        told = headline(message["version"], message["timestamp"], kind, actor)
        self._output.line(*told)

    def _status(self) -> str:
        told = self._told
        speed = told["speed"] if told["speed"] == "max" else f"x{told['speed']:g}"
        ended = told["version"] >= told["last"]
        state = "at the end" if ended else "paused" if told["paused"] else "playing"
        line = f"{told['version']}/{told['last']}  {state} {speed}  {HELP}"
        width = self._output.console.width
        return line[: width - 1]
