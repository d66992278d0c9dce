"""The examples in the documents are what they say they are, and what they point to is there."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from questlog.campaign.events import Event
from questlog.campaign.visibility import Rules, check_rules, default_rules
from questlog.document import Limits
from questlog.sync.messages import (
    CampaignUpdated,
    ClientMessage,
    Malformed,
    ServerMessage,
    read_client_message,
    read_server_message,
)
from server.problems import STATUSES, Problem
from tests.docs.markdown import ROOT, anchors, blocks, documents, links

PROTOCOL = ROOT / "docs" / "protocol.md"


def examples() -> list[dict[str, Any]]:
    """Return every JSON example of the protocol's document."""
    return [msgspec.json.decode(block.text) for block in blocks(PROTOCOL, "json")]


def tags(union: Any) -> set[str]:
    """Return the types of the messages of a union."""
    return {str(member.__struct_config__.tag) for member in union.__args__}


def test_every_message_has_an_example_that_its_reader_takes() -> None:
    shown: set[str] = set()
    for example in examples():
        # Heartbeats go both ways; only the server's are dated.
        if "timestamp" in example:
            text = msgspec.json.encode(example)
            message = read_server_message(text)
            assert msgspec.to_builtins(message) == example
            shown.add("server " + example["type"])
        elif example.get("type") in tags(ClientMessage):
            message_or_fault = read_client_message(msgspec.json.encode(example), Limits())
            assert not isinstance(message_or_fault, Malformed), message_or_fault
            shown.add("client " + example["type"])
    wanted = {f"server {tag}" for tag in tags(ServerMessage)}
    wanted |= {f"client {tag}" for tag in tags(ClientMessage)}
    assert shown == wanted


def test_an_update_is_shown_in_both_modes() -> None:
    updates = [e for e in examples() if e.get("type") == "campaign_updated"]
    read = [msgspec.convert(update, CampaignUpdated) for update in updates]
    assert [update.base is msgspec.UNSET for update in read] == [False, True]


def test_the_events_the_problems_and_the_rules_shown_have_their_shapes() -> None:
    event = next(example for example in examples() if "hash" in example)
    assert set(event) == {field.name for field in msgspec.structs.fields(Event)}
    problem = next(example for example in examples() if "detail" in example)
    assert STATUSES[msgspec.convert(problem, Problem).code] == problem["status"]
    rules = msgspec.convert(next(example for example in examples() if "rules" in example), Rules)
    check_rules(rules)
    assert rules.rules[:2] == default_rules().rules


def test_the_errors_have_the_statuses_they_are_sent_with() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \|", PROTOCOL.read_text("utf-8"), re.MULTILINE)
    told: dict[str, set[int]] = {}
    for code, statuses in rows:
        told.setdefault(code, set()).update(map(int, statuses.split(",")))
    assert told == {
        **{code: {status} for code, status in STATUSES.items()},
        "version_conflict": {409, 412},
        "store_unavailable": {500, 503},
    }


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Any) -> None:
    for target in links(path):
        name, _, anchor = target.partition("#")
        found = path.parent / name if name else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_file_of_the_house_that_is_named_is_there(path: Any) -> None:
    folders = "questlog|eventstore|server|tools|migrations|tests|bench|examples"
    named = re.findall(rf"`((?:{folders})/[\w./]*)`", path.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", ["architecture.md", "security.md"])
def test_every_test_that_is_named_is_there(name: str) -> None:
    text = (ROOT / "docs" / name).read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
    assert len(named) == text.count("::test_")
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert named, "the table of failures names tests"
    assert missing == []
