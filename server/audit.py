"""What was refused: one line in the structured log, and one more in the metrics.

Neither says a word of what a caller sent: no token, no document, no header. A path stands in the
log without its query, and a provider's user without a name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from questlog.campaign.errors import Rejection

# Where a request keeps how logs name its caller.
LABEL: web.RequestKey[str] = web.RequestKey("questlog.label", str)
# What a patch or a document went over is told by the document's side; the setting has its own name.
SETTINGS_OF_LIMITS = (("max_bytes", "max_document"),)


class Audit:
    """Counts and logs refusals, and tells how much there is of what is limited.

    Args:
        log: a structlog logger.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._registry = CollectorRegistry()
        self._refused = Counter(
            "questlog_refused",
            "Requests, messages and connections that were refused, by error code.",
            ["code"],
            registry=self._registry,
        )
        self._limited = Counter(
            "questlog_limited",
            "Times a limit was met, by the setting that holds it.",
            ["limit"],
            registry=self._registry,
        )

    def refused(self, rejection: Rejection, *, who: str, where: str, what: str) -> None:
        """Record that `what`, asked by `who` from the address `where`, was refused."""
        self._refused.labels(rejection.code).inc()
        if rejection.limit is not None:
            self.limited(rejection.limit)
        self._log.info(
            "refused", who=who, remote=where, what=what, code=rejection.code, why=rejection.message
        )

    def limited(self, limit: str) -> None:
        """Count one more time that the limit of this setting was met."""
        self._limited.labels(dict(SETTINGS_OF_LIMITS).get(limit, limit)).inc()

    def watch(self, name: str, what: str, count: Callable[[], float]) -> None:
        """Tell, among the metrics, the number `count` returns as `questlog_{name}`."""
        gauge = Gauge(f"questlog_{name}", what, registry=self._registry)
        gauge.set_function(count)

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)
