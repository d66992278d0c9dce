"""A log on its way between stores: a header, then an event a line, as it is stored.

`patch`, `data` and `meta` are JSON text in the store and stand in a line as they are, so that
whoever reads it can compute the very hashes it was stored with.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from eventstore.chain import GENESIS
from eventstore.errors import BadTransferError
from questlog.campaign.errors import Invalid
from questlog.campaign.events import Event, built_in_kinds
from questlog.campaign.ids import check_event_id, check_kind, check_name

FORMAT = "questlog.log.1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line.

    Attributes:
        after, previous: the version before the first that follows, and its chain hash.
        version, hash: the last that follows; they are `after` and `previous` where none does.
    """

    format: str
    campaign_id: str
    after: int
    previous: str
    version: int
    hash: str


class Line(Event, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Any other line: an event in the shape the contract gives it, in the schema it has."""

    def fields(self, campaign_id: str) -> tuple[str | int, ...]:
        """Return the columns the event is stored in, in the order of `chain.FIELDS`."""
        return (
            campaign_id,
            self.version,
            self.id,
            self.kind,
            self.actor.member,
            self.actor.role,
            self.at,
            bytes(self.patch).decode(),
            bytes(self.data).decode(),
            bytes(self.meta).decode(),
            self.request,
            self.schema,
        )


def header_from(text: bytes) -> Header:
    """Return the header a file begins with.

    Raises:
        BadTransferError: it is none of ours.
    """
    try:
        header = msgspec.json.decode(text, type=Header)
        check_name(header.campaign_id, "campaign id")
    except (msgspec.MsgspecError, UnicodeError, Invalid) as error:
        raise BadTransferError(
            "The file does not begin as `questlog export` begins one."
        ) from error
    if header.format != FORMAT:
        raise BadTransferError(f"The file is of the format {header.format!r}, not {FORMAT!r}.")
    digests = _DIGEST.fullmatch(header.previous) and _DIGEST.fullmatch(header.hash)
    if not 0 <= header.after <= header.version or not digests:
        raise BadTransferError("The file's header contradicts itself.")
    if header.after == 0 and (header.previous != GENESIS or not header.version):
        raise BadTransferError("The file's header contradicts itself.")
    return header


def line_from(text: bytes, campaign_id: str, version: int, at: str) -> Line:
    """Return the event a line holds, which is to be `version`, and dated no earlier than `at`.

    What it makes of the campaign, and whether its hash is right, is the reader's to find.

    Raises:
        BadTransferError: it is no event, or not this one; names the version.
    """
    try:
        line = msgspec.json.decode(text, type=Line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise refused(version, f"is no event: {error}") from error
    if (line.campaign_id, line.version) != (campaign_id, version):
        raise refused(version, f"is missing: {line.campaign_id!r} {line.version} is in its place")
    if (line.kind == "campaign.created") != (version == 1):
        raise refused(version, "is no beginning" if version == 1 else "begins the log anew")
    try:
        check_event_id(line.id)
        if line.kind not in built_in_kinds():
            check_kind(line.kind)
        if not line.actor.member or not line.actor.member.isprintable():
            raise Invalid("An actor has an id of printable characters.")
        if not _DIGEST.fullmatch(line.request) or not _MOMENT.fullmatch(line.at):
            raise Invalid("Its request is no digest, or its time not written as the log writes it.")
        datetime.fromisoformat(line.at)
        for part in (line.data, line.meta):
            msgspec.json.decode(part, type=dict[str, Any])
    except Invalid as error:
        raise refused(version, f"cannot be in a log: {error.message}") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise refused(version, f"cannot be in a log: {error}") from error
    if line.at < at:
        raise refused(version, f"is dated {line.at}, before the one before it, {at}")
    return line


def refused(version: int, why: str) -> BadTransferError:
    """Return the refusal of a file for one event in it."""
    return BadTransferError(f"Version {version} {why}. Nothing was imported.")
