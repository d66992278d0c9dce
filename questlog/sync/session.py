"""The server's end of a connection, as a state machine: what happened in, what to do out.

A session is WAITING at an empty table, CATCHING_UP while the version its peer holds is read from
the log, LIVE when its peer holds the head or has it under way, LAGGING while its outbox is too full
for deltas, and CLOSED. A live session has no version of its own: the room's broadcast reaches it
with everyone else's, which is what makes a delivery cost one write. Every step from one phase to
another is in this file.
"""

from __future__ import annotations

import re
from enum import Enum

from msgspec import UNSET, Struct, UnsetType

from questlog.campaign.authority import Act, require
from questlog.campaign.errors import BadJson, Forbidden, Rejection
from questlog.campaign.position import Position, parse_position
from questlog.campaign.visibility import Viewer
from questlog.document import Limits
from questlog.sync.closing import CloseCode, closes_with
from questlog.sync.entries import Entry
from questlog.sync.feed import SECONDS, Feed
from questlog.sync.messages import (
    ActivateMessage,
    Authenticate,
    CampaignDeactivated,
    ClientHeartbeat,
    CommitMessage,
    DeactivateMessage,
    Encoded,
    Error,
    Malformed,
    Mode,
    Reason,
    Rejected,
    Resync,
    ServerHeartbeat,
    read_client_message,
)
from questlog.sync.talk import (
    DecideMessage,
    NarrationMessage,
    ReleaseLeaseMessage,
    SignalMessage,
    StatusMessage,
    SuggestMessage,
    TakeLeaseMessage,
)

Asked = (
    CommitMessage
    | SuggestMessage
    | DecideMessage
    | TakeLeaseMessage
    | ReleaseLeaseMessage
    | NarrationMessage
)
SocketRequest = Asked | ActivateMessage | DeactivateMessage
Word = StatusMessage | SignalMessage
DIGESTS_A_SECOND = 4


class Phase(Enum):
    """Where a session is; see the module."""

    WAITING = "waiting"
    CATCHING_UP = "catching up"
    LIVE = "live"
    LAGGING = "lagging"
    CLOSED = "closed"


class Send(Struct, frozen=True):
    """Send this message."""

    message: Encoded


class Recall(Struct, frozen=True):
    """Read this version of the campaign from the log, and call `recalled` with it."""

    version: int


class Refuse(Struct, frozen=True):
    """Answer the request `id` with this rejection, after the answers to those before it."""

    id: str | None
    rejection: Rejection


class Execute(Struct, frozen=True):
    """Carry out a request and send its answer."""

    message: SocketRequest


class Relay(Struct, frozen=True):
    """Pass on a word that nobody answers."""

    message: Word


class Heard(Struct, frozen=True):
    """Note that the peer says it holds this version."""

    version: int


class Diverged(Struct, frozen=True):
    """Note that a replica held something else than this view at a version: a fault of somebody's.

    Attributes:
        ours, theirs: the digests of the view and of what the replica held.
    """

    version: int
    ours: str
    theirs: str


class Warn(Struct, frozen=True):
    """Say that something the peer sent was not taken; no request, so nothing else answers it."""

    rejection: Rejection


class Renew(Struct, frozen=True):
    """Take this token in the place of the one the peer came with."""

    token: str


class Close(Struct, frozen=True):
    """Close the socket."""

    code: CloseCode
    rejection: Rejection


Effect = Send | Recall | Refuse | Execute | Relay | Heard | Warn | Renew | Diverged | Close


