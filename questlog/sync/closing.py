"""Close codes: why a socket was closed, and whether to come back.

4000-4399 come back (with backoff and jitter); 4400-4499 do not come back unchanged.
"""

from __future__ import annotations

from enum import IntEnum

FIRST_FINAL = 4400
LAST_FINAL = 4499
FIRST_OURS, LAST_OURS = 4000, 4999


class ClosedError(ConnectionError):
    """The client is closed: by its owner, or by a server that will not have it back as it is.

    Attributes:
        code: the contract's error code (`unknown_campaign`, …); `closed` where the owner closed it.
        close_code: the WebSocket close code (RFC 6455, 7.4), None where there was none.
    """

    def __init__(self, code: str, message: str, close_code: int | None = None) -> None:
        self.code = code
        self.message = message
        self.close_code = close_code
        super().__init__(message)


class CloseCode(IntEnum):
    """Every code a Questlog server closes a socket with."""

    RESTARTING = 1012
    TOO_SLOW = 4001
    SILENT = 4008
    SUPERSEDED = 4009
    TOO_MANY = 4029
    BAD_MESSAGE = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    UNKNOWN_CAMPAIGN = 4404
    TOO_LARGE = 4413


def is_final(code: int | None) -> bool:
    """Return whether a client closed with `code` must not come back unchanged."""
    return code is not None and FIRST_FINAL <= code <= LAST_FINAL


def is_ours(code: int | None) -> bool:
    """Return whether a Questlog server closed with `code`, and nothing on the way to it."""
    return code == CloseCode.RESTARTING or (code is not None and FIRST_OURS <= code <= LAST_OURS)


def closes_with(error_code: str) -> CloseCode:
    """Return the close code that follows an `error` of this code where the socket must close."""
    return {
        "unauthenticated": CloseCode.UNAUTHENTICATED,
        "forbidden": CloseCode.FORBIDDEN,
        "unknown_campaign": CloseCode.UNKNOWN_CAMPAIGN,
        "too_large": CloseCode.TOO_LARGE,
        "rate_limited": CloseCode.TOO_MANY,
        "store_unavailable": CloseCode.RESTARTING,
    }.get(error_code, CloseCode.BAD_MESSAGE)
