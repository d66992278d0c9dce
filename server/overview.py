"""The overview: how the server stands this moment, as gauges for `/metrics` and for `/api/live`."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from eventstore.errors import StoreError
from eventstore.port import EventReader, Extent
from questlog.campaign.events import Role
from questlog.campaign.visibility import Viewer
from questlog.sync.session import Phase
from server.clock import Clock
from server.connection import Connection
from server.hub import Hub
from server.registry import Registry, Seat
from server.roster import Present

ROLES = ("dm", "player", "spectator")
TRANSPORTS = ("socket", "stream", "poll")
# The role of whoever has shown no token yet.
STRANGER = "none"


class ConnectionNow(Struct, frozen=True):
    """One connection as it is now.

    `version` is the newest it is known to hold, `lag` how many versions that is behind; `outbox`
    bytes wait for it, and `slow` says that they are too many for deltas; `last_seen` is how many
    seconds ago it last showed that it lives.
    """

    transport: str
    version: int
    lag: int
    outbox: int
    slow: bool
    last_seen: float


class MemberNow(Struct, frozen=True):
    """A member who is there; with no connection: who has been until a moment ago."""

    player_id: str | None
    role: Role
    status: str | None
    connections: list[ConnectionNow]


class CampaignNow(Struct, frozen=True):
    """A campaign in memory: its head, its table, how many connections follow it, and whose."""

    campaign_id: str
    version: int
    table: str | None
    connections: int
    members: list[MemberNow]


class LiveAnswer(Struct, frozen=True):
    """The campaigns in memory, by id; and how many connections wait for one, or for a token."""

    campaigns: list[CampaignNow]
    waiting: int


class Overview(Collector):
    """Reads how the server stands."""

    def __init__(self, hub: Hub, registry: Registry, store: EventReader, clock: Clock) -> None:
        self._hub = hub
        self._registry = registry
        self._store = store
        self._clock = clock
        self._extent: Extent | None = None

    async def measure(self) -> None:
        """Ask the store how large the log is; while it cannot be read, what it said last stands."""
        try:
            self._extent = await self._store.extent()
        except (StoreError, sqlite3.Error, OSError):
            return

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; see `docs/operating.md`."""
        connections = list(self._hub.connections)
        seats = self._registry.seats()
        yield _labelled(
            "connections", "Open connections.", ("role", "transport"), crowd(connections)
        )
        present: Counter[str] = Counter()
        for seat in seats:
            present.update(seat.room.company.roster.counts(_everybody))
        members: dict[tuple[str, ...], int] = {(role,): present[role] for role in ROLES}
        yield _labelled("members_present", "Members at open campaigns.", ("role",), members)
        followed = sum(1 for seat in seats if seat.room.connections)
        yield _gauge("campaigns_open", "Campaigns that somebody follows.", followed)
        yield _gauge("campaigns_in_memory", "Campaigns in memory.", len(seats))
        waiting = [connection.buffered() for connection in connections]
        yield _gauge("outbox_bytes", "Bytes that wait for peers to take them.", sum(waiting))
        fullest = max(waiting, default=0)
        yield _gauge("outbox_fullest_bytes", "Bytes that wait for the slowest peer.", fullest)
        slow = sum(map(is_slow, connections))
        yield _gauge("connections_slow", "Connections with an outbox too full for deltas.", slow)
        if self._extent is not None:
            extent = self._extent
            yield _gauge("log_bytes", "Bytes that the store takes on disk.", extent.size)
            yield _gauge("log_events", "Events in the log.", extent.events)
            yield _gauge("log_campaigns", "Campaigns in the log.", extent.campaigns)

    def live(self) -> LiveAnswer:
        """Return who is where, and how far behind."""
        now = self._clock.monotonic()
        waiting = sum(1 for connection in self._hub.connections if connection.room is None)
        campaigns = [_campaign(seat, now) for seat in self._registry.seats()]
        campaigns.sort(key=lambda each: each.campaign_id)
        return LiveAnswer(campaigns, waiting)


def crowd(connections: list[Connection]) -> dict[tuple[str, ...], int]:
    """Return how many connections there are of each role and transport, none left out."""
    counts: dict[tuple[str, ...], int] = {
        (role, transport): 0 for role in ROLES for transport in TRANSPORTS
    }
    counts[STRANGER, "socket"] = 0
    for connection in connections:
        role = STRANGER if connection.identity is None else connection.session.viewer.role
        key = (role, connection.link.kind)
        counts[key] = counts.get(key, 0) + 1
    return counts


def is_slow(connection: Connection) -> bool:
    """Return whether deltas to a connection have stopped, until it has drained."""
    return connection.session.phase is Phase.LAGGING


def _campaign(seat: Seat, now: float) -> CampaignNow:
    state, room = seat.live.state, seat.room
    members = [_member(member, state.version, now) for member in room.company.roster]
    return CampaignNow(
        state.campaign_id, state.version, state.table, len(room.connections), members
    )


def _member(member: Present, head: int, now: float) -> MemberNow:
    connections = [
        ConnectionNow(
            connection.link.kind,
            version,
            max(0, head - version),
            connection.buffered(),
            is_slow(connection),
            round(max(0.0, now - connection.heard), 3),
        )
        for connection, version in member.connections.items()
    ]
    viewer = member.viewer
    return MemberNow(viewer.player_id, viewer.role, member.status, connections)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"questlog_{name}", what, value=value)


def _labelled(
    name: str, what: str, labels: tuple[str, ...], values: dict[tuple[str, ...], int]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"questlog_{name}", what, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family


def _everybody(_viewer: Viewer) -> bool:
    return True
