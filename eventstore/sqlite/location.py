"""Where a SQLite store is: the URL people write, and the file it names."""

from __future__ import annotations

import os
from pathlib import Path

from eventstore.errors import BadStoreUrlError

PREFIX = "sqlite:///"


def path_of(url: str) -> Path:
    """Return the file named by `sqlite:///relative/path` or `sqlite:////absolute/path`.

    Raises:
        BadStoreUrlError: the URL is of another kind or names no file.

    Links are followed, so that one file has one lock whatever it is called.
    """
    rest = url.removeprefix(PREFIX)
    if rest == url or not rest or rest.endswith("/") or "\0" in rest:
        raise BadStoreUrlError
    return Path(os.path.realpath(rest))
