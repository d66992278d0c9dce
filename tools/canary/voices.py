"""Voices: what players and the DM say at the table, over their sockets or by calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from tools.canary.calls import OK, Calls
from tools.canary.canaries import numbers_in
from tools.canary.lines import messages_in
from tools.canary.scenes import Scene, Word
from tools.canary.viewers import Seat

PATIENCE = 30.0


class Voices:
    """Speaks for whoever has something to say.

    Args:
        dm: the orchestrator's viewer.
        seats: everybody's.
    """

    def __init__(self, dm: Seat, seats: Sequence[Seat], calls: Calls) -> None:
        self._dm = dm
        self._seats = seats
        self._calls = calls
        # Whose connection it was on which a suggestion was made that names nobody.
        self._makers: dict[str, Seat] = {}

    async def suggest(self, scene: Scene) -> dict[str, Any]:
        """Make the suggestion that is a scene; returns the answer."""
        message = {"type": "player_suggestion", **scene.body}
        seat = self._seat(None if scene.author is None else scene.author.player_id)
        if scene.author is None:
            # The answer to a call names it, and that is all; over a socket it is told of it, as
            # long as that lasts.
            seat.own |= scene.said if seat.asks_over_socket else numbers_in(scene.id)
            if seat.asks_over_socket:
                self._makers[scene.id] = seat
        return await self.ask(seat, message, scene.id)

    async def decide(self, scene: Scene, seat: Seat) -> dict[str, Any]:
        """Dispose of a suggestion, as the DM; returns the answer."""
        maker = self._makers.get(scene.body["id"])
        if maker is not None and scene.body["player_id"] is None:
            maker.own |= scene.said
        message = {"type": "decide_suggestion", **scene.body}
        return await self.ask(seat, message, scene.body["id"], by_call=scene.version % 2 == 1)

    async def say(self, word: Word) -> None:
        """Send a signal, or a status."""
        seat = self._dm if word.speaker is None else self._seat(word.speaker)
        if seat.asks_over_socket:
            await seat.say(**word.message)
        else:
            await self._post(seat, word.message)

    async def ask(
        self, seat: Seat, message: dict[str, Any], identifier: str, *, by_call: bool = False
    ) -> dict[str, Any]:
        """Make a request and return its answer."""
        answer = seat.expect_answer(identifier)
        if seat.asks_over_socket and not by_call:
            await seat.say(**message)
        else:
            await self._post(seat, message)
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def _post(self, seat: Seat, message: dict[str, Any]) -> None:
        path = f"/api/campaigns/{seat.campaign_id}/messages"
        answer = await self._calls.ask(seat, "POST", path, message)
        if answer.status != OK:
            seat.report("silent", "POST messages", None, f"answered with {answer.status}")
            identifier = message.get("id") or ""
            # Whoever waits is told that it failed.
            seat.overhear([msgspec.json.encode({"type": "rejected", "id": identifier}).decode()])
            return
        seat.overhear(messages_in(answer.body))

    def _seat(self, player_id: str | None) -> Seat:
        """Return a seat of a player, who may say something whether it is connected or not."""
        seats = [
            seat
            for seat in self._seats
            if seat.part.role == "player" and seat.part.player_id == player_id
            if not (seat.part.climbs or seat.part.turns)
        ]
        return next((seat for seat in seats if seat.asks_over_socket), seats[0])