class Session:
    """One connection's side of the protocol on the server.

    Attributes:
        viewer: who is looking; decided by the server, never by what the peer says. Before a
            campaign is followed it sees nothing, whoever it is.
        mode: `delta`, or `full` for peers that know no patches.
        feed: the campaign followed, None at an empty table.
        told: the last version and digest the peer was told of, for when it holds another.
        came_with: the version the peer claimed to hold when it came; 0: none.
    """

    def __init__(self, viewer: Viewer, mode: Mode, limits: Limits, *, terse: bool = False) -> None:
        """Begin at no campaign.

        Args:
            terse: say nothing to a peer that comes with the position of the head.
        """
        self.viewer = viewer
        self.mode = mode
        self.feed: Feed | None = None
        self.phase = Phase.WAITING
        self.came_with = 0
        self._limits = limits
        self._terse = terse
        self._held: Entry | None = None
        self._since: Position | None = None
        self._reason: Reason = "connected"
        self._with_digest = False
        self._digested = ("", 0)
        self.told: tuple[int, str] | None = None

    def follow(self, feed: Feed, since: str | None, reason: Reason) -> list[Effect]:
        """Begin to follow `feed` for a peer that claims to hold the position `since`."""
        if self.phase is Phase.CLOSED:
            return []
        self.feed = feed
        position = None if since is None else parse_position(since)
        self.came_with = 0 if position is None else position.version
        return self._catch_up(position, reason)

    def visit(self, feed: Feed) -> None:
        """Take requests about `feed` from a peer that follows nothing."""
        self.feed, self.phase = feed, Phase.LIVE

    def leave(self, now: str) -> list[Effect]:
        """Stop following: the campaign has left the table."""
        if self.feed is None or self.phase is Phase.CLOSED:
            return []
        message = CampaignDeactivated(self.feed.campaign_id, now)
        self.feed = self._held = self._since = None
        self.phase = Phase.WAITING
        return [Send(Encoded(message))]

    def receive(self, frame: bytes | str, now: str) -> list[Effect]:
        """Take one text frame from the peer."""
        if self.phase is Phase.CLOSED:
            return []
        message = read_client_message(frame, self._limits)
        match message:
            case Malformed():
                return self._refuse(message, now)
            case Authenticate(token=token):
                return [Renew(token)]
            case Resync(position=text, digest=theirs):
                diverged = [] if theirs is UNSET else self._diverged(theirs)
                return diverged + self._resync(None if text is None else parse_position(text))
            case ClientHeartbeat(version=version, digest=wanted):
                if wanted is not UNSET:
                    self._with_digest = wanted
                return self._heard(version) + self._heartbeat(
                    now, with_digest=self._may(wanted, now)
                )
            case _:
                return self._request(message)

    def heartbeat(self, now: str) -> list[Effect]:
        """Say where the followed campaign stands, at rest; its digest to who has asked for it."""
        return self._heartbeat(now, with_digest=self._with_digest)

    def _heartbeat(self, now: str, *, with_digest: bool) -> list[Effect]:
        if self.phase is Phase.WAITING:
            return [Send(Encoded(ServerHeartbeat(None, 0, None, now)))]
        if self.feed is not None and self.phase is Phase.LIVE:
            if with_digest:
                self.told = (self.feed.head.version, self.feed.head.digest(self.viewer))
            return [Send(self.feed.heartbeat(self.viewer, with_digest=with_digest))]
        # What the peer should hold is on its way; naming the head would only make it ask again.
        return []

    def _may(self, wanted: bool | UnsetType, now: str) -> bool:
        """Return whether a digest is answered with: it costs as much as the view is long."""
        if wanted is not True:
            return False
        second, times = self._digested
        times = times + 1 if second == now[:SECONDS] else 1
        self._digested = (now[:SECONDS], times)
        return times <= DIGESTS_A_SECOND

    def _heard(self, version: int) -> list[Effect]:
        """Note what the peer says it holds, where there can be such a version."""
        if self.feed is None or not 1 <= version <= self.feed.head.version:
            return []
        return [Heard(version)]

    def refuse_binary(self, now: str) -> list[Effect]:
        """Take a binary frame: this protocol has none."""
        return self.refuse(BadJson("Frames are text, one JSON object each."), now)

    def refuse(self, rejection: Rejection, now: str) -> list[Effect]:
        """Say why the connection cannot go on, and end it."""
        if self.phase is Phase.CLOSED:
            return []
        self.phase = Phase.CLOSED
        error = Error(rejection.code, rejection.message, now)
        return [Send(Encoded(error)), Close(closes_with(rejection.code), rejection)]

    def recalled(self, version: int, entry: Entry | None) -> list[Effect]:
        """Take the version asked for by Recall; None where the log has no such version."""
        since = self._since
        if self.phase is not Phase.CATCHING_UP or since is None or since.version != version:
            # An answer to an earlier question: a newer one is under way or has been answered.
            return []
        return self._go_live(entry, since)

    def overflowed(self) -> None:
        """Note that the outbox is too full: the peer stays at the present head until it drains."""
        if self.phase is Phase.LIVE and self.feed is not None:
            self.phase = Phase.LAGGING
            self._held = self.feed.head

    def drained(self) -> list[Effect]:
        """Bring a peer whose outbox has drained to the head, by one message."""
        if self.phase is not Phase.LAGGING or self.feed is None:
            return []
        held, self._held = self._held, None
        if held is None:
            return self._catch_up(self._since, self._reason)
        self.phase = Phase.LIVE
        if held is self.feed.head:
            return []
        return [Send(self.feed.catch_up(self.viewer, held, self.mode, "lagged"))]

    def assume(self, viewer: Viewer) -> list[Effect]:
        """Go on as another viewer: whatever the peer holds is replaced by a snapshot."""
        if viewer == self.viewer or self.phase is Phase.CLOSED:
            return []
        self.viewer = viewer
        if self.feed is None:
            return []
        if self.phase is Phase.LAGGING:
            self._held = self._since = None
            self._reason = "role"
            return []
        return self._catch_up(None, "role")

    def closed(self) -> None:
        """Note that the socket is gone."""
        self.phase = Phase.CLOSED
        self.feed = self._held = self._since = None

    def _resync(self, since: Position | None) -> list[Effect]:
        """Bring a peer that found a gap to the head: at once, or once its outbox has drained."""
        if self.feed is None:
            return []
        if self.phase is Phase.LAGGING:
            if self._held is None and self._reason == "role":
                # A snapshot is owed, whatever the peer holds.
                return []
            self._held, self._since, self._reason = None, since, "resync"
            return []
        return self._catch_up(since, "resync")

    def _diverged(self, theirs: str) -> list[Effect]:
        """Note what a replica says it held in place of what it was last told the digest of."""
        told, self.told = self.told, None
        if told is None or not re.fullmatch(r"[0-9a-f]{64}", theirs) or theirs == told[1]:
            return []
        return [Diverged(*told, theirs)]

    def _request(self, message: SocketRequest | Word) -> list[Effect]:
        """Have a request carried out, where the viewer's role may do such a thing."""
        if isinstance(message, ActivateMessage) and self.feed is None:
            # Nothing is followed: what they are at the campaign it names is not known here.
            return [Execute(message)]
        try:
            require(self.viewer.role, act_of(message))
        except Forbidden as refusal:
            if isinstance(message, StatusMessage | SignalMessage):
                return [Warn(refusal)]
            return [Refuse(message.id, refusal)]
        if isinstance(message, StatusMessage | SignalMessage):
            return [Relay(message)]
        return [Execute(message)]

    def _catch_up(self, since: Position | None, reason: Reason) -> list[Effect]:
        feed = self.feed
        assert feed is not None
        self._reason, self._since, self._held = reason, None, None
        if since is None or not 1 <= since.version <= feed.head.version or self.mode == "full":
            return self._go_live(None, None)
        entry = feed.recall(since.version)
        if entry is None:
            self.phase, self._since = Phase.CATCHING_UP, since
            return [Recall(since.version)]
        return self._go_live(entry, since)

    def _go_live(self, entry: Entry | None, since: Position | None) -> list[Effect]:
        """Send what takes the peer to the head, by delta where its position proves out."""
        feed = self.feed
        assert feed is not None
        self.phase, self._since = Phase.LIVE, None
        if entry is not None and since is not None and feed.proves(since, entry, self.viewer):
            if self._terse and entry is feed.head:
                return []
            return [Send(feed.catch_up(self.viewer, entry, self.mode, self._reason))]
        return [Send(feed.snapshot(self.viewer, self._reason))]

    def _refuse(self, malformed: Malformed, now: str) -> list[Effect]:
        rejection = malformed.rejection
        if malformed.fatal:
            return self.refuse(rejection, now)
        if malformed.id is not None:
            return [Refuse(malformed.id, rejection)]
        return [Send(Encoded(Error(rejection.code, rejection.message, now)))]


def act_of(message: SocketRequest | Word) -> Act:
    """Return what a request wants to do, for the table of who may do what."""
    match message:
        case CommitMessage():
            return Act.COMMIT
        case SuggestMessage():
            return Act.SUGGEST
        case DecideMessage():
            return Act.DECIDE
        case TakeLeaseMessage() | ReleaseLeaseMessage():
            return Act.STEER
        case NarrationMessage():
            return Act.NARRATE
        case StatusMessage() | SignalMessage():
            return Act.SPEAK
        case ActivateMessage() | DeactivateMessage():
            return Act.SEAT


def rejected(identifier: str | None, rejection: Rejection, now: str) -> Rejected:
    """Return the answer to the request `identifier` that was not carried out."""
    return Rejected(identifier, rejection.code, rejection.message, rejection.version, now)
