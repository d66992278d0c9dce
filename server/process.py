"""The process a server runs in: its event loop, and how often the garbage collector looks."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

# A server holds documents and logs of its clients by the million containers, nearly all of them
# free of cycles: at the default thresholds (700, 10, 10) the collector walks them over and over,
# which takes a quarter of the time of a commit.
COLLECT_AFTER = (50_000, 20, 50)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` as the whole work of this process: on uvloop where there is one."""
    gc.set_threshold(*COLLECT_AFTER)
    _raise_file_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _raise_file_limit() -> None:
    """Allow as many open files as the system does: each socket is one, and 1,024 are soon taken."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        # macOS calls its limit infinite, and then refuses it.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop
