"""Structured logs, to standard error: JSON for programs, colours for people, secrets for nobody."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog

Format = Literal["console", "json"]


def make_logger(kind: Format, level: str) -> Any:
    """Return the server's logger, and lead the libraries' own logs the same way.

    aiohttp's WebSocket logger is silenced: it quotes the subprotocols a client offers, and one of
    them may be a token.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if kind == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.INFO))
    logging.getLogger("aiohttp.websocket").setLevel(logging.CRITICAL + 1)
    return structlog.wrap_logger(
        logging.getLogger("questlog"),
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
