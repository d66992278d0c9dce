"""The messages of protocol 1: Structs tagged by `type`, one JSON object a text frame.

The server's end decodes `ClientMessage` and refuses unknown types and fields; the client's end
decodes `ServerMessage` and ignores both, so that a server may say more than a client knows.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from questlog.campaign.commands import Commit
from questlog.campaign.errors import Invalid, Rejection, from_document
from questlog.campaign.events import DEFAULT_KIND, EventHeader
from questlog.campaign.ids import MAX_EVENT_ID
from questlog.document import DocumentError, Limits, check, decode
from questlog.sync.talk import TalkMessage, TalkTold

SUBPROTOCOL = "questlog.v1"
Mode = Literal["delta", "full"]
Reason = Literal["connected", "resync", "lagged", "role", "activated"]
Sort = Literal["snapshot", "delta", "full", "heartbeat", "answer", "talk"]


class _Snapshot(Struct, frozen=True, tag_field="type"):
    """A whole view: it replaces what the replica holds."""

    campaign_id: str
    version: int
    position: str
    structured_data: dict[str, Any]
    reason: Reason
    timestamp: str


class CampaignActive(_Snapshot, frozen=True, tag="campaign_active"):
    """A snapshot: it replaces what the replica holds."""


class CampaignLoaded(_Snapshot, frozen=True, tag="campaign_loaded"):
    """A snapshot of the campaign just activated at the followed table."""


class CampaignUpdated(Struct, frozen=True, tag="campaign_updated", tag_field="type"):
    """A delta from `base` to `version`; in full mode the whole document instead of it."""

    campaign_id: str
    version: int
    position: str
    events: list[EventHeader]
    timestamp: str
    base: int | UnsetType = UNSET
    patch: list[dict[str, Any]] | UnsetType = UNSET
    structured_data: dict[str, Any] | UnsetType = UNSET


class CampaignDeactivated(Struct, frozen=True, tag="campaign_deactivated", tag_field="type"):
    """The campaign left the followed table: there is nothing to see until the next is loaded."""

    campaign_id: str
    timestamp: str


class ServerHeartbeat(Struct, frozen=True, tag="heartbeat", tag_field="type"):
    """Where the followed campaign stands, so that a lost last message is noticed.

    `digest`, for a peer that asks, is that of its view: SHA-256 of the canonical JSON (RFC 8785).
    """

    campaign_id: str | None
    version: int
    position: str | None
    timestamp: str
    digest: str | UnsetType = UNSET


class Committed(Struct, frozen=True, tag="committed", tag_field="type"):
    """The request `id` is done and durable as of `version`."""

    id: str
    version: int
    position: str
    duplicate: bool
    timestamp: str


class Rejected(Struct, frozen=True, tag="rejected", tag_field="type"):
    """The request `id` changed nothing; `code` says why."""

    id: str | None
    code: str
    message: str
    version: int | None
    timestamp: str


class Error(Struct, frozen=True, tag="error", tag_field="type"):
    """Something is wrong with the connection or a message that asked for no answer."""

    code: str
    message: str
    timestamp: str


ServerMessage = (
    CampaignActive
    | CampaignLoaded
    | CampaignUpdated
    | CampaignDeactivated
    | ServerHeartbeat
    | Committed
    | Rejected
    | Error
    | TalkTold
)


class _Client(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """A message a client may send: its fields and no others."""


class Authenticate(_Client, frozen=True, tag="authenticate"):
    """Give a token, at first or again."""

    token: str


class Resync(_Client, frozen=True, tag="resync"):
    """Ask for what is missing since `position`; without one, for a snapshot.

    `digest` is given by a replica whose view turned out not to be the server's.
    """

    position: str | None = None
    digest: str | UnsetType = UNSET


class ClientHeartbeat(_Client, frozen=True, tag="heartbeat"):
    """Say that this client lives and which version it holds; the server answers with its own.

    `digest` true asks for the view's digest, in the answer and from then on in those at rest;
    false takes that back.
    """

    version: int = 0
    digest: bool | UnsetType = UNSET


class CommitForm(Struct, frozen=True, forbid_unknown_fields=True):
    """A commit in full: exactly one of `patch` and `structured_data`."""

    id: str | None = None
    kind: str = DEFAULT_KIND
    expected_version: int | None = None
    lease: int | None = None
    patch: list[dict[str, Any]] | UnsetType = UNSET
    structured_data: dict[str, Any] | UnsetType = UNSET
    meta: dict[str, Any] | None = None

    def command(self, if_match: int | None = None) -> Commit:
        """Return the command this form asks for, on a condition from outside it."""
        return Commit(
            patch=self.patch,
            structured_data=self.structured_data,
            kind=self.kind,
            meta=self.meta,
            expected_version=self.expected_version,
            lease=self.lease,
            if_match=if_match,
        )


class CommitMessage(CommitForm, frozen=True, tag_field="type", tag="commit"):
    """Commit a change: exactly one of `patch` and `structured_data`. DM only."""


def commit_message(
    identifier: str,
    kind: str,
    patch: list[dict[str, Any]] | None,
    structured_data: dict[str, Any] | None,
    expected_version: int | None,
    meta: dict[str, Any] | None,
    lease: int | None = None,
) -> CommitMessage:
    """Return the message that commits a change a program made.

    Raises:
        Rejection: it has not exactly one of `patch` and `structured_data`, or JSON cannot hold it.
    """
    if (patch is None) == (structured_data is None):
        raise Invalid("A commit has either a patch or structured_data.")
    try:
        for value in (patch, structured_data, meta):
            check(value)
    except DocumentError as error:
        raise from_document(error) from error
    return CommitMessage(
        id=identifier,
        kind=kind,
        expected_version=expected_version,
        lease=lease,
        patch=UNSET if patch is None else patch,
        structured_data=UNSET if structured_data is None else structured_data,
        meta=meta,
    )


class ActivateMessage(_Client, frozen=True, tag="activate"):
    """Seat a campaign at a table, for a session called `title`. DM only."""

    campaign_id: str
    table: str = "main"
    id: str | None = None
    title: str | None = None


class DeactivateMessage(_Client, frozen=True, tag="deactivate"):
    """Take the followed campaign from its table. DM only."""

    id: str | None = None


ClientMessage = (
    Authenticate
    | Resync
    | ClientHeartbeat
    | CommitMessage
    | ActivateMessage
    | DeactivateMessage
    | TalkMessage
)


def protocols_with(token: str | None) -> tuple[str, ...]:
    """Return the subprotocols a client offers: ours, and the token as the other, if any."""
    return (SUBPROTOCOL,) if token is None else (SUBPROTOCOL, f"bearer.{token}")


class Encoded:
    """A message in bytes, encoded once for everyone it goes to.

    Attributes:
        place: the position a peer holds that has got this, None where it moves nobody.
        reason: why it brings a peer to the head, None where it is no more than the next step.
        sort: what it is, for counting.
        wire: room for a transport to keep its own form beside it, made once as well.
    """

    __slots__ = ("payload", "place", "reason", "sort", "wire")

    def __init__(self, message: ServerMessage) -> None:
        self.payload: bytes = msgspec.json.encode(message)
        self.place: str | None = None
        self.reason: Reason | None = None
        self.sort: Sort = "talk"
        self.wire: Any = None
        match message:
            case CampaignActive() | CampaignLoaded():
                self.place, self.sort, self.reason = message.position, "snapshot", message.reason
            case CampaignUpdated():
                self.place = message.position
                self.sort = "delta" if message.structured_data is UNSET else "full"
            case ServerHeartbeat():
                self.sort = "heartbeat"
            case Committed() | Rejected() | Error():
                self.sort = "answer"


class Malformed(Struct, frozen=True):
    """A frame that is no message: what to answer, the request it names if any, and whether to go.

    A frame that is not JSON, or no object with a `type`, comes from a client that does not speak
    the protocol: the socket closes. An unknown type or field may come from a newer one: it stays.
    """

    rejection: Rejection
    id: str | None
    fatal: bool


def read_client_message(frame: bytes | str, limits: Limits) -> ClientMessage | Malformed:
    """Return the message in a text frame, or what is wrong with it. Never raises."""
    try:
        value = decode(frame, limits)
    except DocumentError as error:
        return Malformed(from_document(error), None, fatal=True)
    if type(value) is not dict or type(value.get("type")) is not str:
        return Malformed(Invalid("A message is an object with a type."), None, fatal=True)
    identifier = value.get("id")
    if type(identifier) is not str:
        identifier = None
    elif len(identifier) > MAX_EVENT_ID:
        # An answer repeats the id; it does not repeat whatever was sent in its place.
        too_long = Invalid(f"A request's id has at most {MAX_EVENT_ID} characters.")
        return Malformed(too_long, None, fatal=False)
    try:
        message: ClientMessage = msgspec.convert(value, ClientMessage)
    except msgspec.ValidationError as error:
        return Malformed(Invalid(f"Not a message of protocol 1: {error}."), identifier, fatal=False)
    return message


def read_server_message(frame: bytes | str) -> ServerMessage:
    """Return the message in a text frame from a server.

    Raises:
        msgspec.DecodeError: it is no message this release knows.
    """
    message: ServerMessage = msgspec.json.decode(frame, type=ServerMessage)
    return message
