"""The metrics: counters that are kept as things happen, and gauges that are read when asked for.

A name says what is counted and in which unit (bytes, seconds); `docs/operating.md` has a line for
each, and `deploy/grafana.json` a panel. No label holds an id or anything else that was sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from questlog.sync.messages import Encoded

# What a patch or a document went over is told by the document's side; the setting has its own name.
SETTINGS_OF_LIMITS: Mapping[str, str] = MappingProxyType({"max_bytes": "max_document"})
DURABLE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
DELIVERED = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216)
# A peer may close with any number: what is none of these is counted as one.
CLIENT_CODES = frozenset({1000, 1001, 1006})


class Histogram(Collector):
    """How many values lie below each bound.

    The client library's own takes a lock for each bucket; a server counts in one thread, and twice
    for each commit.

    Args:
        bounds: upper ones, in order, each included; what is above the last is counted too.
    """

    def __init__(self, name: str, what: str, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._what = what
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield what was counted."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._what, buckets=buckets, sum_value=self._sum)


class Metrics:
    """What is counted, of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._refused = self._counter(
            "refused", "Requests, messages and connections that were refused.", "code"
        )
        self._limited = self._counter(
            "limited", "Times a limit was met, by the setting that holds it.", "limit"
        )
        self._divergences = self._counter(
            "divergences",
            "Replicas that held something else than the view they should, and were healed.",
        )
        self._closes = self._counter(
            "closes",
            "Connections that ended, by close code and by who ended them.",
            "code",
            "closed_by",
        )
        self._deliveries = self._counter(
            "deliveries", "Messages handed to connections, one for each.", "message"
        )
        self._delivered = self._counter(
            "delivered_bytes", "Bytes of the messages handed to connections.", "message"
        )
        self._catch_ups = self._counter(
            "catch_ups", "Peers brought to the head by one message, and why.", "message", "reason"
        )
        self._commit_seconds = self._histogram(
            "commit_seconds", "Seconds from a commit's arrival until it was on disk.", DURABLE
        )
        self._commit_bytes = self._histogram(
            "commit_bytes", "Bytes of the patches that were logged.", SIZES
        )
        self._delivery_seconds = self._histogram(
            "delivery_seconds",
            "Seconds from a version's publication until a client said that it holds it.",
            DELIVERED,
        )
        # Finding a child by its labels costs more than counting: each is looked for once.
        self._sent: dict[tuple[str, str | None], tuple[Counter, Counter, Counter | None]] = {}

    def refused(self, code: str, limit: str | None) -> None:
        """Count a refusal with this error code, by the limit that was met if it was one."""
        self._refused.labels(code).inc()
        if limit is not None:
            self.limited(limit)

    def limited(self, limit: str) -> None:
        """Count one more time that the limit of this setting was met."""
        self._limited.labels(SETTINGS_OF_LIMITS.get(limit, limit)).inc()

    def diverged(self) -> None:
        """Count a replica that held something else than its view."""
        self._divergences.inc()

    def closed(self, code: int, *, by_us: bool) -> None:
        """Count a connection that has ended.

        Args:
            code: the close code; 1006: it ended without one, as streams and polls do.
        """
        known = by_us or code in CLIENT_CODES
        self._closes.labels(str(code) if known else "other", "server" if by_us else "client").inc()

    def sent(self, message: Encoded, size: int, times: int = 1) -> None:
        """Count a message that was handed to so many connections, with `size` bytes to each."""
        counters = self._sent.get((message.sort, message.reason))
        if counters is None:
            counters = self._counters(message)
        number, amount, catch_ups = counters
        number.inc(times)
        amount.inc(size * times)
        if catch_ups is not None:
            catch_ups.inc(times)

    def committed(self, seconds: float, size: int) -> None:
        """Count a commit that is durable.

        Args:
            seconds: since it came.
            size: bytes of its patch, encoded.
        """
        self._commit_seconds.observe(seconds)
        self._commit_bytes.observe(size)

    def acknowledged(self, seconds: float) -> None:
        """Count a client that says it holds a version published so many seconds ago."""
        self._delivery_seconds.observe(seconds)

    def watch(self, collector: Collector) -> None:
        """Have what `collector` reads told as well, read whenever the metrics are asked for."""
        self._registry.register(collector)

    def text(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def _counters(self, message: Encoded) -> tuple[Counter, Counter, Counter | None]:
        sort, reason = message.sort, message.reason
        catch_ups = None if reason is None else self._catch_ups.labels(sort, reason)
        counters = self._deliveries.labels(sort), self._delivered.labels(sort), catch_ups
        self._sent[sort, reason] = counters
        return counters

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"questlog_{name}", what, labels, registry=self._registry)

    def _histogram(self, name: str, what: str, bounds: tuple[float, ...]) -> Histogram:
        histogram = Histogram(f"questlog_{name}", what, bounds)
        self._registry.register(histogram)
        return histogram
