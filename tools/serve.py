"""`questlog serve`: the server as a process."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from server.config import Config
from tools.options import option, store_option

if TYPE_CHECKING:
    import ssl

    from eventstore.port import EventStore
    from server.access.file import AccessFile

# A whole hall of players comes back at once after a restart.
BACKLOG = 4096


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every number in Config, with Config's own words as help."""
    sentences = described(inspect.getdoc(Config) or "")
    for field in reversed(msgspec.structs.fields(Config)):
        if type(field.default) not in (int, float):
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
@option(
    "--tls-cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A certificate, with its chain: serve https. PEM.",
)
@option(
    "--tls-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The certificate's key, where it is not in the same file.",
)
@option(
    "--allow-origin",
    multiple=True,
    default=(),
    show_default=False,
    metavar="ORIGIN",
    help="A page of this origin may call from a browser: https://app.example. May be repeated.",
)
@option(
    "--trusted-proxy",
    multiple=True,
    default=(),
    show_default=False,
    metavar="NETWORK",
    help="Believe X-Forwarded-For and -Proto of these: 127.0.0.1, 10.0.0.0/8. May be repeated.",
)
@option("--oidc-issuer", default="", metavar="URL", help="Take tokens of this OpenID provider.")
@option("--oidc-audience", default="", metavar="TEXT", help="What its tokens must be made for.")
@option(
    "--oidc-claim", default="", metavar="NAME", help="The claim that gives seats, where one does."
)
@option(
    "--oidc-client-id",
    default="",
    metavar="ID",
    help="Let people sign in at the pages, as this public client of the provider.",
)
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
    tls_cert: Path | None,
    tls_key: Path | None,
    log_format: Literal["console", "json"],
    log_level: str,
    **settings: Any,
) -> None:
    """Serve the campaigns of a store, until SIGTERM or ^C.

    Whoever comes needs a token: `questlog token` and `questlog invite` make them. Prints one line
    to standard output once it listens; logs go to standard error.
    """
    from server.logs import make_logger
    from server.process import run

    config = Config(open=is_open, **settings)
    check_config(config, host)
    tls = tls_context(tls_cert, tls_key)
    log = make_logger(log_format, log_level)
    run(_serve(config, Listener(host=host, port=port, tls=tls), store, log))


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens; `tls` None: in plain text."""

    host: str
    port: int
    tls: Any = None


def check_config(config: Config, host: str) -> None:
    """Refuse settings that could not mean what they were given for.

    Raises:
        click.UsageError: says which, and why.
    """
    from server.access.provider import check_issuer
    from server.addresses import networks
    from server.guards import check_origins, is_loopback

    if config.open and not is_loopback(host):
        raise click.UsageError(f"--open listens on the loopback only, and {host} is not that.")
    try:
        check_origins(config.allow_origin)
        networks(config.trusted_proxy)
        if config.oidc_issuer:
            check_issuer(config.oidc_issuer)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if bool(config.oidc_issuer) != bool(config.oidc_audience):
        raise click.UsageError("--oidc-issuer and --oidc-audience are given together.")
    if config.oidc_claim and not config.oidc_issuer:
        raise click.UsageError("--oidc-claim is a claim of a provider: --oidc-issuer names it.")
    if config.oidc_client_id and not config.oidc_issuer:
        raise click.UsageError(
            "--oidc-client-id is a client of a provider: --oidc-issuer names it."
        )
    if config.open and config.oidc_issuer:
        raise click.UsageError("--open asks nobody for a token, a provider's neither.")


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return what serves https with these files, None where none is given.

    Raises:
        click.UsageError: they cannot be used.
    """
    if certificate is None:
        if key is not None:
            raise click.UsageError("--tls-key is the key of a certificate: --tls-cert names it.")
        return None
    import ssl

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"The certificate cannot be used: {error}.") from error
    return context


def _no_password() -> str:
    raise ValueError("the key asks for a password, and nobody is there to give it")


async def _serve(config: Config, listener: Listener, store_url: str, log: Any) -> None:
    import asyncio
    import signal

    from eventstore.sqlite.store import SqliteStore
    from server.access.file import AccessFile
    from server.guards import is_loopback

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        store = await SqliteStore.open(store_url)
        stack.push_async_callback(store.close)
        access = None
        if not config.open:
            access = await AccessFile.open(store_url)
            stack.push_async_callback(access.close)
        if not (is_loopback(listener.host) or listener.tls or config.trusted_proxy):
            log.warning("tokens travel in plain text: use --tls-cert, or a proxy that does")
        async with listening(config, listener, store, log, access) as url:
            click.echo(f"questlog listening on {url}")
            await stop.wait()
            log.info("stopping")


@asynccontextmanager
async def listening(
    config: Config,
    listener: Listener,
    store: EventStore,
    log: Any,
    access: AccessFile | None = None,
) -> AsyncIterator[str]:
    """Serve `store` for as long as the context lasts; yields the server's URL.

    Leaving it finishes what was accepted and tells the sockets; the caller closes the files.

    Raises:
        click.ClickException: the port cannot be listened on.
    """
    from aiohttp import web

    from server.app import make_app, make_runner
    from server.clock import SystemClock

    host, port, tls = listener.host, listener.port, listener.tls
    runner = make_runner(make_app(config, store, SystemClock(), log, access=access))
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG, ssl_context=tls).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            sentence = f"Cannot listen on {host} port {port}: {why}."
            raise click.ClickException(sentence) from error
        yield address(runner.addresses[0], "http" if tls is None else "https")
    finally:
        await runner.cleanup()


def address(bound: Any, scheme: str) -> str:
    """Return the URL of what a listening socket is bound to (`getsockname`)."""
    host, port = bound[0], bound[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
