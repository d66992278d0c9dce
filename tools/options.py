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

    `--log-format` reads `QUESTLOG_LOG_FORMAT`; the longest of several names counts.
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
    import re
    import sqlite3
    from contextlib import closing

    from eventstore.errors import StoreError
    from eventstore.sqlite.location import path_of

    try:
        path = path_of(str(ctx.params.get("store") or DEFAULT_STORE))
        uri = f"file:{quote(path.absolute().as_posix())}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as connection:
            rows = connection.execute(
                "SELECT campaign_id FROM campaign WHERE substr(campaign_id, 1, ?) = ?"
                " ORDER BY campaign_id LIMIT ?",
                (len(incomplete), incomplete, COMPLETED),
            ).fetchall()
    except (sqlite3.Error, StoreError, OSError):
        return []
    # A shell puts an offer on the line as it is, and whoever makes a campaign chooses its id: one
    # that a shell would read as more than a word, like $(reboot), is not offered.
    return [str(row[0]) for row in rows if re.fullmatch(r"[\w.@+-]+", str(row[0]))]


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
