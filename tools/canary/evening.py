"""An evening: one script played to its whole cast, which comes and goes, claims and trespasses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from itertools import cycle
from typing import Any

from msgspec import Struct

from questlog.campaign.events import Role
from questlog.campaign.visibility import Viewer
from questlog.document import get
from tools.canary.calls import Calls, Loot
from tools.canary.canaries import numbers_in
from tools.canary.cast import NOTHING, Claim, Part, eyes_of
from tools.canary.ledger import Ledger
from tools.canary.oracle import eye_of
from tools.canary.orchestrator import Orchestrator
from tools.canary.scenes import Scene
from tools.canary.script import Script
from tools.canary.stage import Stage
from tools.canary.viewers import Seat
from tools.canary.voices import Voices

LOOT = 12
LADDER: tuple[Role, ...] = ("dm", "player", "spectator", "player")
# How many versions are remembered to be asked for again.
OLD = 3


class Pace(Struct, frozen=True):
    """How many versions there are, about, from one such thing to the next; 0: it never happens.

    Attributes:
        climb: a member gets another role.
        turn: a viewer shows another's token.
        nap: some read nothing for a while.
        restart: the server is stopped and another started.
        call: viewers make calls.
        blunders: how many calls of the DM's fail over a secret, in all.
        batches: how many versions there may be in a round.
    """

    climb: int
    turn: int
    nap: int
    restart: int
    call: int
    blunders: int
    batches: tuple[int, ...]


class Evening:
    """Plays one script.

    Args:
        on_scene: called with the version of each scene made.
    """

    def __init__(
        self,
        stage: Stage,
        script: Script,
        parts: list[Part],
        table: str,
        pace: Pace,
        on_scene: Callable[[int], None],
    ) -> None:
        self._stage = stage
        self._script = script
        self._parts = parts
        self._table = table
        self._pace = pace
        self._on_scene = on_scene
        # The script stays the same with a seed, whatever the cast happens to be up to.
        self._rng = random.Random(script.rng.random())
        campaign_id = script.planter.campaign_id
        self._ledger = Ledger(stage.watch.aviary, campaign_id, eyes_of(parts))
        hidden = script.talk.hidden
        if hidden is not None:
            self._ledger.hide(Viewer("player", hidden), numbers_in(hidden))
        self._calls = Calls(self._ledger, stage, self._rng)
        self._seats: list[Seat] = []
        self._dm: Orchestrator
        self._loot: list[Loot] = []
        self._old: dict[int, dict[Viewer, bytes]] = {}
        self._ladder = cycle(LADDER)
        self._next: dict[str, float] = {}

    async def play(self) -> None:
        """Play the script to its end, or to the end of the round in which something was found.

        Raises:
            CanaryError: the server refuses what the DM does.
        """
        watch = self._stage.watch
        scenes = self._script.scenes()
        try:
            await self._begin(scenes)
            while batch := self._prepare(scenes, self._rng.choice(self._pace.batches)):
                await self._round(batch)
                if watch.found(self._ledger.campaign_id):
                    break
            await self._end()
        finally:
            await asyncio.gather(*(seat.close() for seat in self._seats))
        watch.tally.campaigns += 1
        watch.tally.versions += self._ledger.version
        watch.tally.views += len(self._ledger.eyes)
        watch.tally.viewers += len(self._seats)

    async def _begin(self, scenes: Iterator[Scene]) -> None:
        """Create the campaign, and let everybody come."""
        campaign_id = self._ledger.campaign_id
        token = await self._stage.token(campaign_id, "dm")
        part = Part(name="the orchestrator", role="dm", endpoint="dm")
        self._dm = Orchestrator(part, token, self._ledger, self._stage, self._calls)
        self._seats.append(self._dm)
        for part in self._parts:
            token = await self._stage.token(campaign_id, part.role, part.player_id)
            self._seats.append(Seat(part, token, self._ledger, self._stage))
        self._dm.voices = Voices(self._dm, self._seats, self._calls)
        await asyncio.gather(*(seat.open() for seat in self._seats))
        await self._dm.perform(self._prepare(scenes, 1), self._table)
        self._stage.campaigns.append(campaign_id)
        await asyncio.gather(*(seat.come() for seat in self._seats))
        # Before anybody's role changes: who has not been answered yet could be told of it or not.
        await self._meet()

    def _prepare(self, scenes: Iterator[Scene], count: int) -> list[Scene]:
        """Take the next scenes and enter them in the ledger, before anybody can hear of them."""
        batch: list[Scene] = []
        while len(batch) < count and (scene := next(scenes, None)) is not None:
            batch.append(scene)
            self._enter(scene)
            self._on_scene(scene.version)
            if scene.way == "begin":
                # When that was, the next scenes have to know.
                break
        return batch

    def _enter(self, scene: Scene) -> None:
        """Enter in the ledger a version and all that is said with it."""
        ledger = self._ledger
        for word in scene.words:
            if word.message["type"] == "signal":
                ledger.pass_on(word.to, word.numbers)
            else:
                ledger.hide(Viewer("player", word.speaker), word.numbers)
        ledger.enter(scene.document, scene.rules, scene.event)
        if scene.author is not None:
            ledger.confide(scene.author, scene.said, scene.event)
        if scene.spoken is not None:
            ledger.speak(scene.spoken, scene.said)
        if scene.way == "create":
            ledger.tell_all(numbers_in(scene.body["title"]))

    async def _date(self, begun: Scene) -> None:
        """Learn from the server when a narration began, and have it in the script."""
        await self._dm.reached(begun.version)
        entries = get(self._dm.document, begun.body["path"])
        self._script.talk.dated(entries[-1]["at"])
        self._ledger.amend(self._script.document)

    async def _round(self, batch: list[Scene]) -> None:
        """Make some scenes while the cast is up to something; then see what everybody holds."""
        pace = self._pace
        doing: list[Coroutine[Any, Any, None]] = [self._dm.perform(batch, self._table)]
        moving = any(scene.way in ("activate", "deactivate") for scene in batch)
        if not moving and self._due("climb", pace.climb):
            doing.append(self._climb())
        doing += [self._act(seat) for seat in self._seats if seat.part.restless and seat.settled]
        if self._due("turn", pace.turn):
            doing += [self._turn(seat) for seat in self._seats if seat.part.turns]
        if self._due("nap", pace.nap):
            self._nap()
        await asyncio.gather(*doing)
        if batch[-1].way == "begin":
            await self._date(batch[-1])
        await self._meet()
        self._steal()
        if self._due("call", pace.call):
            await self._ask_about()
        # A server that stops ends what is being narrated, by a version that is in no script.
        if not self._script.talk.narrating and self._due("restart", pace.restart):
            await self._restart()

    def _due(self, what: str, every: int) -> bool:
        """Return whether it is time for something again, and if so, choose the next time."""
        version = self._ledger.version
        if not every or version < self._next.setdefault(what, every * self._rng.random()):
            return False
        self._next[what] = version + every * (0.5 + self._rng.random())
        return True

    async def _meet(self) -> None:
        """Wait until everybody who follows is at the head, and judge what each holds."""
        there = [seat for seat in self._seats if seat.connected and not seat.dozing]
        await asyncio.gather(*(seat.turned() for seat in there))
        follow = [seat for seat in there if self._script.table or not seat.part.table]
        version = self._ledger.version
        await asyncio.gather(*(seat.reached(version) for seat in follow))
        for seat in follow:
            seat.judge()

    async def _act(self, seat: Seat) -> None:
        """Let a restless viewer do something: leave, come back, claim to hold what it does not."""
        choice = self._rng.random()
        if not seat.connected:
            if choice < 0.65:
                self._stage.watch.tally.reconnects += 1
                await seat.come(self._claim(seat))
        elif choice < 0.35:
            await seat.leave()
        elif choice < 0.55:
            await seat.resync(self._claim(seat))
        elif choice < 0.65:
            await seat.say(type="heartbeat", version=self._rng.randrange(9))
        elif choice < 0.75 and seat.eye.role != "dm":
            message = self._rng.choice(presumptions())
            await seat.say(**message, id=f"try-{self._rng.randrange(99)}")
        elif choice < 0.8:
            # The same token again: nothing comes of it.
            await seat.say(type="authenticate", token=seat.token)

    def _claim(self, seat: Seat) -> Claim:
        """Return what a viewer says it holds: what it does, what another does, or what nobody."""
        rng, head = self._rng, self._ledger.version
        choice = rng.random()
        if choice < 0.4 and seat.position is not None:
            return Claim(seat.position, held=True)
        if choice < 0.5 and seat.position is not None:
            return Claim(str(seat.version), held=True)
        if choice < 0.75 and self._loot:
            loot = rng.choice(self._loot)
            return Claim(loot.position, trap=None if seat.eye in loot.alike else loot.version)
        if choice < 0.85:
            version = rng.randint(1, head)
            return Claim(f"{version}.{rng.getrandbits(64):016x}", trap=version)
        if choice < 0.95:
            return Claim(str(rng.randint(1, head)))
        return Claim("no position") if choice < 0.98 else NOTHING

    async def _climb(self) -> None:
        """Give a member another role, through the access file; all its viewers turn with it."""
        seats = [seat for seat in self._seats if seat.part.climbs]
        if not seats or not any(seat.follows for seat in seats):
            return
        role, member = next(self._ladder), seats[0].part.player_id or ""
        eye = eye_of(Viewer(role, member))
        told = [seat for seat in seats if seat.follows]
        for seat in told:
            seat.expect(eye)
        await self._stage.access.set_role(self._ledger.campaign_id, member, role)
        await asyncio.gather(*(seat.turned() for seat in told if not seat.dozing))
        self._wake(told)
        await asyncio.gather(*(seat.turned() for seat in told))
        for seat in seats:
            if seat not in told:
                seat.become(eye)
        self._stage.watch.tally.new_roles += 1

    async def _turn(self, seat: Seat) -> None:
        """Let a viewer show the token of somebody else on its open socket."""
        others = [part for part in self._parts if not part.climbs]
        others = [part for part in others if eye_of(Viewer(part.role, part.player_id)) != seat.eye]
        if not others or not seat.follows:
            return
        part = self._rng.choice(others)
        eye = eye_of(Viewer(part.role, part.player_id))
        token = await self._stage.token(self._ledger.campaign_id, part.role, part.player_id)
        seat.expect(eye)
        await seat.say(type="authenticate", token=token)
        await seat.turned()
        seat.token = token
        self._stage.watch.tally.new_roles += 1

    def _nap(self) -> None:
        """Let those who doze begin to read nothing, or end it."""
        dozing = [seat for seat in self._seats if seat.dozing]
        if dozing:
            self._wake(dozing)
            return
        self._stage.watch.tally.naps += 1
        for seat in self._seats:
            if seat.part.dozes:
                seat.doze()

    def _wake(self, seats: list[Seat]) -> None:
        for seat in seats:
            seat.wake()

    def _steal(self) -> None:
        """Note down somebody's position, for others to claim."""
        if self._rng.random() < 0.3:
            self._loot.extend(self._positions(self._rng.choice(self._seats)))
            del self._loot[:-LOOT]
        if len(self._old) < OLD and self._rng.random() < 0.1:
            self._old[self._ledger.version] = self._ledger.digests()

    def _positions(self, seat: Seat) -> list[Loot]:
        """Return the position a viewer holds, where it is at the head."""
        if seat.position is None or seat.version != self._ledger.version:
            return []
        return [Loot(seat.version, seat.position, self._ledger.alike(seat.eye))]

    async def _ask_about(self) -> None:
        """Let some viewers make calls."""
        seats = self._rng.sample([seat for seat in self._seats if not seat.dozing], 2)
        guesses = self._positions(self._rng.choice(self._seats))
        for seat in seats:
            await self._calls.look(seat, guesses)
            if seat.eye.role != "dm":
                others = [each for each in self._stage.campaigns if each != seat.campaign_id]
                await self._calls.trespass(seat, self._rng.choice(others or ["elsewhere"]))

    async def _restart(self) -> None:
        """Stop the server and start another; everybody comes back with what they hold."""
        self._wake(self._seats)
        away = [seat for seat in self._seats if seat.connected]
        for seat in away:
            seat.expect_restart()
        await self._stage.restart()
        await asyncio.gather(*(seat.gone() for seat in away))
        self._stage.watch.tally.reconnects += len(away)
        await asyncio.gather(*(seat.come(Claim(seat.position, held=True)) for seat in away))
        await self._meet()

    async def _end(self) -> None:
        """Let everybody come a last time, and ask for everything once more."""
        self._wake(self._seats)
        away = [seat for seat in self._seats if not seat.connected]
        await asyncio.gather(*(seat.come(Claim(seat.position, held=True)) for seat in away))
        await self._meet()
        guesses = self._positions(self._rng.choice(self._seats))
        for seat in self._seats:
            await self._calls.look(seat, guesses)
        await self._calls.compare(self._dm, self._old)
        await self._calls.blunder(
            self._dm, self._script.planter.hatch("value", "nowhere"), self._pace.blunders
        )


def presumptions() -> list[dict[str, Any]]:
    """Return what a DM alone may ask for, and what nobody may."""
    return [
        {"type": "commit", "patch": [{"op": "test", "path": "/dm", "value": 1}]},
        {"type": "deactivate"},
        {"type": "decide_suggestion", "decision": "accept"},
        {"type": "take_lease"},
        {"type": "narration", "phase": "begin"},
        {"type": "?"},
    ]
