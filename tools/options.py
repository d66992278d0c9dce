"""Options the commands share: each has an environment variable, named after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound="Callable[..., Any] | click.Command")

DEFAULT_STORE = "sqlite:///questlog.db"
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


store_option = option(
    "--store",
    default=DEFAULT_STORE,
    metavar="URL",
    help="The store: sqlite:///FILE (relative) or sqlite:////PATH.",
)
json_option = option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, for programs."
)
url_option = option(
    "--url", default=DEFAULT_URL, metavar="URL", help="The running server: http://HOST:PORT."
)
