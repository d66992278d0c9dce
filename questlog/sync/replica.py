"""The client's end: a copy of one view that equals the log at its version, or knows it does not.

Messages in, effects out. A delta applies only to the version it was made from; anything else is a
gap, and the replica asks to be brought up to date from the position it can prove. It never guesses.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from questlog.campaign.events import EventHeader
from questlog.document import DocumentError, apply, digest
from questlog.sync.company import Company
from questlog.sync.messages import (
    CampaignActive,
    CampaignDeactivated,
    CampaignLoaded,
    CampaignUpdated,
    ClientHeartbeat,
    Committed,
    Error,
    Rejected,
    Resync,
    ServerHeartbeat,
    ServerMessage,
    read_server_message,
)
from questlog.sync.talk import TalkTold

Status = Literal["connecting", "live", "stale", "waiting"]


class Changed(Struct, frozen=True):
    """The replica holds another version or document.

    Attributes:
        patch: what changed since the document before; None where a snapshot replaced it.
        events: the events told of, oldest first; empty for a snapshot.
        reason: why a snapshot came, None for a delta.
    """

    campaign_id: str
    version: int
    patch: list[dict[str, Any]] | None
    events: list[EventHeader]
    reason: str | None


class Deactivated(Struct, frozen=True):
    """The followed table is empty: there is no document until the next campaign is loaded."""

    campaign_id: str


class SendText(Struct, frozen=True):
    """Send this text frame."""

    text: str


class Answered(Struct, frozen=True):
    """A request of this client's was answered."""

    answer: Committed | Rejected


class Failed(Struct, frozen=True):
    """The server refused something this client sent; where it matters, a close follows."""

    error: Error


class Heard(Struct, frozen=True):
    """Something was said that is no change of the document; the replica's `company` knows of it."""

    message: TalkTold


Effect = Changed | Deactivated | SendText | Answered | Failed | Heard


