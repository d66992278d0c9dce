"""A replica kept by hand, so that what a server sends is judged by something else than our own."""

from __future__ import annotations

from typing import Any

from questlog.document import apply
from tests.support.peer import TALK, Peer


class Follower:
    """A replica kept by hand: applies what it is sent, and checks what it is told."""

    def __init__(self) -> None:
        self.version = 0
        self.document: Any = None

    def take(self, message: dict[str, Any]) -> None:
        """Take a snapshot or a delta."""
        if message["type"] in ("campaign_active", "campaign_loaded"):
            self.document = message["structured_data"]
        elif message["type"] in TALK:
            return
        else:
            assert message["base"] == self.version
            self.document = apply(self.document, message["patch"])
        self.version = message["version"]

    async def follow(self, peer: Peer, version: int) -> None:
        """Take messages until this version."""
        while self.version < version:
            message = await peer.next()
            if message["type"] != "heartbeat":
                self.take(message)
