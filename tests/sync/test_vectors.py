"""The message vectors in tests/conformance, run against both ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from questlog.campaign.events import Actor, EventHeader
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Viewer
from questlog.document import Limits, encode, equal
from questlog.sync.feed import Feed
from questlog.sync.messages import Encoded
from questlog.sync.replica import Changed, Replica, SendText
from questlog.sync.session import (
    Close,
    Effect,
    Execute,
    Phase,
    Recall,
    Refuse,
    Send,
    Session,
    rejected,
)

VECTORS = Path(__file__).parent.parent / "conformance"
AT = "2026-01-01T00:00:00.000Z"
STATE = ("campaign_id", "version", "position", "document", "status")


def cases(pattern: str) -> list[Any]:
    """Return every case of the files that match, with its file, named by both."""
    found = []
    for path in sorted(VECTORS.glob(pattern)):
        file = json.loads(path.read_text(encoding="utf-8"))
        for case in file["cases"]:
            found.append(pytest.param(file, case, id=f"{path.stem}: {case['name']}"))
    return found


def replica_at(start: dict[str, Any] | None) -> Replica:
    """Return a replica in the state a case starts from."""
    replica = Replica()
    if start is not None:
        replica.campaign_id, replica.version = start["campaign_id"], start["version"]
        replica.position, replica.document = start["position"], start["document"]
        replica.status = start["status"]
    return replica


def take(replica: Replica, step: dict[str, Any]) -> dict[str, Any]:
    """Take one step; return what the replica sent, what it says changed, and if it refused."""
    outcome: dict[str, Any] = {"sent": []}
    if step.get("disconnect"):
        replica.disconnected()
        return outcome
    frame = step["receive_text"] if "receive_text" in step else encode(step["receive"])
    try:
        effects = replica.receive(frame)
    except msgspec.DecodeError:
        return {**outcome, "refused": True}
    for effect in effects:
        if isinstance(effect, SendText):
            outcome["sent"].append(json.loads(effect.text))
        elif isinstance(effect, Changed):
            outcome["changed"] = msgspec.to_builtins(effect)
    return outcome


@pytest.mark.parametrize(("file", "case"), cases("replica-*.json"))
def test_the_replica_does_what_the_vectors_say(file: dict[str, Any], case: dict[str, Any]) -> None:
    assert file["about"]
    replica = replica_at(case.get("start"))
    for number, step in enumerate(case["steps"]):
        got = {**take(replica, step), **{name: getattr(replica, name) for name in STATE}}
        assert equal(got, step["expect"]), f"step {number}: {got} instead of {step['expect']}"


class Server:
    """The server's side of a session vector: its campaigns, their feeds and one session."""

    def __init__(self, file: dict[str, Any], case: dict[str, Any]) -> None:
        self.logs = {c["campaign_id"]: c["log"] for c in file["campaigns"]}
        self.feeds: dict[str, Feed] = {}
        for name, start in case["start"].items():
            first = start["in_memory_from"]
            secret = file["secret"].encode()
            state = self.state(name, first)
            self.feeds[name] = Feed(state, self.hash(name, first), secret, lambda: AT)
            self.advance(name, start["head"])
        viewer = msgspec.convert(case["viewer"], Viewer)
        self.session = Session(viewer, case["mode"], Limits())

    def state(self, name: str, version: int) -> CampaignState:
        """Return a version of a campaign's log."""
        document = self.logs[name][version - 1]["document"]
        size = len(encode(document))
        return CampaignState(campaign_id=name, version=version, document=document, size=size)

    def hash(self, name: str, version: int) -> str:
        """Return a version's hash."""
        return str(self.logs[name][version - 1]["hash"])

    def advance(self, name: str, to: int) -> list[Effect]:
        """Publish versions up to `to` as one batch, as a room does to those live."""
        feed = self.feeds[name]
        steps = []
        for version in range(feed.head.version + 1, to + 1):
            identifier = self.logs[name][version - 1]["id"]
            header = EventHeader(version, identifier, "state.updated", Actor("dm", "dm"), AT)
            steps.append((self.state(name, version), self.hash(name, version), header, 1))
        before = feed.advance(steps)
        session = getattr(self, "session", None)
        if session is None or session.feed is not feed or session.phase is not Phase.LIVE:
            return []
        return [Send(feed.update(session.viewer, before, session.mode))]

    def take(self, step: dict[str, Any]) -> list[Effect]:
        """Take one step of a case."""
        session = self.session
        match step:
            case {"follow": name, "since": since, "reason": reason}:
                return session.follow(self.feeds[name], since, reason)
            case {"publish": {"campaign_id": name, "version": version}}:
                return self.advance(name, version)
            case {"receive": message}:
                return session.receive(encode(message), AT)
            case {"receive_text": text}:
                return session.receive(text, AT)
            case {"recalled": version, "missing": True}:
                return session.recalled(version, None)
            case {"recalled": version}:
                state = self.state("c", version)
                return session.recalled(
                    version, self.feeds["c"].entry(state, self.hash("c", version))
                )
            case {"overflowed": True}:
                session.overflowed()
                return []
            case {"closed": True}:
                session.closed()
                return []
            case {"drained": True}:
                return session.drained()
            case {"leave": True}:
                return session.leave(AT)
            case {"heartbeat": True}:
                return session.heartbeat(AT)
            case {"binary": True}:
                return session.refuse_binary(AT)
        raise AssertionError(f"no such step: {step}")


def outcome(server: Server, effects: list[Effect]) -> dict[str, Any]:
    """Return effects as a vector writes them: no timestamps, no sentences."""
    seen: dict[str, Any] = {"sent": [], "phase": server.session.phase.value}
    for effect in effects:
        done = effect
        if isinstance(effect, Refuse):
            # A shell sends it once it has answered what was asked before.
            done = Send(Encoded(rejected(effect.id, effect.rejection, AT)))
        match done:
            case Send(message=encoded):
                message = json.loads(encoded.payload)
                assert message.pop("timestamp") == AT
                assert (message["type"] in ("error", "rejected")) == ("message" in message)
                message.pop("message", None)
                seen["sent"].append(message)
            case Recall(version=version):
                seen["recall"] = version
            case Execute(message=message):
                asked = msgspec.to_builtins(message)
                seen["execute"] = {k: v for k, v in asked.items() if v is not None}
            case Close(code=code):
                seen["close"] = int(code)
    return seen


def by_path(patch: Any) -> Any:
    """Return a patch of independent operations in one order: theirs carries no meaning."""
    return sorted(patch, key=lambda operation: operation["path"])


def comparable(seen: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome with its patches in one order."""
    sent = [{**m, "patch": by_path(m["patch"])} if "patch" in m else m for m in seen["sent"]]
    return {**seen, "sent": sent}


@pytest.mark.parametrize(("file", "case"), cases("session-*.json"))
def test_the_session_does_what_the_vectors_say(file: dict[str, Any], case: dict[str, Any]) -> None:
    server = Server(file, case)
    for number, step in enumerate(case["steps"]):
        got = comparable(outcome(server, server.take(step)))
        expected = comparable(step["expect"])
        assert equal(got, expected), f"step {number}: {got} instead of {expected}"
