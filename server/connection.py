"""One peer that is connected, however: its session, its link, and what it is still owed."""

from __future__ import annotations

from collections import deque
from typing import Any

from questlog.sync.messages import Encoded
from questlog.sync.session import Session
from server.access.identity import Identity
from server.addresses import UNKNOWN
from server.frames import frames_of
from server.limits import Bucket, Census
from server.links import Link
from server.metrics import Metrics


class AnswerSlot:
    """The place of a request's answer among those its connection is owed."""

    __slots__ = ("id", "message")

    def __init__(self, identifier: str | None) -> None:
        self.id = identifier
        self.message: Encoded | None = None


class Connection:
    """A connected peer.

    Attributes:
        link: where its messages go, and how.
        session: the protocol's state for this peer.
        metrics: what counts what it is sent and how it ends; None where that is no delivery.
        acknowledged: the newest version it was brought up to on coming, or has said it holds.
        heard: when the peer last showed that it lives, on the monotonic clock.
        sent: when the last heartbeat went, on the same clock.
        identity: who the peer is; None until it has shown a token.
        address: where it comes from.
        metered_as_dm: whether `bucket` is a DM's.
        renewals: how many tokens it has shown since the first.
        only_dm: whether it came to the DM's socket, where nobody else is served.
        counted: among which of its address's connections it is counted.
        bucket: how many messages it may send.
        place: what it is counted under among the connections of its member.
        table: the table followed, None where a campaign is.
        room: the room of the campaign followed.
        audience: who in the room gets the same bytes, while it is live.
        introduced: whether it knows who is there and what waits for it.
        introduced_at: the version at which it was last told that; 0: never, of this campaign.
        acquainted: whether it knew that already when it came.
        present: the member it is one connection of, in its room.
        own: ids of the suggestions of a peer that has no name to know them by.
        answers: what its requests are still owed, in their order.
    """

    __slots__ = (
        "_closing",
        "acknowledged",
        "acquainted",
        "address",
        "answers",
        "audience",
        "bucket",
        "buffered",
        "counted",
        "form",
        "heard",
        "identity",
        "introduced",
        "introduced_at",
        "link",
        "metered_as_dm",
        "metrics",
        "only_dm",
        "own",
        "place",
        "present",
        "renewals",
        "room",
        "sent",
        "session",
        "table",
        "write",
    )

    def __init__(
        self,
        link: Link,
        session: Session,
        now: float,
        *,
        identity: Identity | None = None,
        address: str = UNKNOWN,
        only_dm: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        self.identity = identity
        self.address = address
        self.only_dm = only_dm
        self.bucket: Bucket | None = None
        self.counted: Census | None = None
        self.metered_as_dm = False
        self.renewals = 0
        self.place: tuple[str, str] | None = None
        self.metrics = metrics
        self.acknowledged = 0
        self.link = link
        self.form = link.form
        self.session = session
        self.heard = self.sent = now
        self.table: Any = None
        self.room: Any = None
        self.audience: Any = None
        self.introduced = self.acquainted = False
        self.introduced_at = 0
        self.present: Any = None
        self.own: tuple[str, ...] = ()
        self.answers: deque[AnswerSlot] = deque()
        # One lookup less for each delivery.
        self.write = link.write
        self.buffered = link.buffered
        self._closing = False

    @property
    def known(self) -> Identity:
        """Who the peer is, once it has been let in."""
        assert self.identity is not None, "a stranger is served nothing"
        return self.identity

    @property
    def label(self) -> str:
        """How logs name the peer."""
        return "(nobody)" if self.identity is None else self.identity.label

    @property
    def closing(self) -> bool:
        """Whether a close has been sent or is about to be."""
        return self._closing or self.link.closed

    def send(self, message: Encoded) -> None:
        """Write `message` to the link, and count it; returns at once, whatever the peer does."""
        self.put(message)
        if self.metrics is not None:
            self.metrics.sent(message, len(frames_of(message).for_peer(self.form)))

    def put(self, message: Encoded) -> None:
        """Write `message` to the link, for a caller that counts it with others."""
        if not self.closing:
            self.write(frames_of(message).for_peer(self.form))

    def ended(self, code: int, *, by_us: bool) -> None:
        """Have the connection's end counted, once."""
        metrics, self.metrics = self.metrics, None
        if metrics is not None:
            metrics.closed(code, by_us=by_us)

    def ask(self, about: bytes = b"") -> None:
        """Make the peer show that it lives; a socket's pong repeats `about`."""
        if not self.closing:
            self.link.ask(about)

    async def close(self, code: int, reason: str) -> None:
        """Close the link, once."""
        if not self._closing:
            self._closing = True
            self.ended(code, by_us=True)
            await self.link.close(code, reason)
