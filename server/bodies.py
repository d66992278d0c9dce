"""The JSON bodies of the HTTP calls, as Structs: what decodes requests also makes the OpenAPI page.

Unknown members are refused: a misspelt `expected_verison` that is ignored would be a lost update.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Raw, Struct

from questlog.campaign.errors import BadJson, Invalid, TooLarge, from_document
from questlog.campaign.events import Role
from questlog.campaign.visibility import Rules
from questlog.document import DocumentError, decode
from server.callers import confirm
from server.config import Config

T = TypeVar("T")


class CreateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A new campaign: its document, its visibility rules and its title."""

    structured_data: dict[str, Any]
    visibility: Rules | None = None
    title: str | None = None


class ActivateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The table to seat a campaign at, and what the session that begins is called."""

    table: str = "main"
    title: str | None = None


class RewindBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The version to go back to: with the whole document, or with what is at `only` in it.

    `preview`: change nothing, and say what would be changed, and who has seen what is undone.
    """

    to_version: int
    only: str | None = None
    preview: bool = False
    id: str | None = None
    expected_version: int | None = None
    lease: int | None = None


class Rewound(Struct, frozen=True):
    """An event whose document is that of an earlier version, or is so in one part."""

    id: str
    version: int
    position: str
    patch: Raw
    duplicate: bool


class Witness(Struct, frozen=True):
    """One who has seen what a rewind would undo: as of which version, and what becomes of it."""

    role: Role
    player_id: str | None
    version: int
    patch: list[dict[str, Any]]


class RewindPreview(Struct, frozen=True):
    """What a rewind would do to the campaign at `version`, and who has seen what it undoes."""

    campaign_id: str
    version: int
    to_version: int
    only: str | None
    patch: list[dict[str, Any]]
    seen: list[Witness]


class ForkBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The id of the campaign to be, and the version whose document it begins with."""

    new_id: str
    at_version: int


class JoinBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The secret of an invite, and an id by which the same join, asked again, is known."""

    invite: str
    id: str


class Joined(Struct, frozen=True):
    """A seat: the token that opens it, whose it is, and until when it is valid."""

    token: str
    campaign_id: str
    role: Role
    player_id: str | None
    expires_at: str


class EmptyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing: an empty body or `{}`."""


class Created(Struct, frozen=True):
    """A campaign that is there now."""

    campaign_id: str
    version: int
    position: str
    duplicate: bool = False


class Changed(Struct, frozen=True):
    """What a change of the whole document or by a patch came to."""

    version: int
    position: str
    patch: Raw
    duplicate: bool


class CommitAnswer(Struct, frozen=True):
    """An event that is in the log."""

    id: str
    version: int
    position: str
    duplicate: bool


class Seated(Struct, frozen=True):
    """Where a campaign sits after an activation or deactivation; `table` null: nowhere."""

    campaign_id: str
    version: int
    position: str
    table: str | None
    duplicate: bool


class CampaignSummary(Struct, frozen=True):
    """What a list of campaigns says of one."""

    campaign_id: str
    title: str | None
    version: int
    position: str
    table: str | None
    created_at: str
    last_at: str


class CampaignList(Struct, frozen=True):
    """Every campaign the caller may know of."""

    campaigns: list[CampaignSummary]


class StateAnswer(Struct, frozen=True):
    """A view of a campaign's document at a version."""

    campaign_id: str
    version: int
    position: str
    structured_data: dict[str, Any]


class UpdatesAnswer(Struct, frozen=True):
    """Messages as a socket would bring them, in order, and the position they lead to."""

    messages: list[dict[str, Any]]
    position: str | None


class MessageAnswer(Struct, frozen=True):
    """What a message is answered with: messages as a socket would bring them."""

    messages: list[dict[str, Any]]


class EventAnswer(Struct, frozen=True):
    """Events of a campaign in order, and the version of its head."""

    events: list[Any]
    head: int


async def read_json(request: web.Request, config: Config, *, most: int | None = None) -> Any:
    """Return the request's body as a JSON value; None for an empty body.

    Args:
        most: bytes, where it is less than a DM may send.

    Raises:
        Rejection: as `read_body`; `bad_json` or `invalid` (nested too deep).
    """
    body = await read_body(request, config, most=most)
    if not body:
        return None
    try:
        return decode(body, config.message_limits())
    except DocumentError as error:
        refusal = from_document(error)
        refusal.limit = "max_body" if refusal.limit == "max_bytes" else refusal.limit
        raise refusal from error


async def read_body(request: web.Request, config: Config, *, most: int | None = None) -> bytes:
    """Return the request's body.

    It may have been long on its way, so whoever sends it is looked at again: they act with the seat
    they have now, or not at all.

    Args:
        most: bytes, where it is less than a DM may send.

    Raises:
        Rejection: `too_large`, `bad_json` (not encoded as it says) or `invalid` (too late), or the
            caller may not do this any more.
    """
    try:
        async with asyncio.timeout(config.body_timeout):
            body = await request.read() if most is None else await _read_at_most(request, most)
    except TimeoutError as error:
        late = Invalid(f"The body did not come within {config.body_timeout:g} seconds.")
        late.limit = "body_timeout"
        raise late from error
    except web.RequestPayloadError as error:
        raise BadJson("The body is not encoded as its Content-Encoding says.") from error
    await confirm(request)
    return body


async def _read_at_most(request: web.Request, most: int) -> bytes:
    try:
        await request.content.readexactly(most + 1)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    refusal = TooLarge(f"The body is over {most} bytes.")
    refusal.limit = "max_player_message"
    raise refusal


def convert(value: Any, kind: type[T]) -> T:
    """Return `value` as a Struct.

    Raises:
        Invalid: a member is missing, unknown or of a wrong type; says which.
    """
    try:
        return msgspec.convert({} if value is None else value, kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"The body is not as it should be: {error}.") from error


def require_object(value: Any) -> dict[str, Any]:
    """Return `value` if it is a JSON object.

    Raises:
        Invalid: it is something else.
    """
    if type(value) is not dict:
        raise Invalid("A campaign's document is a JSON object.")
    return value


def answer(body: Struct, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return `body` as a JSON response that no cache keeps without asking."""
    response = web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/json",
        headers=headers,
    )
    response.headers.setdefault("Cache-Control", "no-cache")
    return response
