"""Who looks through a connection at a campaign: the seat of whoever it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from questlog.campaign.errors import Forbidden
from questlog.campaign.visibility import Viewer
from server.access.authenticator import Authenticator
from server.connection import Connection

DM_ONLY = "The DM's socket serves nobody else; players have one of their own."


class Standing:
    """Finds the viewers of connections."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def viewer(self, connection: Connection, campaign_id: str) -> Viewer:
        """Return who looks through a connection at a campaign.

        Where nothing has changed since this was last asked, it returns without giving way to
        anything else, so that what it says still holds when the caller goes on.

        Raises:
            Forbidden: nobody may.
        """
        (found,) = await self.viewers([connection], campaign_id)
        if isinstance(found, Forbidden):
            raise found
        return found

    async def viewers(
        self, connections: Sequence[Connection], campaign_id: str
    ) -> list[Viewer | Forbidden]:
        """Return who looks through each connection at a campaign, or why nobody may."""
        while True:
            known = [connection.known for connection in connections]
            found = await self._authenticator.viewers([(who, campaign_id) for who in known])
            if all(who is each.known for who, each in zip(known, connections, strict=True)):
                break
            # Somebody has shown another token meanwhile.
        return [
            Forbidden(DM_ONLY)
            if isinstance(viewer, Viewer) and connection.only_dm and viewer.role != "dm"
            else viewer
            for connection, viewer in zip(connections, found, strict=True)
        ]
