"""What people name on a command line: viewers, versions, moments. What is none is wrong usage."""

from __future__ import annotations

from datetime import datetime

import click

from questlog.campaign.errors import Invalid
from questlog.campaign.moments import parse_moment
from questlog.campaign.viewers import viewer_named
from questlog.campaign.visibility import Viewer
from tools.options import complete_viewers, option

# A version by its number, or by a moment at which it was the last.
Named = int | datetime
DIGITS = 18


def named(text: str, hint: str | None = None) -> Named:
    """Return the version a text names; `hint` says where it stands, outside of a callback.

    Raises:
        click.BadParameter: it names none.
    """
    if text.isascii() and text.isdigit() and len(text) <= DIGITS:
        return int(text)
    try:
        return parse_moment(text)
    except Invalid as error:
        sentence = f"{text!r} is no version, and no time like 2026-01-31T19:30:00Z."
        raise click.BadParameter(sentence, param_hint=hint) from error


def read_version(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Named | None:
    """Return the version an option names."""
    return None if text is None else named(text)


def read_moment(_ctx: click.Context, _param: click.Parameter, text: str | None) -> datetime | None:
    """Return the moment an option names."""
    try:
        return None if text is None else parse_moment(text)
    except Invalid as error:
        raise click.BadParameter(error.message) from error


def read_viewer(_ctx: click.Context, _param: click.Parameter, text: str) -> Viewer:
    """Return the viewer an option names."""
    try:
        return viewer_named(text)
    except Invalid as error:
        raise click.BadParameter(error.message) from error


def check_order(first: Named | None, last: Named | None) -> None:
    """Refuse a part of a log that ends before it begins, where that can be told without the log."""
    # There is no version 0, whatever comes first.
    numbers = isinstance(first, int) and isinstance(last, int) and first > last > 0
    moments = isinstance(first, datetime) and isinstance(last, datetime) and first > last
    if numbers or moments:
        raise backwards()


def backwards() -> click.UsageError:
    """Return the refusal of a part of a log that ends before it begins."""
    return click.UsageError("--from is later than --to.")


viewer_option = option(
    "--as",
    "viewer",
    default="dm",
    callback=read_viewer,
    metavar="WHO",
    help="dm, player, player:ID or spectator.",
    shell_complete=complete_viewers,
)
