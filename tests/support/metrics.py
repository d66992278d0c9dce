"""What `/metrics` says, read as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.support.peer import Caller


class Scrape:
    """One answer of `/metrics`.

    Attributes:
        names: of every metric, as a query names it, with the labels it has.
        samples: each metric's name, labels and value, in order.
        families: each metric's name without a suffix, and its type.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, str] = {}
        self.names: dict[str, set[str]] = {}
        self.samples: list[tuple[str, Mapping[str, str], float]] = []
        for family in text_string_to_metric_families(text):
            if family.name.endswith("_created"):
                # When a counter was begun: the client library tells it of each.
                continue
            self.families[family.name] = family.type
            for sample in family.samples:
                self.names.setdefault(sample.name, set()).update(sample.labels)
                self.samples.append((sample.name, sample.labels, sample.value))

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all that has these labels; 0 where there is none.

        Raises:
            KeyError: there is no such metric, or it never has such a label.
        """
        known = {label for n, found, _ in self.samples if n == name for label in found}
        if name not in self.names and name.removesuffix("_total") not in self.families:
            raise KeyError(name)
        if known and not labels.keys() <= known:
            raise KeyError(f"{name} has {sorted(known)}")
        return sum(
            value
            for n, found, value in self.samples
            if n == name and labels.items() <= found.items()
        )


async def scrape(call: Caller) -> Scrape:
    """Ask a server for its metrics."""
    async with call.session.get(f"{call.url}/metrics") as answer:
        assert answer.status == 200
        return Scrape(await answer.text())