class Replica:
    """A client's copy of its view.

    Attributes:
        campaign_id, version, position: what is held; None, 0 and None before the first snapshot.
            The position alone is None where the log refuted it: then only a snapshot is believed.
        document: the view, replaced and never mutated; None where nothing is active.
        company: who is there, and what was said.
        status: `connecting` until the first message of a connection, `stale` from a gap to its
            healing, `waiting` at an empty table, else `live`.
    """

    def __init__(self) -> None:
        self.campaign_id: str | None = None
        self.version = 0
        self.position: str | None = None
        self.document: dict[str, Any] | None = None
        self.company = Company()
        self.status: Status = "connecting"
        self._asked = False

    def disconnected(self) -> None:
        """Note that the connection is gone; what is held stays, to resume from."""
        self.status = "connecting"
        self._asked = False
        self.company.disconnected()

    def heartbeat(self, *, digest: bool = False) -> SendText:
        """Return the message that says this client lives, and which version it holds.

        Args:
            digest: ask for the view's digest, now and at rest: what is held is compared with it.
        """
        return _send(ClientHeartbeat(version=self.version, digest=digest or UNSET))

    def confirm(self, position: str | None) -> None:
        """Note that the server, asked over a connection, is where this replica is."""
        if self.document is not None and position == self.position:
            self.status = "live"

    def receive(self, frame: bytes | str) -> list[Effect]:
        """Take one text frame from the server.

        Messages of a type this release does not know are passed over.

        Raises:
            msgspec.DecodeError: the frame is not JSON, or a known message is misshapen.
        """
        try:
            message = read_server_message(frame)
        except msgspec.ValidationError:
            if is_unknown_type(frame):
                return []
            raise
        match message:
            case CampaignActive() | CampaignLoaded():
                return [self._replace(message, message.structured_data, message.reason)]
            case CampaignUpdated():
                return self._update(message)
            case CampaignDeactivated(campaign_id=campaign_id):
                return self._deactivate(campaign_id)
            case ServerHeartbeat():
                return self._compare(message)
            case Committed() | Rejected():
                return [Answered(message)]
            case Error():
                return [Failed(message)]
            case _:
                self.company.hear(message)
                return [Heard(message)]

    def _replace(
        self,
        message: CampaignActive | CampaignLoaded | CampaignUpdated,
        document: dict[str, Any],
        reason: str | None,
        events: list[EventHeader] | None = None,
    ) -> Changed:
        self.document = document
        self._hold(message)
        if reason == "role":
            # What somebody else was told is not for whoever this client is now.
            self.company = Company()
        return Changed(message.campaign_id, message.version, None, events or [], reason)

    def _update(self, message: CampaignUpdated) -> list[Effect]:
        same = message.campaign_id == self.campaign_id and self.document is not None
        if message.structured_data is not UNSET:
            if same and message.version <= self.version and self.status == "live":
                return []
            return [self._replace(message, message.structured_data, None, message.events)]
        if not same or self.position is None or message.base is UNSET or message.patch is UNSET:
            return self._resync()
        if message.version <= self.version:
            if message.base == message.version == self.version and not message.patch:
                # The answer of a server that has nothing newer.
                self._hold(message)
            return []
        if message.base != self.version:
            return self._resync()
        return self._apply(message, message.patch)

    def _apply(self, message: CampaignUpdated, patch: list[dict[str, Any]]) -> list[Effect]:
        try:
            document = apply(self.document, patch)
        except DocumentError:
            document = None
        if type(document) is not dict:
            # The versions agree and the documents do not: only a snapshot can be trusted now.
            self.position = None
            return self._resync()
        self.document = document
        self._hold(message)
        return [Changed(message.campaign_id, message.version, patch, message.events, None)]

    def _hold(self, message: CampaignActive | CampaignLoaded | CampaignUpdated) -> None:
        if message.campaign_id != self.campaign_id:
            self.company = Company()
        self.campaign_id = message.campaign_id
        self.version = message.version
        self.position = message.position
        self.status = "live"
        self._asked = False

    def _deactivate(self, campaign_id: str) -> list[Effect]:
        self.campaign_id, self.version, self.position, self.document = None, 0, None, None
        self.company = Company()
        self.status = "waiting"
        self._asked = False
        return [Deactivated(campaign_id)]

    def _compare(self, message: ServerHeartbeat) -> list[Effect]:
        """Notice a last message that was lost: nothing else would, at rest."""
        if message.campaign_id is None:
            if self.document is None:
                self.status = "waiting"
                return []
            return self._deactivate(self.campaign_id or "")
        same = message.campaign_id == self.campaign_id
        theirs: str | UnsetType = UNSET
        if same and message.version == self.version and message.position != self.position:
            # Another log, or another view: a delta from this version would not lead to the truth.
            self.position = None
        elif same and message.version == self.version and self._differs(message.digest):
            self.position, theirs = None, digest(self.document)
        elif same and message.version <= self.version and self.status == "live":
            return []
        # Whatever was asked before has been lost, or was answered by something that was.
        self._asked = False
        return self._resync(theirs)

    def _differs(self, told: str | UnsetType) -> bool:
        """Return whether what is held is not what the server says it is, by its digest."""
        return told is not UNSET and self.status == "live" and digest(self.document) != told

    def _resync(self, held: str | UnsetType = UNSET) -> list[Effect]:
        """Ask to be brought up to date, once: until it is answered, more gaps tell nothing new."""
        self.status = "stale"
        if self._asked:
            return []
        self._asked = True
        return [_send(Resync(self.position, held))]


def is_unknown_type(frame: bytes | str) -> bool:
    """Return whether a frame holds an object whose `type` this release does not know."""
    value = msgspec.json.decode(frame)
    known = {cls.__struct_config__.tag for cls in get_args(ServerMessage)}
    kind = value.get("type") if type(value) is dict else None
    return type(kind) is str and kind not in known


def _send(message: Resync | ClientHeartbeat) -> SendText:
    return SendText(msgspec.json.encode(message).decode())
