"""What becomes of live connections: tokens are renewed and run out, seats change and are lost.

Nobody who is connected has to do anything for that. The access file is looked at twice a second; a
seat that is gone closes its sockets, one with another role gets a snapshot of its new view.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from questlog.campaign.errors import Forbidden, Rejection, Unauthenticated
from questlog.campaign.visibility import Viewer
from questlog.sync.session import Effect
from server.access.identity import Identity, OpenIdentity, OwnIdentity
from server.admission import Admission
from server.clock import Clock
from server.connection import Connection
from server.links import Mailbox

INTERVAL = 0.5
SECOND = 1000


class Host(Protocol):
    """What the hub does for connections whose standing has changed."""

    async def turn_away(self, connection: Connection, refusal: Rejection) -> None:
        """Say why a connection cannot go on, and close it."""
        ...

    def perform(self, connection: Connection, effects: list[Effect]) -> None:
        """Do what a connection's session wants done."""
        ...

    def place(self, connection: Connection) -> None:
        """Count a connection where its viewer belongs."""
        ...


class Renewal:
    """Keeps what connections may see in step with their tokens and the access file.

    Args:
        connections: returns every connection there is.
        spawn: runs a coroutine to its end under the server's supervision.
    """

    def __init__(
        self,
        admission: Admission,
        clock: Clock,
        host: Host,
        connections: Callable[[], list[Connection]],
        spawn: Callable[[Any], object],
        log: Any,
    ) -> None:
        self._admission = admission
        self._authenticator = admission.authenticator
        self._clock = clock
        self._host = host
        self._connections = connections
        self._spawn = spawn
        self._log = log
        self._checked = 0
        self._told: str | None = None
        self._failing = False

    async def watch(self) -> None:
        """Act on what has expired and on what has changed in the access file, forever."""
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                self._expire()
                await self._authenticator.refresh()
                generation = self._authenticator.generation
                if generation != self._checked:
                    await self._recheck()
                    # Not before: a look that failed is taken again.
                    self._checked = generation
                self._tell_trouble()
                self._failing = False
            except Exception:
                # It may be readable again the next time; until then things stay as they were.
                if not self._failing:
                    self._failing = True
                    self._log.exception("access file not readable")

    async def renew(self, connection: Connection, token: str) -> None:
        """Take a new token for a connection that came with another; the last one sent counts."""
        if isinstance(connection.identity, OpenIdentity):
            return
        connection.renewals += 1
        renewal = connection.renewals
        try:
            identity = await self._admission.identify(token, connection.address)
            viewer = await self._viewer(connection, identity)
            if renewal != connection.renewals:
                return
            connection.identity = identity
            if viewer is not None:
                self._assume(connection, viewer)
        except Rejection as refusal:
            await self._host.turn_away(connection, refusal)

    async def _viewer(self, connection: Connection, identity: Identity) -> Viewer | None:
        """Return who looks with a new token at what is followed, None where nothing is."""
        while (campaign_id := _campaign_of(connection, identity)) is not None:
            viewer = await self._authenticator.viewer(identity, campaign_id)
            if campaign_id == _campaign_of(connection, identity):
                return viewer
            # Another campaign was seated at the table meanwhile.
        return None

    def _tell_trouble(self) -> None:
        trouble = self._authenticator.trouble
        if trouble != self._told:
            self._told = trouble
            self._log.warning("identity provider", why=trouble or "its keys are there again")

    def _expire(self) -> None:
        now = self._clock.now_ms()
        for connection in self._connections():
            identity = connection.identity
            if identity is not None and identity.expires * SECOND <= now:
                self._turn_away(connection, Unauthenticated("The token has expired."))

    async def _recheck(self) -> None:
        """Look anew at what every connection may see, in one reading of the file."""
        asked: list[tuple[Connection, Identity, str]] = []
        for connection in self._connections():
            identity = connection.identity
            if identity is None:
                continue
            try:
                self._authenticator.check(identity)
            except Unauthenticated as refusal:
                self._turn_away(connection, refusal)
                continue
            campaign_id = _campaign_of(connection, identity)
            if campaign_id is not None:
                asked.append((connection, identity, campaign_id))
        found = await self._authenticator.viewers([(who, where) for _, who, where in asked])
        for (connection, identity, campaign_id), viewer in zip(asked, found, strict=True):
            if identity is not connection.identity:
                # Renewed meanwhile, by the file as it is now.
                continue
            if campaign_id != _campaign_of(connection, identity):
                # It follows another campaign since, whose seat was looked up then.
                continue
            if isinstance(viewer, Forbidden):
                self._turn_away(connection, viewer)
            else:
                self._assume(connection, viewer)

    def _assume(self, connection: Connection, viewer: Viewer) -> None:
        if viewer != connection.session.viewer:
            # Let in once, they stay whatever they have become; the path asks when they come again.
            connection.only_dm = False
            if isinstance(connection.link, Mailbox):
                # What waits there was for whoever they were.
                connection.link.take()
            effects = connection.session.assume(viewer)
            self._host.place(connection)
            # Whom they may know of, and what waits for them, is another matter now.
            connection.introduced = False
            self._host.perform(connection, effects)

    def _turn_away(self, connection: Connection, refusal: Rejection) -> None:
        self._spawn(self._host.turn_away(connection, refusal))


def _campaign_of(connection: Connection, identity: Identity) -> str | None:
    """Return the campaign whose seat decides: the one followed, else the token's own."""
    feed = connection.session.feed
    if feed is not None:
        return feed.campaign_id
    return identity.campaign_id if isinstance(identity, OwnIdentity) else None
