"""Settings of a server: each a number with a default; `serve` has an option for every one."""

from __future__ import annotations

from msgspec import Struct

from questlog.document import Limits


class Config(Struct, frozen=True, kw_only=True):
    """How a server runs.

    Attributes:
        open: ask nobody for a token; callers must be on this machine.
        max_body: the largest request body or socket message, in bytes.
        max_document: the largest document, encoded, in bytes.
        max_depth: how deep JSON may be nested.
        max_operations: how many operations a patch may have.
        max_header: the largest request line or header field, in bytes.
        outbox: how many bytes may wait for a slow player before deltas to it stop.
        slow_timeout: seconds a player may stay slow before it is closed with 4001.
        silence_timeout: seconds without a frame from a player before it is closed with 4008.
        heartbeat: seconds at rest between two heartbeats.
        idle_timeout: seconds after which a campaign that nobody uses leaves memory.
        max_pipelined: how many unanswered commits a socket may have before it is read no further.
    """

    open: bool = False
    max_body: int = 16 * 1024 * 1024
    max_document: int = 16 * 1024 * 1024
    max_depth: int = 100
    max_operations: int = 10_000
    max_header: int = 16 * 1024
    outbox: int = 1024 * 1024
    slow_timeout: float = 120.0
    silence_timeout: float = 45.0
    heartbeat: float = 20.0
    idle_timeout: float = 300.0
    max_pipelined: int = 64

    def document_limits(self) -> Limits:
        """Return the limits of a campaign's document."""
        return Limits(
            max_bytes=self.max_document,
            max_depth=self.max_depth,
            max_operations=self.max_operations,
        )

    def message_limits(self) -> Limits:
        """Return the limits of one request body or socket message."""
        return Limits(
            max_bytes=self.max_body,
            max_depth=self.max_depth + 4,
            max_operations=self.max_operations,
        )
