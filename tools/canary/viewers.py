"""Viewers: each follows a campaign by hand, over a socket, a stream or polls, and judges every
message it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import count, cycle
from types import MappingProxyType
from typing import Any

import msgspec

from questlog.campaign.position import parse_position
from questlog.campaign.visibility import Viewer
from questlog.document import DocumentError, apply, equal
from tools.canary.canaries import numbers_in
from tools.canary.cast import NOTHING, Claim, Part
from tools.canary.entrances import Entrance
from tools.canary.judging import SNAPSHOTS, leaks
from tools.canary.ledger import Ledger
from tools.canary.lines import Line
from tools.canary.oracle import eye_of
from tools.canary.stage import Stage
from tools.canary.watch import Code, Finding

PATIENCE = 30.0


# Messages that tell a viewer of a suggestion of its own.
ANSWERS = ("committed", "rejected")
OF_OWN = ("suggestion", *ANSWERS)
# What is counted of messages that hold a canary, and under which name.
COUNTED: Mapping[str, str] = MappingProxyType(
    {
        "suggestion": "suggestions",
        "signal": "signals",
        "narration": "narrations",
        "presence": "presences",
        "player_joined": "presences",
        "player_left": "presences",
        "player_status": "presences",
    }
)


class Seat:
    """One viewer at one campaign.

    Attributes:
        eye: who looks, as far as what it may see goes.
        version, position, document: what it holds; 0 and None where that is nothing.
        dozing: whether it reads nothing now.
        own: the canaries in suggestions it made without a name: nobody else is like it in that.
    """

    def __init__(self, part: Part, token: str, ledger: Ledger, stage: Stage) -> None:
        self.part = part
        self.token = token
        self.eye = eye_of(Viewer(part.role, part.player_id))
        self.version = 0
        self.position: str | None = None
        self.document: Any = None
        self.dozing = False
        self.own: set[int] = set()
        self._ledger = ledger
        self._stage = stage
        self._watch = stage.watch
        self._relay = stage.relay(self._heard, narrow=part.dozes)
        self._eyes = {self.eye}
        self._coming: list[Viewer] = []
        self._trap: int | None = None
        self._asked = False
        self._greeted = False
        self._told_of = 0
        self._line: Line | None = None
        self._lines = cycle(part.lines)
        self._comings = count()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._leaving = False
        self._moved = asyncio.Event()

    @property
    def campaign_id(self) -> str:
        """The campaign it looks at."""
        return self._ledger.campaign_id

    @property
    def url(self) -> str:
        """Where the server is, for this viewer."""
        return self._relay.url

    @property
    def connected(self) -> bool:
        """Whether it follows by anything now."""
        return self._line is not None

    @property
    def asks_over_socket(self) -> bool:
        """Whether what it asks goes over a socket, at which it can be relied on to stay."""
        steady = not (self.part.restless or self.part.table or self.dozing)
        return steady and self.follows and self._by == "socket"

    @property
    def follows(self) -> bool:
        """Whether the server has answered its coming, and it holds something."""
        return self.connected and self._greeted and self.document is not None

    @property
    def settled(self) -> bool:
        """Whether it is known who looks: no change of that is on its way."""
        return not self._coming

    async def open(self) -> None:
        """Get ready to connect."""
        await self._relay.open()

    async def close(self) -> None:
        """Leave for good."""
        await self.leave()
        await self._relay.close()

    async def come(self, claim: Claim = NOTHING) -> None:
        """Connect, claiming to hold something."""
        since = claim.position
        if not claim.held:
            self._forget()
        self._trap, self._asked, self._leaving = claim.trap, False, False
        self._greeted, self._told_of = False, 0
        kind, tally = next(self._lines), self._watch.tally
        if kind == "poll":
            # Where what is claimed is the head, no message will say so.
            held = parse_position(since or "")
            self._told_of = 0 if held is None else held.version
        tally.streams += kind == "stream"
        tally.polls += kind == "poll"
        entrance = Entrance(self._stage.session, self.url, self.campaign_id, self.part, self.token)
        self._line = await entrance.open(kind, since, odd=next(self._comings) % 2 == 1)
        self._listening = asyncio.create_task(self._listen(self._line))
        tally.connections += 1

    async def leave(self) -> None:
        """Disconnect; what is held is kept."""
        self._leaving = True
        if self._line is not None:
            await self._line.close()
        await self.gone()

    async def gone(self) -> None:
        """Wait until the line has ended."""
        if self._listening is not None:
            await asyncio.gather(self._listening)
        self._listening = None

    def doze(self) -> None:
        """Read nothing more, for now."""
        self.dozing = True
        self._relay.doze()

    def wake(self) -> None:
        """Read on."""
        self.dozing = False
        self._relay.wake()

    def expect_restart(self) -> None:
        """Note that the server is about to end the line."""
        self._leaving = True
        if self._line is not None:
            self._line.expect_end()

    def headers(self) -> dict[str, str]:
        """Return the headers that show its token."""
        return {"Authorization": f"Bearer {self.token}"}

    async def say(self, **message: Any) -> None:
        """Send a message, unless the line has ended."""
        line = self._line
        if line is not None:
            self._watch.tally.calls += line.kind != "socket"
            self.overhear(await line.say(msgspec.json.encode(message).decode()))

    def expect_answer(self, identifier: str) -> asyncio.Future[dict[str, Any]]:
        """Return the answer to a request of this id that is about to be made."""
        answer = self._answers[identifier] = asyncio.get_running_loop().create_future()
        return answer

    def overhear(self, answers: Iterable[str]) -> None:
        """Judge what is answered by a call: it is no part of what is followed."""
        for text in answers:
            message = msgspec.json.decode(text)
            self._judge_message(message, text, "call")
            self._check_base(message)
            self.answered(message)

    async def resync(self, claim: Claim) -> None:
        """Ask for what is missing since a position, be it one that is held or not."""
        self._trap = claim.trap
        await self.say(type="resync", position=claim.position)

    def expect(self, eye: Viewer) -> None:
        """Note that from the next snapshot of another role on, somebody else looks."""
        self._coming.append(eye)
        self._eyes.add(eye)

    def become(self, eye: Viewer) -> None:
        """Note that somebody else looks: nothing is sent of it where nothing is followed."""
        self._coming.clear()
        self._eyes.add(eye)
        self.eye = eye
        self._forget()

    async def reached(self, version: int) -> None:
        """Wait until it follows, and holds this version or a later one."""
        await self._until(lambda: self.follows and self.version >= version)

    async def turned(self) -> None:
        """Wait until who looks is who was expected to."""
        await self._until(lambda: self.settled)

    def judge(self) -> None:
        """Compare what it holds with what the oracle says of the last version."""
        if not equal(self.document, self._ledger.views[self.eye]):
            self.report("wrong_view", self._by, self.version, "the replica")

    def report(self, code: Code, channel: str, version: int | None, detail: str) -> None:
        """Keep a finding about this viewer."""
        self._watch.add(
            Finding(
                code=code,
                campaign_id=self._ledger.campaign_id,
                viewer=self.label,
                version=version,
                channel=channel,
                detail=detail,
            )
        )

    def leaked(self, numbers: set[int], channel: str, version: int | None) -> None:
        """Keep that it was sent these canaries."""
        self._watch.leaked(
            numbers,
            campaign_id=self._ledger.campaign_id,
            viewer=self.label,
            version=version,
            channel=channel,
        )

    @property
    def _by(self) -> str:
        """By what it follows."""
        return "socket" if self._line is None else self._line.kind

    @property
    def label(self) -> str:
        """Which viewer this is, and who looks now."""
        return f"{self.part.name} ({_who(self.eye)})"

    async def _until(self, there: Any) -> None:
        """Wait for something; a viewer that waits too long, or is closed, is a finding."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not there():
                    if not self.connected:
                        break
                    self._moved.clear()
                    await self._moved.wait()
                else:
                    return
        except TimeoutError:
            pass
        self.report("silent", self._by, self.version, "it was not brought to where it should be")

    async def _listen(self, line: Line) -> None:
        """Take messages until the line ends."""
        async for batch in line.batches():
            for text in batch:
                self._watch.tally.messages += 1
                await self._take(text)
            if line.kind == "poll" and not (self._greeted or self._asked):
                self._told_nothing(line)
            self._moved.set()
        self._line = None
        self._moved.set()
        self.leaked(numbers_in(line.ending), "close", None)
        if not self._leaving:
            self.report("silent", line.kind, self.version, f"closed with {line.ending}")

    def _told_nothing(self, line: Line) -> None:
        """Take an answer that says nothing of the document: the server takes it for known."""
        if self._trap is not None:
            self.report("believed", "poll", self._trap, "a position at the head")
        if self.document is None:
            line.start_over()
        else:
            self._greeted = True

    async def _take(self, text: str) -> None:
        message: dict[str, Any] = msgspec.json.decode(text)
        kind = message["type"]
        if kind in SNAPSHOTS and message["reason"] == "role":
            if not self._coming:
                unasked = "an unasked change of role"
                self.report("wrong_view", self._by, message["version"], unasked)
            else:
                self.eye = self._coming.pop(0)
        self._judge_message(message, text, self._by)
        if kind in SNAPSHOTS:
            self._watch.tally.lagged += message["reason"] == "lagged"
            self._hold(message, message["structured_data"])
        elif kind == "campaign_updated":
            await self._update(message)
        elif kind == "campaign_deactivated":
            self._forget()
        else:
            self.answered(message)

    def _judge_message(self, message: dict[str, Any], text: str, by: str) -> None:
        kind, version = message.get("type", "?"), message.get("version")
        found = leaks(self._ledger, [self.eye, *self._coming], message, text, self._told_of)
        if found and kind in OF_OWN:
            found -= self.own
        self.leaked(found, kind if by == "socket" else f"{kind} by {by}", version)
        if kind in COUNTED and "canary-" in text:
            name = COUNTED[kind]
            tally = self._watch.tally
            setattr(tally, name, getattr(tally, name) + 1)
        if by != "call" and (kind in SNAPSHOTS or kind == "campaign_updated"):
            self._told_of = message["version"]

    async def _update(self, message: dict[str, Any]) -> None:
        """Take a delta, or a view in full mode."""
        if "structured_data" in message:
            self._hold(message, message["structured_data"])
            return
        base = message["base"]
        if self.document is not None and base == self.version:
            try:
                self._hold(message, apply(self.document, message["patch"]))
            except DocumentError as error:
                self.report("wrong_view", "delta", message["version"], str(error))
                self._forget()
                await self._ask_anew(None)
            return
        self._check_base(message)
        if not self._asked:
            self._asked = True
            await self._ask_anew(self.position)

    async def _ask_anew(self, position: str | None) -> None:
        """Do as a client does that has missed something."""
        if self._line is not None and self._by != "socket":
            self._line.start_over()
        else:
            await self.say(type="resync", position=position)

    def _check_base(self, message: dict[str, Any]) -> None:
        base = message.get("base")
        if base is not None and base == self._trap:
            self.report("believed", "delta", message["version"], f"a position at {base}")

    def answered(self, message: dict[str, Any]) -> None:
        """Take what is no news of a campaign: the answer to a request, maybe."""
        if message.get("type") in ANSWERS:
            answer = self._answers.pop(message["id"] or "", None)
            if answer is not None and not answer.done():
                answer.set_result(message)

    def _hold(self, message: dict[str, Any], document: Any) -> None:
        self.version, self.position = message["version"], message["position"]
        self.document = document
        self._asked, self._greeted = False, True

    def _forget(self) -> None:
        self.version, self.position, self.document = 0, None, None

    def _heard(self, data: bytes, fresh: int) -> None:
        """Look through what came over the wire: it is more than what messages are made of."""
        self._watch.tally.bytes += fresh
        numbers = numbers_in(data)
        if numbers:
            self._watch.leaked(
                self._ledger.never(self._eyes, numbers - self.own),
                campaign_id=self.campaign_id,
                # Bytes come before it is known who looks at the message they are of.
                viewer=f"{self.part.name} ({', '.join(sorted(map(_who, self._eyes)))})",
                version=None,
                channel="wire",
            )


def _who(eye: Viewer) -> str:
    return eye.role if eye.role != "player" else f"player {eye.player_id or '-'}"
