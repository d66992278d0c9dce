"""The DM that makes each scene of a script, over its socket and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from tools.canary.calls import FIRST_ERROR, Calls
from tools.canary.cast import Part
from tools.canary.ledger import Ledger
from tools.canary.scenes import Scene
from tools.canary.stage import Stage
from tools.canary.viewers import Seat
from tools.canary.voices import PATIENCE, Voices

TALKS = ("suggest", "decide", "lease", "begin", "chunk", "end")


class CanaryError(click.ClickException):
    """The canary could not be flown to its end; the sentence says at what it came down."""


class Orchestrator(Seat):
    """A DM's viewer that also acts.

    Attributes:
        voices: those of everybody at the table.
    """

    voices: Voices

    def __init__(self, part: Part, token: str, ledger: Ledger, stage: Stage, calls: Calls) -> None:
        super().__init__(part, token, ledger, stage)
        self._calls = calls

    async def perform(self, scenes: Sequence[Scene], table: str) -> None:
        """Make these scenes, in order; messages are sent without waiting for their answers.

        Raises:
            CanaryError: the server refuses one, or gives it another version.
        """
        waiting: list[tuple[Scene, asyncio.Future[dict[str, Any]]]] = []
        for scene in scenes:
            for word in scene.words:
                await self.voices.say(word)
            message = self._message(scene, table)
            if message is None:
                await self._settle(waiting)
                if scene.way in TALKS:
                    await self._talk(scene)
                else:
                    await self._call(scene, table)
            else:
                waiting.append((scene, self.expect_answer(scene.id)))
                await self.say(**message)
                if scene.way != "commit":
                    # Only commits are decided in the order they are sent.
                    await self._settle(waiting)
        await self._settle(waiting)

    async def _talk(self, scene: Scene) -> None:
        """Have said what makes a version."""
        voices, body = self.voices, scene.body
        if scene.way == "suggest":
            self._check(scene, await voices.suggest(scene))
        elif scene.way == "decide":
            self._check(scene, await voices.decide(scene, self))
        elif scene.way == "lease":
            self._check(scene, await voices.ask(self, body, scene.id))
        elif scene.way == "chunk":
            # Nobody answers it; it is a version once it is gathered.
            await self.say(type="narration", phase="chunk", **body)
            await self.reached(scene.version)
            self._check(scene, {"version": self.version})
        else:
            message = {"type": "narration", "phase": scene.way, **body}
            self._check(scene, await voices.ask(self, message, body["id"]))

    def _message(self, scene: Scene, table: str) -> dict[str, Any] | None:
        """Return the scene as a message; None where it is made by a call."""
        if scene.way == "commit":
            commit = {"patch": scene.body, "kind": scene.kind, "meta": scene.meta}
            return {"type": "commit", "id": scene.id, **commit}
        if scene.way == "activate" and scene.version % 2:
            seat = {"campaign_id": self.campaign_id, "table": table}
            return {"type": "activate", "id": scene.id, **seat}
        if scene.way == "deactivate" and scene.version % 2:
            return {"type": "deactivate", "id": scene.id}
        return None

    async def _settle(self, waiting: list[tuple[Scene, asyncio.Future[dict[str, Any]]]]) -> None:
        for scene, answer in waiting:
            async with asyncio.timeout(PATIENCE):
                self._check(scene, await answer)
        waiting.clear()

    async def _call(self, scene: Scene, table: str) -> None:
        here = f"/api/campaigns/{self.campaign_id}"
        form = {"kind": scene.kind, "meta": scene.meta}
        calls: dict[str, tuple[str, str, Any]] = {
            "create": ("PUT", here, scene.body),
            "post": ("POST", f"{here}/events", {"patch": scene.body, **form}),
            "whole": ("POST", f"{here}/events", {"structured_data": scene.body, **form}),
            "patch": ("PATCH", f"{here}/state", scene.body),
            "merge": ("PATCH", f"{here}/state", scene.body),
            "put": ("PUT", f"{here}/state", scene.body),
            "rules": ("PUT", f"{here}/visibility", scene.body),
            "activate": ("POST", f"{here}/activate", {"table": table}),
            "deactivate": ("POST", f"{here}/deactivate", {}),
            "rewind": ("POST", f"{here}/rewind", scene.body),
        }
        headers = {"Idempotency_Key": scene.id}
        if scene.way == "merge":
            headers["Content_Type"] = "application/merge-patch+json"
        answer = await self._calls.ask(self, *calls[scene.way], **headers)
        body: dict[str, Any] = msgspec.json.decode(answer.body)
        if answer.status >= FIRST_ERROR:
            body.pop("version", None)
        self._check(scene, body)

    def _check(self, scene: Scene, answer: dict[str, Any]) -> None:
        if answer.get("version") != scene.version:
            reason = answer.get("detail") or answer.get("message") or answer
            raise CanaryError(
                f"{self.campaign_id}: version {scene.version} ({scene.way}) failed: {reason}"
            )
