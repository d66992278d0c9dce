"""`questlog rewind` and `fork`: an earlier version, brought back or gone on from.

They call a server: the running one (`--url`), or, where none has the store open, one of their own
on this machine, which takes the store's lock for as long as the call lasts. So what is checked,
logged and told is the same either way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from questlog.campaign.errors import rejection_of
from questlog.document import BadPointer, parse
from tools.options import campaign_argument, json_option, option, store_option, token_option
from tools.reading import answer, opened
from tools.render import Output, Part, changes

if TYPE_CHECKING:
    from aiohttp import ClientSession

BRIEF = 60
server_option = option(
    "--url", metavar="URL", help="The running server; without, the store must be nobody else's."
)


class Server:
    """A server, as one who may change a campaign calls it."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def call(
        self, method: str, campaign: str, path: str, body: Any = None, key: str | None = None
    ) -> Any:
        """Return the JSON of an answer.

        Raises:
            Rejection: the server refused.
            click.ClickException: no server of ours answered.
        """
        import aiohttp

        url = f"{self._url}/api/campaigns/{quote(campaign, safe='')}{path}"
        try:
            async with self._session.request(
                method, url, json=body, headers={} if key is None else {"Idempotency-Key": key}
            ) as response:
                found = await response.json(content_type=None)
                if response.ok:
                    return found
                if isinstance(found, dict) and isinstance(found.get("code"), str):
                    detail = found.get("detail") or found.get("title") or found["code"]
                    # What the store said is what the other commands say of it.
                    code = str(found.get("cause") or found["code"])
                    raise rejection_of(code, str(detail), found.get("version"))
                raise click.ClickException(f"{self._url} answered with HTTP {response.status}.")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise click.ClickException(f"There is no Questlog server at {self._url}.") from error


@asynccontextmanager
async def server_of(
    store: str, url: str | None, token: str | None, campaign: str
) -> AsyncIterator[Server]:
    """Yield the server at `url`, or one over the store for as long as the context lasts.

    Raises:
        StoreError: the store is not there, or a server has it open.
    """
    from aiohttp import ClientSession

    async with AsyncExitStack() as stack:
        own = None if url else await stack.enter_async_context(_own(store, campaign))
        where, shown = own or (url or "", token)
        headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
        yield Server(await stack.enter_async_context(ClientSession(headers=headers)), where)


@asynccontextmanager
async def _own(store_url: str, campaign: str) -> AsyncIterator[tuple[str, str]]:
    """Serve the store on this machine alone; yields the URL and a token for a DM."""
    from eventstore.errors import StoreLockedError
    from eventstore.sqlite.store import SqliteStore
    from server.access.tokens import mint
    from server.config import Config
    from server.logs import make_logger
    from tools.access import now_ms, opened_access
    from tools.serve import Listener, listening

    async with AsyncExitStack() as stack:
        # Whoever writes makes a store where there is none; this is for one that is there.
        await stack.enter_async_context(opened(store_url))
        try:
            store = await SqliteStore.open(store_url)
        except StoreLockedError as error:
            raise StoreLockedError(f"{error.message} Or give its --url.") from error
        stack.push_async_callback(store.close)
        access = await stack.enter_async_context(opened_access(store_url))
        listener = Listener(host="127.0.0.1", port=0)
        # What is refused is in the answer, which is printed: the log is for faults.
        log = make_logger("console", "error")
        url = await stack.enter_async_context(listening(Config(), listener, store, log, access))
        key = (await access.keys())[0]
        token = mint(
            key,
            access.audience,
            campaign_id=campaign,
            role="dm",
            player_id=None,
            now_ms=now_ms(),
            lasts=BRIEF,
        )
        yield url, token


@click.command()
@campaign_argument
@click.argument("version", type=click.IntRange(min=1))
@option("--only", metavar="POINTER", help="Bring back what was at this place, and nothing else.")
@option("--preview", is_flag=True, help="Change nothing; say what would change, and who saw it.")
@option("--id", "identifier", metavar="ID", help="By which the same, asked again, is known.")
@server_option
@token_option
@store_option
@json_option
def rewind(
    campaign: str,
    version: int,
    only: str | None,
    preview: bool,
    identifier: str | None,
    url: str | None,
    token: str | None,
    store: str,
    as_json: bool,
) -> None:
    """Bring back the document that CAMPAIGN had at VERSION, by one more event.

    Nothing is taken out of the log, so a rewind can be rewound.
    """
    try:
        parse(only or "")
    except BadPointer as error:
        raise click.BadParameter(f"{error}.", param_hint="--only") from error
    body = {"to_version": version, "only": only, "preview": preview}

    async def work() -> None:
        async with server_of(store, url, token, campaign) as server:
            state = await server.call("GET", campaign, "/state")
            done = await server.call("POST", campaign, "/rewind", body, identifier)
        if as_json:
            Output().json(done)
        elif preview:
            _print_preview(state["structured_data"], done)
        else:
            _print_rewound(campaign, state, done)

    answer(work(), as_json=as_json)


def _print_rewound(campaign: str, state: dict[str, Any], done: dict[str, Any]) -> None:
    output = Output()
    if done["duplicate"]:
        output.line(f"{campaign}: version {done['version']} did this before.")
        return
    if state["version"] == done["version"] - 1:
        _print_patch(output, state["structured_data"], done["patch"])
    output.line((f"{campaign} is at version {done['version']}.", "bold"))


def _print_preview(document: dict[str, Any], told: dict[str, Any]) -> None:
    output = Output()
    _print_patch(output, document, told["patch"])
    for witness in told["seen"]:
        who = witness["player_id"] or f"a {witness['role']}"
        output.line((f"{who} has seen, as of version {witness['version']}:", "bold"))
        for operation in witness["patch"]:
            output.line(f"  {operation['path'] or '(the whole view)'}")
    if not told["seen"]:
        output.line("Nobody is known to have seen what this would undo.")


def _print_patch(output: Output, document: dict[str, Any], patch: list[dict[str, Any]]) -> None:
    lines: list[Part] = list(changes(document, patch))
    for line in lines or ["Nothing would change."]:
        output.line(line)


@click.command()
@campaign_argument
@click.argument("new")
@option(
    "--at",
    type=click.IntRange(min=1),
    envvar="QUESTLOG_FORK_AT",
    help="The version to go on from; the head, if none.",
)
@option("--id", "identifier", metavar="ID", help="By which the same, asked again, is known.")
@server_option
@token_option
@store_option
@json_option
def fork(
    campaign: str,
    new: str,
    at: int | None,
    identifier: str | None,
    url: str | None,
    token: str | None,
    store: str,
    as_json: bool,
) -> None:
    """Make a campaign NEW of the log of CAMPAIGN, up to a version; from there on each is its own.

    `questlog diff CAMPAIGN@10 NEW@12` compares the two.
    """

    async def work() -> None:
        async with server_of(store, url, token, campaign) as server:
            version = at or (await server.call("GET", campaign, ""))["version"]
            body = {"new_id": new, "at_version": version}
            done = await server.call("POST", campaign, "/fork", body, identifier)
        if as_json:
            Output().json(done)
            return
        again = " (it was made before)" * done["duplicate"]
        Output().line(f"{new} goes on from version {version} of {campaign}{again}.")

    answer(work(), as_json=as_json)
