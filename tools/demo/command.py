"""`questlog demo`: serve a campaign, perform it, and show what its players see, in one process."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tools.options import option
from tools.play import speed_option

if TYPE_CHECKING:
    import asyncio

    import aiohttp

    from eventstore.port import EventStore
    from server.access.file import AccessFile
    from tools.demo.doors import Doors
    from tools.recording import Recording

TABLE = "main"
PLAYERS = ("mira", "tobin")
LOOPBACK = "127.0.0.1"
# An evening has minutes between two steps; nobody waits that long for a demo.
USUAL, LONGEST = 1.5, 2.5


@click.command()
@option(
    "--store",
    envvar="QUESTLOG_DEMO_STORE",
    default="sqlite:///demo.db",
    metavar="URL",
    help="A store of the demo's own.",
)
@option("--port", type=click.IntRange(0, 65535), default=8765, help="A free one where it is taken.")
@speed_option
def demo(store: str, port: int, speed: float | None) -> None:
    """Serve and perform the demo campaign, and show it as its players see it.

    Goes on serving when the evening is over, until ^C. Run again, it goes on where it was; an
    evening that is over is performed anew as another campaign.
    """
    from server.process import run

    run(_until_stopped(store, port, speed))


async def _until_stopped(store_url: str, port: int, speed: float | None) -> None:
    """Run the demo until it fails or a signal ends it."""
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = asyncio.create_task(_demo(store_url, port, speed))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        click.echo("The demo is over; the log keeps it all.")


async def _demo(store_url: str, port: int, speed: float | None) -> None:
    import aiohttp

    from eventstore.sqlite.store import SqliteStore
    from server.logs import make_logger
    from tools.access import opened_access
    from tools.demo import recording_path
    from tools.demo.doors import Doors

    async with AsyncExitStack() as stack:
        store = await SqliteStore.open(store_url)
        stack.push_async_callback(store.close)
        access = await stack.enter_async_context(opened_access(store_url))
        url = await _listen(stack, store, port, make_logger("console", "error"), access)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        doors = Doors(access, store_url, url)
        await _perform(stack, session, doors, recording_path(), speed)


async def _listen(
    stack: AsyncExitStack, store: EventStore, port: int, log: Any, access: AccessFile
) -> str:
    """Serve until the stack is left; returns where."""
    from server.config import Config
    from tools.serve import Listener, listening

    def serving(port: int) -> Any:
        return listening(Config(), Listener(host=LOOPBACK, port=port), store, log, access)

    try:
        return str(await stack.enter_async_context(serving(port)))
    except click.ClickException as error:
        if port == 0:
            raise
        click.echo(f"{error.message} Taking a free port instead.")
        return str(await stack.enter_async_context(serving(0)))


async def _perform(
    stack: AsyncExitStack,
    session: aiohttp.ClientSession,
    doors: Doors,
    path: Path,
    speed: float | None,
) -> None:
    """Perform the recording before the eyes of a player, and go on serving afterwards."""
    import asyncio

    from questlog.client import CampaignClient
    from tools.demo.view import show
    from tools.performer import Pace, Performer
    from tools.recording import Recording, count_steps

    recording = stack.enter_context(Recording(path))
    url = doors.url
    campaign_id, done, version = await _choose(session, doors, recording, count_steps(path))
    links = [(who, await doors.link(campaign_id, who)) for who in (*PLAYERS, "dm")]
    click.echo(guide(doors, campaign_id, links))
    seat = await doors.token(campaign_id, "player", PLAYERS[0])
    player = await stack.enter_async_context(CampaignClient(url, table=TABLE, token=seat))
    await player.live()
    seat = await doors.token(campaign_id, "dm")
    dm = await stack.enter_async_context(
        CampaignClient(url, campaign_id, role="dm", token=seat, session=session)
    )
    pace = Pace(speed, USUAL, LONGEST)
    performer = Performer(dm, recording, campaign_id, pace, lambda number: None)
    showing = asyncio.create_task(show(player))
    stack.push_async_callback(_let_go, showing)
    performing = asyncio.create_task(performer.run(done, version))
    stack.push_async_callback(_let_go, performing)
    await asyncio.wait({showing, performing}, return_when=asyncio.FIRST_COMPLETED)
    if showing.done():
        await showing
    performed = await performing
    await player.reached(performed.version)
    click.echo(f"The evening is over at version {performed.version}. Still serving; ^C ends it.")
    await showing


async def _let_go(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for it; what it came to is of no interest any more."""
    import asyncio

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _choose(
    session: aiohttp.ClientSession, doors: Doors, recording: Recording, steps: int
) -> tuple[str, int, int | None]:
    """Seat the campaign to perform at the table: one that was broken off, or a new one.

    Returns its id, the steps done, and its version where its document is that of the last of them.
    """
    from tools.performer import call, prepare

    first = recording.header.campaign_id
    number = 1
    while True:
        campaign_id = first if number == 1 else f"{first}-{number}"
        session.headers["Authorization"] = f"Bearer {await doors.token(campaign_id, 'dm')}"
        done, version = await prepare(session, doors.url, campaign_id, recording)
        if done < steps:
            break
        number += 1
        again = f"{first}-{number}"
        click.echo(f"{campaign_id} has been performed to its end; the next evening is {again}.")
    if done:
        click.echo(f"{campaign_id} was broken off after step {done}; it goes on from there.")
    path = f"{doors.url}/api/campaigns/{campaign_id}/activate"
    seated = await call(session, "POST", path, b'{"table":"%s"}' % TABLE.encode())
    # An activation is an event, and leaves the document as it was.
    return campaign_id, done, None if version is None else int(seated["version"])


def guide(doors: Doors, campaign_id: str, links: list[tuple[str, str]]) -> str:
    """Return how to follow along, in a browser or from another terminal."""
    questlog, store, url = program(), doors.store_url, doors.url
    token = f"{questlog} token --store {store} --campaign {campaign_id}"
    clickable = "\n".join(f"  {who:<6}{link}" for who, link in links)
    return f"""\
{campaign_id} is served at {url}. Open it in a browser, as somebody at the table:

{clickable}

Or follow along from another terminal:

  export QUESTLOG_TOKEN=$({token} --role player --player {PLAYERS[0]})
  {questlog} watch --url {url} --campaign {campaign_id}
  {questlog} log {campaign_id} --store {store} --follow
  {questlog} state {campaign_id} --store {store}
  {questlog} verify {campaign_id} --store {store}
  curl -H "Authorization: Bearer $({token} --role dm)" {url}/api/campaigns/{campaign_id}/state
"""


def program() -> str:
    """Return how this command was called, so that what is printed can be pasted."""
    called = Path(sys.argv[0])
    if shutil.which(called.name) or called.suffix == ".py":
        return "questlog"
    return os.path.relpath(called)
