"""`questlog serve`: the server as a process."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from server.config import Config
from tools.options import option, store_option

if TYPE_CHECKING:
    from eventstore.port import EventStore

# A whole hall of players comes back at once after a restart.
BACKLOG = 4096
CLOSED = "There are no tokens in this release: only --open lets anyone in, on this machine alone."


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every number in Config, with Config's own words as help."""
    sentences = described(inspect.getdoc(Config) or "")
    for field in reversed(msgspec.structs.fields(Config)):
        if type(field.default) is bool:
            continue
        smallest = 1 if type(field.default) is int else 0
        kind = click.IntRange if smallest else FiniteRange
        command = option(
            f"--{field.name.replace('_', '-')}",
            type=kind(min=smallest, min_open=not smallest),
            default=field.default,
            help=sentences[field.name],
        )(command)
    return command


class FiniteRange(click.FloatRange):
    """A range of floats without the two that no comparison refuses."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return `value` as a number that can be waited for."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return number


def described(text: str) -> dict[str, str]:
    """Return the sentence a docstring's `Attributes:` has for each name."""
    sentences: dict[str, str] = {}
    name = ""
    for line in text.partition("Attributes:\n")[2].splitlines():
        head, colon, rest = line.strip().partition(": ")
        if colon and head.isidentifier():
            name, sentences[head] = head, rest
        elif name:
            sentences[name] += f" {line.strip()}"
    return {name: text[:1].upper() + text[1:] for name, text in sentences.items()}


@click.command()
@option("--host", default="127.0.0.1", help="The address to listen on; with --open the loopback.")
@option("--port", type=click.IntRange(0, 65535), default=8765, help="0 picks a free one.")
@store_option
@option("--open", "is_open", is_flag=True, help="Ask nobody for a token; this machine only.")
@option("--log-format", type=click.Choice(["console", "json"]), default="console", help="Of logs.")
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="The least that is logged.",
)
@setting_options
def serve(
    host: str,
    port: int,
    store: str,
    is_open: bool,
    log_format: Literal["console", "json"],
    log_level: str,
    **settings: Any,
) -> None:
    """Serve the campaigns of a store, until SIGTERM or ^C.

    Prints one line to standard output once it listens; logs go to standard error.
    """
    from server.guards import is_loopback

    if not is_open:
        raise click.UsageError(CLOSED)
    if not is_loopback(host):
        raise click.UsageError(f"--open listens on the loopback only, and {host} is not that.")
    from server.logs import make_logger
    from server.process import run

    log = make_logger(log_format, log_level)
    run(_serve(Config(open=True, **settings), host, port, store, log))


async def _serve(config: Config, host: str, port: int, store_url: str, log: Any) -> None:
    import asyncio
    import signal

    from eventstore.sqlite.store import SqliteStore

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = await SqliteStore.open(store_url)
    try:
        async with listening(config, host, port, store, log) as url:
            click.echo(f"questlog listening on {url}")
            await stop.wait()
            log.info("stopping")
    finally:
        await store.close()


@asynccontextmanager
async def listening(
    config: Config, host: str, port: int, store: EventStore, log: Any
) -> AsyncIterator[str]:
    """Serve `store` for as long as the context lasts; yields the server's URL.

    Leaving it finishes what was accepted and tells the sockets; the caller closes the store.

    Raises:
        click.ClickException: the port cannot be listened on.
    """
    from aiohttp import web

    from server.app import make_app, make_runner
    from server.clock import SystemClock

    runner = make_runner(make_app(config, store, SystemClock(), log))
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            sentence = f"Cannot listen on {host} port {port}: {why}."
            raise click.ClickException(sentence) from error
        yield address(runner.addresses[0])
    finally:
        await runner.cleanup()


def address(bound: Any) -> str:
    """Return the URL of what a listening socket is bound to (`getsockname`)."""
    host, port = bound[0], bound[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
