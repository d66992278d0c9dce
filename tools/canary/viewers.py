"""Viewers: each follows a campaign over a socket, by hand, and judges every message it is sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Literal

import msgspec
from aiohttp import ClientWebSocketResponse, WSMsgType
from msgspec import Struct

from questlog.campaign.events import Role
from questlog.campaign.visibility import Viewer
from questlog.document import DocumentError, apply, equal
from questlog.sync.messages import SUBPROTOCOL
from tools.canary.canaries import numbers_in
from tools.canary.judging import SNAPSHOTS, leaks
from tools.canary.ledger import Ledger
from tools.canary.oracle import eye_of
from tools.canary.stage import Stage
from tools.canary.watch import Code, Finding

PATIENCE = 30.0

Door = Literal["header", "subprotocol", "query", "message"]


class Part(Struct, frozen=True, kw_only=True):
    """Who a viewer is, and how it follows.

    Attributes:
        table: the table it follows, None where it follows the campaign.
        restless: it comes and goes, and claims to hold what it does not.
        climbs: its member is given other roles on the way.
        turns: it shows the tokens of others on the way.
        dozes: at times it reads nothing for a while.
    """

    name: str
    role: Role
    player_id: str | None = None
    full: bool = False
    deflates: bool = False
    endpoint: Literal["player", "dm"] = "player"
    table: str | None = None
    door: Door = "header"
    restless: bool = False
    climbs: bool = False
    turns: bool = False
    dozes: bool = False


class Claim(Struct, frozen=True):
    """What a viewer says it holds.

    Attributes:
        held: whether that is true.
        trap: the version of a position that is not of this view: no delta may come from there.
    """

    position: str | None = None
    held: bool = False
    trap: int | None = None


NOTHING = Claim()


class Seat:
    """One viewer at one campaign.

    Attributes:
        eye: who looks, as far as what it may see goes.
        version, position, document: what it holds; 0 and None where that is nothing.
        dozing: whether it reads nothing now.
    """

    def __init__(self, part: Part, token: str, ledger: Ledger, stage: Stage) -> None:
        self.part = part
        self.token = token
        self.eye = eye_of(Viewer(part.role, part.player_id))
        self.version = 0
        self.position: str | None = None
        self.document: Any = None
        self.dozing = False
        self._ledger = ledger
        self._stage = stage
        self._watch = stage.watch
        self._relay = stage.relay(self._heard, narrow=part.dozes)
        self._eyes = {self.eye}
        self._coming: list[Viewer] = []
        self._trap: int | None = None
        self._asked = False
        self._greeted = False
        self._socket: ClientWebSocketResponse | None = None
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
        """Whether its socket is open."""
        return self._socket is not None

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
        part, since = self.part, claim.position
        if not claim.held:
            self._forget()
        self._trap, self._asked, self._leaving = claim.trap, False, False
        self._greeted = False
        query = {"since": since, "mode": "full" if part.full else "delta"}
        query |= {"table": part.table} if part.table else {"campaign_id": self._ledger.campaign_id}
        query |= {"token": self.token} if part.door == "query" else {}
        offered = [SUBPROTOCOL, f"bearer.{self.token}"] if part.door == "subprotocol" else []
        self._socket = await self._stage.session.ws_connect(
            f"{self.url}/ws/campaign/{part.endpoint}",
            params={name: value for name, value in query.items() if value is not None},
            headers=self.headers() if part.door == "header" else None,
            protocols=offered,
            compress=15 if part.deflates else 0,
            max_msg_size=0,
        )
        self._listening = asyncio.create_task(self._listen(self._socket))
        self._watch.tally.connections += 1
        if part.door == "message":
            await self.say(type="authenticate", token=self.token)

    async def leave(self) -> None:
        """Disconnect; what is held is kept."""
        self._leaving = True
        if self._socket is not None:
            await self._socket.close()
        await self.gone()

    async def gone(self) -> None:
        """Wait until the socket has ended."""
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
        """Note that the server is about to close the socket."""
        self._leaving = True

    def headers(self) -> dict[str, str]:
        """Return the headers that show its token."""
        return {"Authorization": f"Bearer {self.token}"}

    async def say(self, **message: Any) -> None:
        """Send a message, unless the socket has ended."""
        if self._socket is not None:
            with suppress(ConnectionError):
                await self._socket.send_str(msgspec.json.encode(message).decode())

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
            self.report("wrong_view", "socket", self.version, "the replica")

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
        self.report("silent", "socket", self.version, "it was not brought to where it should be")

    async def _listen(self, socket: ClientWebSocketResponse) -> None:
        """Take messages until the socket ends."""
        while True:
            message = await socket.receive()
            if message.type is WSMsgType.TEXT:
                self._watch.tally.messages += 1
                await self._take(message.data)
                self._moved.set()
            else:
                break
        self._socket = None
        self._moved.set()
        if isinstance(message.extra, str):
            self.leaked(numbers_in(message.extra), "close", None)
        if not self._leaving:
            self.report("silent", "socket", self.version, f"closed with {socket.close_code}")

    async def _take(self, text: str) -> None:
        message: dict[str, Any] = msgspec.json.decode(text)
        kind = message["type"]
        if kind in SNAPSHOTS and message["reason"] == "role":
            if not self._coming:
                self.report("wrong_view", "socket", message["version"], "an unasked change of role")
            else:
                self.eye = self._coming.pop(0)
        found = leaks(self._ledger, self.eye, message, text)
        self.leaked(found, kind, message.get("version"))
        if kind in SNAPSHOTS:
            self._watch.tally.lagged += message["reason"] == "lagged"
            self._hold(message, message["structured_data"])
        elif kind == "campaign_updated":
            await self._update(message)
        elif kind == "campaign_deactivated":
            self._forget()
        else:
            self.answered(message)

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
                await self.say(type="resync")
            return
        if base == self._trap:
            self.report("believed", "delta", message["version"], f"a position at {base}")
        if not self._asked:
            # As a client does that has missed something.
            self._asked = True
            await self.say(type="resync", position=self.position)

    def answered(self, message: dict[str, Any]) -> None:
        """Take what is no news of a campaign."""

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
                self._ledger.never(self._eyes, numbers),
                campaign_id=self.campaign_id,
                # Bytes come before it is known who looks at the message they are of.
                viewer=f"{self.part.name} ({', '.join(sorted(map(_who, self._eyes)))})",
                version=None,
                channel="wire",
            )


def _who(eye: Viewer) -> str:
    return eye.role if eye.role != "player" else f"player {eye.player_id or '-'}"
