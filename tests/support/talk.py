"""What peers hear of each other: everything, in order, with no waiting for what does not come."""

from __future__ import annotations

from typing import Any

from tests.support.peer import Peer


async def so_far(peer: Peer) -> list[dict[str, Any]]:
    """Return all that a peer is sent until the server answers what it says now.

    What was done before this, and answered to whoever did it, is in it or was not sent at all.
    """
    # Of no version, so that nothing is noted of it.
    await peer.say(type="heartbeat", version=0)
    messages = []
    while (message := await peer.hear())["type"] != "heartbeat":
        messages.append(message)
    return messages


async def heard(peer: Peer, *kinds: str) -> list[dict[str, Any]]:
    """Return what a peer is sent of these types until the server answers what it says now."""
    return [message for message in await so_far(peer) if message["type"] in kinds]


def names(presence: dict[str, Any]) -> dict[str | None, int]:
    """Return who is there by a `presence` message, each with how many connections."""
    assert "counts" not in presence
    return {
        each["player_id"] or f"a {each['role']}": each["connections"]
        for each in presence["members"]
    }


async def until_told(peer: Peer, kind: str, **members: Any) -> dict[str, Any]:
    """Return the next message of a type that has these members, passing over all others."""
    while True:
        message = await peer.until(kind)
        if all(message[name] == value for name, value in members.items()):
            return message
