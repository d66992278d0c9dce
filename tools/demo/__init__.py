"""The demo campaign: one evening of play for four heroes, in the recording format."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def recording_path() -> Path:
    """Return where the recorded evening lies: UTF-8, one JSON object a line.

    The first line is the header with `initial_state`, each later one a step with the whole
    document after it. The file is looked for in the installed package and not opened.
    """
    return Path(str(resources.files(__name__).joinpath("evening.jsonl")))
