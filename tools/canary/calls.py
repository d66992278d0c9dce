"""The HTTP calls viewers make: those they may make, and those that must be refused."""

from __future__ import annotations

import io
import random
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from questlog.campaign.visibility import Viewer
from questlog.document import apply, encode, equal
from tools.canary.canaries import numbers_in
from tools.canary.judging import leaks
from tools.canary.ledger import Ledger, digest
from tools.canary.lines import messages_in
from tools.canary.stage import Stage
from tools.canary.viewers import Seat

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
OK = 200
UNCHANGED = 304
FIRST_ERROR = 400
SERVER_ERROR = 500
# Of all looks at what others see, so many are at a replay, of so many of the last versions.
REWATCHES = 0.4
REWATCHED = 5


class Answer(Struct, frozen=True):
    """What came back: the status, the headers as one text, the body."""

    status: int
    head: str
    body: str


class Loot(Struct, frozen=True):
    """A position that somebody held, and the eyes that saw the same as its owner then."""

    version: int
    position: str
    alike: frozenset[Viewer]


class Calls:
    """Makes calls for the viewers of one campaign, and judges the answers."""

    def __init__(self, ledger: Ledger, stage: Stage, rng: random.Random) -> None:
        self._ledger = ledger
        self._stage = stage
        self._rng = rng

    async def look(self, seat: Seat, guesses: list[Loot]) -> None:
        """Read what a viewer may: the state, the campaign, the campaigns.

        Args:
            guesses: positions of others at the head, to be tried as `If-None-Match` and in a poll.
        """
        path = f"/api/campaigns/{self._ledger.campaign_id}"
        await self._state(seat, f"{path}/state", None)
        for guess in guesses:
            await self._state(seat, f"{path}/state", guess)
            await self._poll(seat, f"{path}/updates?wait=0&since={guess.position}", guess)
        await self._recap(seat, path)
        for call in (path, f"{path}/sessions", "/api/campaigns"):
            answer = await self.ask(seat, "GET", call)
            seen = self._ledger.untold(seat.eye, numbers_in(answer.head + answer.body))
            # Their own name they know.
            seen -= numbers_in(seat.eye.player_id or "")
            seat.leaked(seen, f"GET {call}", None)

    async def trespass(self, seat: Seat, elsewhere: str) -> None:
        """Make calls that a viewer who is no DM may not make, each with a body that is wrong too.

        Args:
            elsewhere: another campaign.
        """
        here = f"/api/campaigns/{self._ledger.campaign_id}"
        probe = [{"op": "test", "path": "/dm", "value": None}, {"op": "remove", "path": "/dm/x"}]
        calls: list[tuple[str, str, Any]] = [
            ("GET", f"{here}/events", None),
            ("GET", f"{here}/state?as=dm", None),
            ("GET", f"{here}/recap?as=dm&since=1", None),
            ("GET", f"{here}/state?version=1", None),
            ("GET", f"{here}/state?version=1&as=player:{self._rng.randrange(9)}", None),
            ("PATCH", f"{here}/state", probe),
            ("PUT", f"{here}/state", {"dm": 1}),
            ("PUT", here, {"structured_data": {}}),
            ("POST", f"{here}/events", {"patch": probe, "kind": "Nothing"}),
            ("PUT", f"{here}/visibility", {"rules": [{"path": "dm", "to": ["?"]}]}),
            ("POST", f"{here}/activate", {"table": "?"}),
            ("POST", f"{here}/deactivate", None),
            ("GET", f"{here}/state?at=2000-01-01", None),
            ("GET", f"{here}/replay?speed=max&to=1", None),
            ("GET", f"{here}/replay?speed=max&to=1&as=player:{self._rng.randrange(9)}", None),
            ("POST", f"{here}/rewind", {"to_version": 1, "preview": True}),
            ("POST", f"{here}/rewind", {"to_version": "?", "only": "dm"}),
            ("POST", f"{here}/fork", {"new_id": "stolen", "at_version": 1}),
            ("POST", f"/api/campaigns/{elsewhere}/fork", {"new_id": "stolen", "at_version": 1}),
            ("GET", f"/api/campaigns/{elsewhere}/state", None),
            ("GET", f"/api/campaigns/{elsewhere}/updates?wait=0", None),
            ("GET", f"/api/campaigns/{elsewhere}/stream", None),
            ("POST", f"/api/campaigns/{elsewhere}/messages", {"type": "signal", "name": "?"}),
            ("GET", f"/api/campaigns/{elsewhere}", None),
        ]
        for method, call, body in self._rng.sample(calls, 6):
            answer = await self.ask(seat, method, call, body)
            seat.leaked(numbers_in(answer.head + answer.body), f"{method} {call}", None)
            if answer.status < FIRST_ERROR or answer.status >= SERVER_ERROR:
                seat.report("answered", f"{method} {call}", None, f"with {answer.status}")

    async def compare(self, seat: Seat, old: dict[int, dict[Viewer, bytes]]) -> None:
        """Read, as the DM, what each other sees now, and saw at earlier versions.

        Args:
            old: digests of what each eye saw, by version.
        """
        for eye in self._ledger.eyes:
            call = f"/api/campaigns/{self._ledger.campaign_id}/state?as={_named(eye)}"
            self._judge(seat, await self.ask(seat, "GET", call), f"GET {call}", eye)
            for version, seen in old.items():
                answer = await self.ask(seat, "GET", f"{call}&version={version}")
                found = msgspec.json.decode(answer.body).get("structured_data")
                if found is None or digest(found) != seen[eye]:
                    wrong = "not what the oracle said"
                    seat.report("wrong_view", f"GET {call}&version=", version, wrong)
        if self._rng.random() < REWATCHES:
            await self._rewatch(seat, self._rng.choice(self._ledger.eyes))

    async def _rewatch(self, seat: Seat, eye: Viewer) -> None:
        """Have the last versions replayed as what another sees, and judge every message."""
        first = max(1, self._ledger.version - REWATCHED)
        path = f"/api/campaigns/{self._ledger.campaign_id}/replay"
        call = f"{path}?speed=max&from={first}&as={_named(eye)}"
        answer = await self.ask(seat, "GET", call)
        view: Any = None
        version = 0
        for line in answer.body.splitlines():
            if not line.startswith("data: "):
                continue
            message = msgspec.json.decode(line.removeprefix("data: "))
            if message.get("type") == "campaign_active":
                view = message["structured_data"]
            elif message.get("type") == "campaign_updated":
                view = apply(view, message["patch"])
            else:
                continue
            version = message["version"]
            told = numbers_in(encode(message.pop("events", [])))
            seat.leaked(self._ledger.untold(eye, told), f"events of {call}", version)
            # What a delta takes away it names: that was seen at its base.
            seen = self._ledger.hidden(eye, numbers_in(encode(message)), version)
            base = message.get("base", version)
            seat.leaked(self._ledger.hidden(eye, seen, base), call, version)
        if version == self._ledger.version and not equal(view, self._ledger.views[eye]):
            seat.report("wrong_view", f"GET {call}", version, "not what the oracle says")
        if answer.status != OK or not version:
            seat.report("silent", f"GET {call}", None, f"answered with {answer.status}")

    async def blunder(self, seat: Seat, secret: str, most: int) -> None:
        """Make calls, as the DM, that fail over something secret: the log must not tell of it.

        Args:
            most: how many of those there are.
        """
        here = f"/api/campaigns/{self._ledger.campaign_id}"
        calls: list[tuple[str, str, Any]] = [
            ("PATCH", f"{here}/state", [{"op": "test", "path": "/turn", "value": secret}]),
            ("PATCH", f"{here}/state", [{"op": "remove", "path": f"/{secret}"}]),
            ("PATCH", f"{here}/state", [{"op": "replace", "path": f"/dm/{secret}/x", "value": 1}]),
            ("PATCH", f"{here}/state", [{"op": secret, "path": "/turn"}]),
            ("PATCH", f"{here}/state", [{"op": "remove", "path": secret}]),
            ("PUT", f"{here}/state", secret),
            ("POST", f"{here}/events", {"patch": [], "kind": f"visibility.{secret}"}),
            ("POST", f"{here}/events", {"patch": [], secret: 1}),
            ("POST", f"{here}/events", {"patch": [], "lease": secret}),
            ("POST", f"{here}/events", {"patch": [], "id": secret * 3}),
            ("PUT", f"{here}/visibility", {"rules": [{"path": secret, "to": ["dm"]}]}),
            ("PUT", f"{here}/visibility", {"rules": [{"path": "/a", "to": [secret]}]}),
            ("POST", f"{here}/activate", {"table": f"a {secret}"}),
            ("POST", f"{here}/rewind", {"to_version": 1, "only": f"/{secret}"}),
            ("POST", f"{here}/rewind", {"to_version": 1, "only": secret}),
            ("POST", f"{here}/fork", {"new_id": f"a {secret}", "at_version": 1}),
        ]
        for method, call, body in self._rng.sample(calls, min(most, len(calls))):
            answer = await self.ask(seat, method, call, body)
            if answer.status < FIRST_ERROR:
                seat.report("answered", f"{method} {call}", None, f"with {answer.status}")
        await self._mumble(seat, secret, most)

    async def _mumble(self, seat: Seat, secret: str, most: int) -> None:
        """Say, as the DM, what cannot be done and holds something secret."""
        said: list[dict[str, Any]] = [
            {"type": "decide_suggestion", "id": secret, "decision": "accept", "answer": secret},
            {"type": "player_suggestion", "id": secret * 3, "content": secret},
            {"type": "narration", "id": secret, "phase": "begin", "path": f"/{secret}/x/y"},
            {"type": "narration", "id": secret, "phase": "chunk", "text": secret},
            {"type": "take_lease", "id": secret, "name": secret * 9},
            {"type": "signal", "name": secret * 9, "data": secret},
            {"type": "player_status", "status": secret * 9},
            {"type": secret, "id": secret},
        ]
        path = f"/api/campaigns/{self._ledger.campaign_id}/messages"
        for message in self._rng.sample(said, min(most, len(said))):
            answer = await self.ask(seat, "POST", path, message)
            found = msgspec.json.decode(answer.body).get("messages", [])
            if [each["type"] for each in found] not in (["rejected"], ["error"]):
                seat.report("answered", f"POST {message['type']}", None, answer.body[:200])

    async def ask(
        self, seat: Seat, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """Make a call with a viewer's token."""
        data = None if body is None else io.BytesIO(msgspec.json.encode(body))
        shown = {"Content-Type": JSON_PATCH if method == "PATCH" else JSON, **seat.headers()}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._stage.watch.tally.calls += 1
        async with self._stage.session.request(
            method, seat.url + path, data=data, headers={**shown, **names}
        ) as answer:
            head = "\n".join([f"{name}: {value}" for name, value in answer.headers.items()])
            return Answer(answer.status, head, await answer.text())

    async def _state(self, seat: Seat, path: str, guess: Loot | None) -> None:
        headers = {} if guess is None else {"If_None_Match": f'"{guess.position}"'}
        answer = await self.ask(seat, "GET", path, **headers)
        if guess is not None and answer.status == UNCHANGED:
            if seat.eye not in guess.alike:
                seat.report("believed", "GET state", guess.version, "a position as If-None-Match")
            return
        self._judge(seat, answer, "GET state", seat.eye)

    async def _recap(self, seat: Seat, path: str) -> None:
        """Ask for what was missed since some version: a delta to the head, and what it comes to."""
        since = self._rng.randint(1, max(1, self._ledger.version))
        answer = await self.ask(seat, "GET", f"{path}/recap?since={since}")
        if answer.status != OK:
            seat.report("silent", "GET recap", None, f"answered with {answer.status}")
            return
        told = msgspec.json.decode(answer.body)
        entries, version = told.pop("narratives"), told["to_version"]
        seen = self._ledger.hidden(seat.eye, numbers_in(encode(entries)), version)
        update = {**told, "type": "campaign_updated", "base": since, "version": version}
        text = answer.head + encode(told).decode()
        seat.leaked(
            seen | leaks(self._ledger, [seat.eye], update, text, version), "GET recap", version
        )

    async def _poll(self, seat: Seat, path: str, guess: Loot) -> None:
        """Poll with a position: where it is this view's, there is nothing to tell."""
        answer = await self.ask(seat, "GET", path)
        if answer.status != OK:
            seat.report("silent", "GET updates", None, f"answered with {answer.status}")
            return
        messages = messages_in(answer.body)
        seat.overhear(messages)
        if not messages and seat.eye not in guess.alike:
            seat.report("believed", "GET updates", guess.version, "a position at the head")

    def _judge(self, seat: Seat, answer: Answer, call: str, eye: Viewer) -> None:
        """Compare a state that was answered with what the oracle says this eye sees."""
        if answer.status != OK:
            seat.report("silent", call, None, f"answered with {answer.status}")
            return
        body = msgspec.json.decode(answer.body)
        version = body["version"]
        numbers = numbers_in(answer.head + answer.body)
        seat.leaked(self._ledger.hidden(eye, numbers, version), call, version)
        current = version == self._ledger.version
        if current and not equal(body["structured_data"], self._ledger.views[eye]):
            seat.report("wrong_view", call, version, "not what the oracle says")


def _named(eye: Viewer) -> str:
    """Return an eye as `as=` names it."""
    return eye.role if eye.player_id is None else f"{eye.role}:{quote(eye.player_id, safe='')}"
