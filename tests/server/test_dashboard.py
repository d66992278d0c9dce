"""The dashboard shows what there is: its queries, the server's metrics and the docs agree."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import guarded
from tests.support.metrics import Scrape, scrape
from tests.support.peer import put

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "deploy" / "grafana.json"
# What the client library tells of every process; the panels need no more than the others.
NOT_SHOWN = frozenset({"process_virtual_memory_bytes", "process_start_time_seconds"})
# Set by whoever scrapes, or on the way into a histogram.
ANYWHERE = frozenset({"job", "le"})
NAME = re.compile(r"\b(?:questlog|process)_\w+")
SELECTOR = re.compile(r"\b((?:questlog|process)_\w+)\{([^}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\bby \(([^)]*)\)")


def dashboard() -> dict[str, Any]:
    """Return the dashboard as it stands in the file."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def expressions() -> list[tuple[str, str]]:
    """Return the title of the panel and the query, of every query."""
    return [
        (panel["title"], target["expr"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    ]


def faults(expression: str, found: Scrape) -> Iterator[str]:
    """Yield what a query names that a scrape does not have, or has without that label."""
    names = set(NAME.findall(expression))
    if not names:
        yield "no metric"
    grouped = {
        label.strip() for group in GROUPING.findall(expression) for label in group.split(",")
    }
    for name in sorted(names):
        if name not in found.names:
            yield name
        else:
            yield from (f"{name} by {each}" for each in grouped - ANYWHERE - found.names[name])
    for name, selector in SELECTOR.findall(expression):
        known = found.names.get(name, set()) | ANYWHERE
        yield from (f"{name}{{{each}}}" for each in LABEL.findall(selector) if each not in known)


on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the client library tells of processes on Linux only"
)


@pytest.fixture(name="found")
async def _found(tmp_path: Path) -> Scrape:
    """Return the metrics of a server that has had something of everything."""
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        await dm.create("c", {"n": 0})
        async with served.calling("player", "mira") as mira, mira.socket(campaign_id="c") as peer:
            await peer.next()
            await dm.commit("c", put("/n", 1))
            await peer.next()
            await peer.say(type="heartbeat", version=2)
            await peer.until("heartbeat")
            await peer.socket.send_str("x" * 100_000)
            assert await peer.closed() == 4413
        return await scrape(dm)


def test_every_panel_has_a_query_and_a_place_of_its_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        where = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(where["x"], where["x"] + where["w"])
            for y in range(where["y"], where["y"] + where["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"]


def test_the_source_of_the_data_is_asked_for() -> None:
    variables = {each["name"]: each for each in dashboard()["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    used = {name for _, query in expressions() for name in re.findall(r"\$(\w+)", query)}
    assert used - {"__rate_interval"} <= set(variables)


@on_linux
async def test_every_query_names_metrics_and_labels_that_there_are(found: Scrape) -> None:
    wrong = [(title, fault) for title, query in expressions() for fault in faults(query, found)]
    assert wrong == []
    for variable in dashboard()["templating"]["list"][1:]:
        assert not list(faults(variable["query"]["query"], found)), variable["name"]


@on_linux
async def test_every_metric_is_on_the_dashboard(found: Scrape) -> None:
    shown = {name for _, query in expressions() for name in NAME.findall(query)}
    for family, kind in found.families.items():
        names = {name for name in found.names if name.removesuffix("_total") == family}
        if kind == "histogram":
            names = {f"{family}_bucket", f"{family}_count", f"{family}_sum"}
        assert names & shown or family in NOT_SHOWN, family
    assert set(found.families) >= NOT_SHOWN


async def test_a_query_that_is_wrong_is_found(found: Scrape) -> None:
    for query, fault in (
        ("sum(questlog_nothing)", "questlog_nothing"),
        ("rate(questlog_refused[5m])", "questlog_refused"),
        ("questlog_commit_seconds", "questlog_commit_seconds"),
        ("sum by (color) (questlog_connections)", "questlog_connections by color"),
        ('questlog_connections{role="dm", seat="c"}', "questlog_connections{seat}"),
        ("1 + 1", "no metric"),
    ):
        assert list(faults(query, found)) == [fault]


async def test_the_docs_name_every_metric_and_none_that_there_is_not(found: Scrape) -> None:
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    named = set(re.findall(r"\bquestlog_[a-z]\w+", text))
    assert named <= set(found.names) | set(found.families)
    for name in (family for family in found.families if family.startswith("questlog_")):
        row = re.search(rf"^\| `{name}(?:_total)?(?:\{{(.*)\}})?` \|", text, re.MULTILINE)
        assert row is not None, name
        listed = set(re.findall(r"\w+", row[1] or ""))
        labels = {x for n, each in found.names.items() if n.startswith(name) for x in each}
        assert listed == labels - ANYWHERE or not labels, name
