"""What was refused: one line in the structured log, and one more in the metrics.

Neither says a word of what a caller sent: no token, no document, no header. A path stands in the
log without its query, and a provider's user without a name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from questlog.campaign.errors import Rejection, rejections
from questlog.campaign.ids import MAX_NAME
from server.addresses import counted_as
from server.limits import Buckets
from server.metrics import Metrics

# Where a request keeps how logs name its caller.
LABEL: web.RequestKey[str] = web.RequestKey("questlog.label", str)
MAX_METHOD = 20
# A stranger must not be able to fill a disk with lines about itself.
LINES_A_SECOND, LINES_AT_ONCE = 5.0, 100.0
# Their sentences are ours alone; others name a member, a pointer or an operation as it was sent.
TOLD = frozenset({"unauthenticated", "forbidden", "rate_limited"})


class Audit:
    """Logs refusals, and has them counted.

    Args:
        log: a structlog logger.
        now: returns monotonic seconds.
    """

    def __init__(self, log: Any, now: Callable[[], float], metrics: Metrics) -> None:
        self._log = log
        self._now = now
        self._metrics = metrics
        self._lines = Buckets(LINES_A_SECOND, LINES_AT_ONCE)
        self._unlogged = 0

    def refused(self, rejection: Rejection, *, who: str, where: str, what: str) -> None:
        """Record that `what`, asked by `who` from the address `where`, was refused."""
        self._metrics.refused(rejection.code, rejection.limit)
        if self._lines.take(counted_as(where), self._now()):
            self._unlogged += 1
            return
        unlogged, self._unlogged = self._unlogged, 0
        self._log.info(
            "refused",
            who=who,
            remote=where,
            what=what,
            code=rejection.code,
            why=_why(rejection),
            unlogged=unlogged,
        )

    def diverged(self, who: str, where: str, version: int, ours: str, theirs: str) -> None:
        """Record that a replica held something else than its view; both digests tell which."""
        self._metrics.diverged()
        if self._lines.take(counted_as(where), self._now()):
            self._unlogged += 1
            return
        self._log.warning(
            "divergence", who=who, remote=where, version=version, ours=ours, theirs=theirs
        )

    def limited(self, limit: str) -> None:
        """Count one more time that the limit of this setting was met."""
        self._metrics.limited(limit)


def named(request: web.Request) -> str:
    """Return how logs name a call: its method and path, without what else was sent."""
    resource = request.match_info.route.resource
    if resource is None:
        return f"{request.method[:MAX_METHOD]} (no such path)"
    campaign_id = request.match_info.get("id", "")[:MAX_NAME]
    return f"{request.method} {resource.canonical}".replace("{id}", campaign_id)


def _why(rejection: Rejection) -> str:
    """Return a sentence that quotes nobody: the rejection's own, or the one its code always has."""
    if rejection.code in TOLD:
        return rejection.message
    return rejections().get(rejection.code, Rejection)().message
