"""A small world of campaigns, played at random, that remembers every version of every log.

Strings in it say whom they are for: `dm:7` is only ever in `/dm` or names an event that touched
nothing else, `mira:7` the same for `/private/mira`; no rules used here show those to anyone else.
`soft:7` comes and goes with rules and revelations.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Any

from questlog.campaign.commands import Activate, Command, Commit, Create, Deactivate, Request
from questlog.campaign.commands import SetVisibility as SetRules
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import Actor, EventHeader
from questlog.campaign.state import CampaignState
from questlog.campaign.visibility import Projector, Rule, Rules, Viewer, default_rules
from questlog.document import Limits, encode
from questlog.sync.entries import Entry
from questlog.sync.feed import Feed

AT = "2026-01-01T00:00:00.000Z"
SECRET = b"a secret of the store's own"
LIMITS = Limits()
PLAYERS = ("mira", "bob")
TOKEN = re.compile(rb"(?:dm|mira|bob|soft):\d+")

Step = tuple[CampaignState, str, EventHeader, int]


def rule_sets() -> tuple[Rules, ...]:
    """Return the rules that come into force in turn; all keep `/dm` and `/private` private."""
    private = default_rules().rules
    return (
        default_rules(),
        Rules(default="visible", rules=(*private, Rule("/foes/*", ("dm",), {"hidden": True}))),
        Rules(
            default="hidden",
            rules=(*private, Rule("/open", ("all",)), Rule("/party", ("players",))),
        ),
        Rules(default="visible", rules=(*private, Rule("/open", ("dm", "player:mira")))),
    )


class Campaign:
    """A log kept in memory, its feed, and every state it ever had."""

    def __init__(self, campaign_id: str, document: dict[str, Any] | None = None) -> None:
        self.campaign_id = campaign_id
        self.states = [CampaignState(campaign_id=campaign_id)]
        self.hashes = [""]
        self.headers: list[EventHeader | None] = [None]
        self._counter = 0
        self._views: dict[tuple[int, Viewer], dict[str, Any]] = {}
        self.step(Create(document or {}), "created")
        self.feed = Feed(self.state, self.hashes[-1], SECRET, lambda: AT)

    @property
    def state(self) -> CampaignState:
        """The head of the log."""
        return self.states[-1]

    def step(self, command: Command, scope: str) -> Step:
        """Append what `command` comes to, without publishing it; `scope` is who may know of it."""
        self._counter += 1
        request = Request(Actor("gm", "dm"), command, f"{scope}:{self._counter}")
        decision = decide(self.state, request, Minted(AT, "unused"), LIMITS)
        event = decision.event
        assert event is not None
        chained = f"{self.hashes[-1]}|{self.campaign_id}|{event.id}|{event.patch}"
        version = decision.state.version
        header = EventHeader(version, event.id, event.kind, event.actor, event.at)
        self.states.append(decision.state)
        self.hashes.append(hashlib.sha256(chained.encode()).hexdigest())
        self.headers.append(header)
        return decision.state, self.hashes[-1], header, len(event.patch)

    def commit(self, patch: list[dict[str, Any]], scope: str = "soft") -> Entry:
        """Append a patch and move the feed on; return the head before."""
        return self.feed.advance([self.step(Commit(patch=patch), scope)])

    def rules(self, rules: Rules) -> Entry:
        """Put rules in force and move the feed on; return the head before."""
        return self.feed.advance([self.step(SetRules(rules), "soft")])

    def recall(self, version: int) -> Entry | None:
        """Return a version as read from the log."""
        if not 1 <= version < len(self.states):
            return None
        return self.feed.entry(self.states[version], self.hashes[version])

    def view(self, version: int, viewer: Viewer) -> dict[str, Any]:
        """Return what `viewer` sees at `version`, found without the feed."""
        found = self._views.get((version, viewer))
        if found is None:
            state = self.states[version]
            projected = Projector(state.rules).project(state.document, viewer)
            found = self._views[version, viewer] = projected
        return found

    def play(self, rng: random.Random) -> Step:
        """Append a random change."""
        self._counter += 1
        number, document = self._counter, self.state.document
        choice = rng.randrange(9)
        if choice == 0:
            return self.step(SetRules(rng.choice(rule_sets())), "soft")
        if choice in (1, 2):
            return self.step(Commit(patch=_dm_note(rng, document, number)), "dm")
        if choice in (3, 4):
            player = rng.choice(PLAYERS)
            return self.step(Commit(patch=_whisper(rng, document, player, number)), player)
        make = rng.choice((_scene, _fight, _foe))
        return self.step(Commit(patch=make(rng, document, number)), "soft")

    def seat(self, table: str | None) -> Step:
        """Append the campaign's taking or leaving a table."""
        return self.step(Deactivate() if table is None else Activate(table), "soft")


