"""Log lines as a server writes them, kept for a test to read."""

from __future__ import annotations

import json
from typing import Any

import structlog


class Lines:
    """Every line logged, as JSON text."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def text(self) -> str:
        """Return all of them."""
        return "\n".join(self.lines)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return those of one event, decoded."""
        found = [json.loads(line) for line in self.lines]
        return [line for line in found if line["event"] == name]

    def msg(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)

    debug = info = warning = error = exception = critical = msg


def lines_logger(lines: Lines) -> Any:
    """Return a structlog logger that writes JSON into `lines`."""
    return structlog.wrap_logger(
        lines,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=repr),
        ],
    )
