"""Options the commands share: each has an environment variable, named after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import click

Decorated = TypeVar("Decorated", bound="Callable[..., Any] | click.Command")

DEFAULT_STORE = "sqlite:///questlog.db"
TEN_YEARS = 315_360_000
# So many are offered; more would fill the screen.
COMPLETED = 200
DEFAULT_URL = "http://127.0.0.1:8765"


def option(*names: str, **settings: Any) -> Callable[[Decorated], Decorated]:
    """Return `click.option` that also reads `QUESTLOG_…` and shows so in `--help`.

    `--log-format` reads `QUESTLOG_LOG_FORMAT`; the longest of several names counts. Where the same
    option takes something else in another command, one of them needs an `envvar` of its own, or a
    variable meant for the one would change what the other does.
    """
    flag = max((name.partition("/")[0] for name in names if name.startswith("--")), key=len)
    settings.setdefault("envvar", "QUESTLOG_" + flag.removeprefix("--").replace("-", "_").upper())
    settings.setdefault("show_envvar", True)
    settings.setdefault("show_default", True)
    decorate: Callable[[Decorated], Decorated] = click.option(*names, **settings)
    return decorate


class Duration(click.ParamType[int]):
    """A length of time as people write it: `90s`, `45m`, `12h`, `30d`; in seconds."""

    name = "duration"
    units: Mapping[str, int] = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86_400})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds, at least 1 and at most ten years."""
        if isinstance(value, int):
            return value
        number, unit = str(value)[:-1], self.units.get(str(value)[-1:].lower())
        if unit is None or not (number.isascii() and number.isdigit() and len(number) < 10):
            self.fail(f"{value!r} is no length of time: 90s, 45m, 12h or 30d.", param, ctx)
        seconds = int(number) * unit
        if not 1 <= seconds <= TEN_YEARS:
            self.fail(f"{value!r} is not between a second and ten years.", param, ctx)
        return seconds


def complete_campaigns(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the campaigns of the store that begin so; none where it cannot be read."""
    sql = (
        "SELECT campaign_id FROM campaign WHERE substr(campaign_id, 1, length(:begin)) = :begin"
        " ORDER BY campaign_id LIMIT :most"
    )
    return _offered(ctx, sql, {"begin": incomplete})


def complete_tables(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the tables of the store at which a campaign is played and that begin so."""
    sql = (
        "SELECT active_table FROM campaign WHERE substr(active_table, 1, length(:begin)) = :begin"
        " ORDER BY active_table LIMIT :most"
    )
    return _offered(ctx, sql, {"begin": incomplete})


def complete_players(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the players who begin so: of the campaign's log, and those who have a seat there."""
    # After an option that waits for its value click leaves the arguments where they are.
    campaign = ctx.params.get("campaign") or next(iter(ctx.args), "")
    values = {"begin": incomplete, "campaign": str(campaign)}
    # From one member to the next by the index of ids: no walk through the log.
    logged = """
        WITH RECURSIVE known (member) AS (
            SELECT min(member) FROM event WHERE campaign_id = :campaign AND member >= :begin
            UNION ALL
            SELECT (SELECT min(member) FROM event
                    WHERE campaign_id = :campaign AND member > known.member)
            FROM known WHERE substr(known.member, 1, length(:begin)) = :begin
        )
        SELECT member FROM known WHERE substr(member, 1, length(:begin)) = :begin AND EXISTS
            (SELECT 1 FROM event e WHERE e.campaign_id = :campaign AND e.member = known.member
             AND e.role = 'player')
        LIMIT :most
    """
    seated = """
        SELECT member FROM member WHERE campaign_id = :campaign AND role = 'player'
            AND substr(member, 1, length(:begin)) = :begin ORDER BY member LIMIT :most
    """
    found = {*_offered(ctx, logged, values), *_offered(ctx, seated, values, suffix=".access")}
    return sorted(found)[:COMPLETED]


def complete_viewers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return whom a view may be made for: `dm`, `player`, `spectator`, `player:ID`."""
    prefix = "player:"
    found = [each for each in ("dm", "player", "spectator") if each.startswith(incomplete)]
    if incomplete.startswith(prefix) or prefix.startswith(incomplete):
        players = complete_players(ctx, param, incomplete.removeprefix(prefix[: len(incomplete)]))
        found += [prefix + each for each in players]
    return found


def _offered(
    ctx: click.Context, sql: str, values: Mapping[str, str], suffix: str = ""
) -> list[str]:
    """Return what SQL finds in the store, or in a file beside it; none where it cannot be read."""
    import os
    import re
    import sqlite3
    from contextlib import closing

    from eventstore.errors import StoreError
    from eventstore.sqlite.location import path_of

    store = ctx.params.get("store") or os.environ.get("QUESTLOG_STORE") or DEFAULT_STORE
    try:
        path = path_of(str(store))
        path = path.with_name(path.name + suffix)
        # Who may write closes the file as it was; who only reads would leave SQLite's beside it.
        mode = "rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "ro"
        uri = f"file:{quote(path.absolute().as_posix())}?mode={mode}"
        with closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as connection:
            connection.execute("PRAGMA query_only = ON")
            rows = connection.execute(sql, {**values, "most": COMPLETED}).fetchall()
    except (sqlite3.Error, StoreError, OSError, ValueError):
        return []
    # A shell puts an offer on the line as it is, and whoever makes a campaign chooses its id: one
    # that a shell would read as more than a word, like $(reboot), is not offered.
    return [str(row[0]) for row in rows if re.fullmatch(r"[\w.@+:,-]+", str(row[0]))]


campaign_argument = click.argument("campaign", shell_complete=complete_campaigns)
store_option = option(
    "--store",
    default=DEFAULT_STORE,
    metavar="URL",
    help="The store: sqlite:///FILE (relative) or sqlite:////PATH.",
)
json_option = option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, for programs."
)
token_option = option(
    "--token", metavar="TOKEN", help="Who calls: `questlog token` and an invite give one."
)
url_option = option(
    "--url", default=DEFAULT_URL, metavar="URL", help="The running server: http://HOST:PORT."
)