def opening() -> dict[str, Any]:
    """Return a document to begin with; `/private` stands in it, since its coming shows to all."""
    return {"scene": 1, "party": [], "foes": [], "open": {}, "private": {}, "note": "an inn " * 12}


def tokens(value: Any) -> set[bytes]:
    """Return the marked strings in a JSON value, or in its encoding."""
    return set(TOKEN.findall(value if isinstance(value, bytes) else encode(value)))


def allowed(token: bytes, viewer: Viewer) -> bool:
    """Return whether some rules of this world could let `viewer` see the string."""
    scope = token.split(b":")[0].decode()
    return viewer.role == "dm" or scope == "soft" or scope == viewer.player_id


def _dm_note(rng: random.Random, document: dict[str, Any], number: int) -> list[dict[str, Any]]:
    if "dm" not in document:
        return [{"op": "add", "path": "/dm", "value": {f"dm:{number}": f"dm:{number}"}}]
    if rng.random() < 0.3:
        return [{"op": "remove", "path": "/dm"}]
    return [{"op": "add", "path": f"/dm/dm:{number}", "value": [f"dm:{number}"]}]


def _whisper(
    rng: random.Random, document: dict[str, Any], player: str, number: int
) -> list[dict[str, Any]]:
    """A note to one player: `/private/{player}` comes, changes and goes."""
    text = f"{player}:{number}"
    if player in document["private"] and rng.random() < 0.5:
        return [{"op": "remove", "path": f"/private/{player}"}]
    return [{"op": "add", "path": f"/private/{player}", "value": {"notes": [text, number]}}]


def _scene(rng: random.Random, document: dict[str, Any], number: int) -> list[dict[str, Any]]:
    if rng.random() < 0.2:
        return []
    scene = rng.choice((number, 2**63 + number, 2**70 + number, float(number)))
    return [
        {"op": "replace", "path": "/scene", "value": scene},
        {"op": "add", "path": f"/open/{number % 3}", "value": f"soft:{number}"},
    ]


def _fight(rng: random.Random, document: dict[str, Any], number: int) -> list[dict[str, Any]]:
    party = document["party"]
    if len(party) > 3 or (party and rng.random() < 0.3):
        return [{"op": "remove", "path": f"/party/{rng.randrange(len(party))}"}]
    if party and rng.random() < 0.5:
        return [
            {"op": "replace", "path": f"/party/{rng.randrange(len(party))}/hp", "value": number}
        ]
    hero = {"id": number, "hp": 9}
    return [{"op": "add", "path": f"/party/{rng.randint(0, len(party))}", "value": hero}]


def _foe(rng: random.Random, document: dict[str, Any], number: int) -> list[dict[str, Any]]:
    foes = document["foes"]
    if len(foes) > 3:
        return [{"op": "remove", "path": "/foes/0"}]
    if foes and rng.random() < 0.6:
        at = rng.randrange(len(foes))
        hidden = not foes[at]["hidden"]
        return [{"op": "replace", "path": f"/foes/{at}/hidden", "value": hidden}]
    foe = {"id": number, "name": f"soft:{number}", "hidden": rng.random() < 0.5}
    return [{"op": "add", "path": f"/foes/{rng.randint(0, len(foes))}", "value": foe}]
