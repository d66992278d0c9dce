"""Tables: where a campaign is played now, for those who come to the table and not to a campaign.

Which campaign sits where is in the log (`campaign.activated`); a Table in memory holds the sockets
that follow it. Seating two at one table is refused by the store's schema; here it is avoided by
deactivating the one before, under a lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eventstore.port import EventStore
from questlog.campaign.commands import Activate, Deactivate, Request
from questlog.campaign.events import Actor
from questlog.campaign.ids import check_name, check_title
from questlog.campaign.visibility import Viewer
from questlog.sync.messages import Reason
from server.connection import Connection
from server.live import Done
from server.registry import Registry, Seat
from server.standing import Standing

Follow = Callable[[Connection, Seat, Viewer, str | None, Reason], None]


class Table:
    """A named meeting place: the campaign there, if any, and the sockets that follow."""

    __slots__ = ("campaign_id", "connections")

    def __init__(self, campaign_id: str | None) -> None:
        self.campaign_id = campaign_id
        self.connections: dict[Connection, None] = {}


class Tables:
    """Every table in use.

    Attributes:
        follow: makes a connection follow a campaign (connection, seat, viewer, since, reason).
        move: makes a connection follow the campaign just seated at its table.
        leave: takes a connection out of the campaign it follows.
    """

    follow: Follow
    move: Callable[[Connection, Seat, Viewer], None]
    leave: Callable[[Connection], None]

    def __init__(self, store: EventStore, registry: Registry, standing: Standing) -> None:
        self._standing = standing
        self._store = store
        self._registry = registry
        self._tables: dict[str, Table] = {}
        self._moving = asyncio.Lock()

    async def join(self, name: str, connection: Connection, since: str | None) -> None:
        """Let a connection follow the table, and the campaign there, if any.

        Raises:
            Rejection: the table's name is none, or the peer has no seat at the campaign there.
        """
        check_name(name, "table")
        table = await self._table(name)
        table.connections[connection] = None
        connection.table = table
        while table.campaign_id is not None and connection.room is None:
            campaign_id = table.campaign_id
            async with self._registry.holding(campaign_id) as seat:
                viewer = await self._standing.viewer(connection, campaign_id)
                # Another may have been seated meanwhile, which told this connection itself.
                if table.campaign_id == campaign_id and connection.room is None:
                    self.follow(connection, seat, viewer, since, "connected")

    def part(self, connection: Connection) -> None:
        """Let a connection go."""
        if connection.table is not None:
            connection.table.connections.pop(connection, None)
            connection.table = None

    async def activate(self, campaign_id: str, request: Request) -> Done:
        """Carry out an Activate; whoever sits at the table, or it elsewhere, leaves first.

        Raises:
            Rejection: there is no such campaign, or the table's name or the title is none.
        """
        command, actor = request.command, request.actor
        assert isinstance(command, Activate)
        check_name(command.table, "table")
        check_title(command.title)
        async with self._moving, self._registry.holding(campaign_id) as seat:
            table = await self._table(command.table)
            if table.campaign_id == campaign_id or await seat.live.settles(request):
                return await seat.live.submit(request)
            if table.campaign_id is not None:
                await self._vacate(table.campaign_id, actor, None)
            if seat.live.state.table is not None:
                await self._vacate(campaign_id, actor, None)
            done = await seat.live.submit(request)
            table.campaign_id = seat.live.state.table and campaign_id
            if table.campaign_id is not None:
                await self._tell(table, seat)
            return done

    async def _tell(self, table: Table, seat: Seat) -> None:
        """Let those at the table follow the campaign just seated: whoever has a seat there.

        To the others the table stays as empty as it was.
        """
        campaign_id = seat.live.campaign_id
        waiting = list(table.connections)
        viewers = await self._standing.viewers(waiting, campaign_id)
        for connection, viewer in zip(waiting, viewers, strict=True):
            if (
                isinstance(viewer, Viewer)
                and connection in table.connections
                and connection.room is None
                and table.campaign_id == campaign_id
            ):
                self.move(connection, seat, viewer)

    async def deactivate(self, campaign_id: str, actor: Actor, identifier: str | None) -> Done:
        """Take a campaign from its table, if it sits at one.

        Raises:
            UnknownCampaign: there is no such campaign.
        """
        async with self._moving:
            return await self._vacate(campaign_id, actor, identifier)

    async def _vacate(self, campaign_id: str, actor: Actor, identifier: str | None) -> Done:
        async with self._registry.holding(campaign_id) as seat:
            name = seat.live.state.table
            done = await seat.live.submit(Request(actor, Deactivate(), identifier))
        if name is not None and seat.live.state.table is None:
            table = await self._table(name)
            table.campaign_id = None
            for connection in list(table.connections):
                self.leave(connection)
        return done

    async def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is None:
            campaign_id = await self._store.seated(name)
            table = self._tables.setdefault(name, Table(campaign_id))
        return table

    def sweep(self) -> None:
        """Forget tables nobody follows; what they hold is in the log."""
        if not self._moving.locked():
            for name, table in list(self._tables.items()):
                if not table.connections:
                    del self._tables[name]
