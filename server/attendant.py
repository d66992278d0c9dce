"""One socket from its handshake to its end: who it is, what it follows, and the frames it sends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import WSMsgType

from eventstore.errors import StoreError
from questlog.campaign.errors import Rejection, StoreUnavailable, TooLarge
from questlog.campaign.evolve import DamagedLogError
from questlog.sync.closing import closes_with
from server.admission import Admission
from server.background import Background
from server.clock import Clock
from server.config import Config
from server.connection import Connection
from server.doorway import GoneError, Target, first_token, first_viewer, on_allowance
from server.hub import Hub
from server.links import SocketLink

COUNTED = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)

# More has no version.
DIGITS = 18


class Attendant:
    """Serves sockets."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        hub: Hub,
        admission: Admission,
        background: Background,
        log: Any,
    ) -> None:
        self._config = config
        self._clock = clock
        self._hub = hub
        self._admission = admission
        self._background = background
        self._log = log

    async def serve(self, connection: Connection, link: SocketLink, target: Target) -> None:
        """Serve a socket to its end."""
        hub = self._hub
        try:
            hub.arrive(connection)
        except Rejection as refusal:
            await hub.turn_away(connection, refusal)
            return
        link.socket.on_fault = partial(self._fault, connection)
        try:
            if connection.identity is None:
                await self._let_in(connection, link)
            await hub.settle_down(connection, target)
            await self._read(connection, link)
        except Rejection as refusal:
            await hub.turn_away(connection, refusal)
        except (StoreError, DamagedLogError) as error:
            self._log.error("store unavailable", code=error.code, error=str(error))
            await hub.turn_away(connection, StoreUnavailable("The log cannot be read now."))
        except GoneError:
            pass
        finally:
            hub.forget(connection)

    async def _let_in(self, connection: Connection, link: SocketLink) -> None:
        """Wait for the token of a peer that brought none, and learn who it is."""
        with on_allowance(link.transport, self._excess(connection)):
            limits = self._config.message_limits()
            token = await first_token(link.socket, limits, self._config.auth_timeout)
            identity = await self._admission.identify(token, connection.address)
        connection.identity = identity
        connection.session.viewer = first_viewer(identity)
        self._hub.crowd.let_in(connection)

    async def _read(self, connection: Connection, link: SocketLink) -> None:
        """Take frames until the socket ends. Any frame shows that the peer lives."""
        socket, session, hub = link.socket, connection.session, self._hub
        while not connection.closing:
            message = await socket.receive()
            connection.heard = self._clock.monotonic()
            if message.type in COUNTED:
                hub.metering.check(connection, message.data)
            if message.type is WSMsgType.TEXT:
                if hub.stopping:
                    # What comes now was not accepted; the close that follows tells the peer.
                    continue
                hub.perform(connection, session.receive(message.data, hub.now()))
                await self._hold_back(connection)
            elif message.type is WSMsgType.BINARY:
                hub.perform(connection, session.refuse_binary(hub.now()))
            elif message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                if connection.room is not None and message.data.isdigit():
                    connection.room.company.known(connection, int(message.data[:DIGITS]))
            else:
                return

    async def _hold_back(self, connection: Connection) -> None:
        """Read no further from a peer that is owed too many answers, or does not take them."""
        while len(connection.answers) >= self._config.max_pipelined:
            await self._hub.requests.answered(connection)
        if connection.buffered() > self._config.outbox:
            await self._hub.drained(connection)

    def _excess(self, connection: Connection) -> Callable[[], None]:
        """Return what turns away a stranger that has sent too much."""

        def excess() -> None:
            refusal = TooLarge("The first message is authenticate, and is small.")
            refusal.limit = "max_player_message"
            self._background.spawn(self._hub.turn_away(connection, refusal))

        return excess

    def _fault(self, connection: Connection, fault: Rejection) -> None:
        """Record what was wrong with a frame that was never read to its end."""
        if isinstance(fault, TooLarge):
            dm = connection.session.viewer.role == "dm"
            fault.limit = "max_body" if dm else "max_player_message"
        self._hub.record(connection, fault)
        connection.ended(closes_with(fault.code), by_us=True)
