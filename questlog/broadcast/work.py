"""One thing for the broadcaster to do, as the application asked for it: checked, and a copy."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from questlog.campaign.errors import Invalid, from_document
from questlog.campaign.ids import MAX_EVENT_ID, check_kind, check_name
from questlog.document import DocumentError, check, decode, encode, equal

Event: TypeAlias = Literal["campaign_updated", "campaign_loaded", "campaign_deactivated"]

MEMBERS = frozenset({"campaign_id", "structured_data", "table"})
MAX_META = 64 * 1024


class Work(Struct, frozen=True, kw_only=True):
    """Something to do at a campaign.

    Attributes:
        id: under which the log will know it.
        document: the campaign's document as the application has it; None: it says nothing of it.
        base: the document this one was made of; None: what the application last sent.
        own: the application gave it an id, a kind or `meta`, so it is an event even where nothing
            changes, and no later one may take its place.
    """

    event: Event
    campaign_id: str
    id: str
    document: dict[str, Any] | None = None
    base: dict[str, Any] | None = None
    table: str = "main"
    kind: str | None = None
    meta: dict[str, Any] | None = None
    own: bool = False


def work_of(
    event_type: str,
    data: Any,
    *,
    id: str,
    table: str,
    kind: str | None,
    meta: dict[str, Any] | None,
    own: bool,
) -> Work:
    """Return what a call of `broadcast_campaign_update` asks for.

    Raises:
        Invalid, BadJson, TooLarge: it is no event of ours, or its data are not as they should be.
    """
    if event_type not in ("campaign_updated", "campaign_loaded", "campaign_deactivated"):
        raise Invalid(
            f"{str(event_type)[:40]!r} is no event to broadcast: there are campaign_updated, "
            "campaign_loaded and campaign_deactivated."
        )
    if type(data) is not dict or not MEMBERS.issuperset(data):
        raise Invalid("The data of a broadcast are campaign_id, structured_data and table.")
    if type(data.get("campaign_id")) is not str:
        raise Invalid("The data of a broadcast name a campaign_id.")
    document = None
    if "structured_data" in data and event_type != "campaign_deactivated":
        document = private(data["structured_data"], "structured_data")
    elif event_type == "campaign_updated":
        raise Invalid("A campaign_updated brings structured_data, the whole document.")
    return Work(
        event=event_type,  # type: ignore[arg-type]
        campaign_id=check_name(data["campaign_id"], "campaign id"),
        id=id,
        document=document,
        table=check_name(_text(data.get("table", table)), "table"),
        kind=None if kind is None else check_kind(kind),
        meta=None if meta is None else private_meta(meta),
        own=own,
    )


def private(document: Any, what: str) -> dict[str, Any]:
    """Return a copy of an object that the application may go on changing in place.

    Raises:
        Invalid, TooLarge: it is no object, or holds what JSON cannot.
    """
    if type(document) is not dict:
        raise Invalid(f"{what} is a JSON object, and this is a {type(document).__name__}.")
    try:
        copy: dict[str, Any] = decode(encode(document))
        if not equal(copy, document):
            # Something came out as another thing: NaN as null, a tuple as a list. This says what.
            check(document)
            raise Invalid(f"{what} holds what JSON cannot.")
    except DocumentError as error:
        raise from_document(error) from error
    return copy


def private_meta(meta: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of `meta`.

    Raises:
        Invalid, TooLarge: it is no object, or takes over 64 KiB.
    """
    copy = private(meta, "meta")
    if len(encode(copy)) > MAX_META:
        raise Invalid(f"meta has up to {MAX_META} bytes; a document has room for more.")
    return copy


def commit_id(name: str, identifier: str) -> str:
    """Return the id the log knows something by that the application calls `identifier`.

    The same always gives the same. It begins with the broadcaster's name, so that each finds its
    own again, and two with one token do not get into each other's way.
    """
    text = f"{name}:{identifier}"
    # Some calls take it as a header, where only ASCII comes through as it was.
    if len(text) <= MAX_EVENT_ID and text.isprintable() and text.isascii():
        return text
    # A lone surrogate is text to Python.
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}:{digest[:40]}"


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Invalid("A table is named by text.")
    return value
