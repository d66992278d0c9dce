"""Commands: what a caller may ask of a campaign. Each is answered with an event or a rejection."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from questlog.campaign.events import DEFAULT_KIND, Actor
from questlog.campaign.visibility import Rules
from questlog.document import canonical

Operations = list[dict[str, Any]]


class Create(Struct, frozen=True):
    """Bring a campaign into being with this document."""

    structured_data: dict[str, Any]
    visibility: Rules | None = None
    title: str | None = None


class Commit(Struct, frozen=True):
    """Change the document, by exactly one of a patch, a merge patch or the whole new document.

    Attributes:
        expected_version: the version the caller based its change on; None: whatever it is now.
        if_match: the same, from an `If-Match` header: a condition on the request, not part of it.
        log_unchanged: append an event even where the document does not change.
    """

    patch: Operations | UnsetType = UNSET
    merge: Any = UNSET
    structured_data: dict[str, Any] | UnsetType = UNSET
    kind: str = DEFAULT_KIND
    meta: dict[str, Any] | None = None
    expected_version: int | None = None
    lease: int | None = None
    if_match: int | None = None
    log_unchanged: bool = True


class SetVisibility(Struct, frozen=True):
    """Put new visibility rules in force."""

    visibility: Rules
    if_match: int | None = None


class Activate(Struct, frozen=True):
    """Take a seat at a table."""

    table: str


class Deactivate(Struct, frozen=True):
    """Leave the table."""


Command = Create | Commit | SetVisibility | Activate | Deactivate


class Request(Struct, frozen=True):
    """A command, who gives it, and the id by which a retry of it is known (None: none given)."""

    actor: Actor
    command: Command
    id: str | None = None


def digest(command: Command) -> str:
    """Return the hex SHA-256 of what a command asks, by which a retry is told from a new request.

    Conditions (`if_match`) are left out: a retry may state a newer one and is still a retry. Key
    order does not count, and neither does the way the request came (HTTP or socket).
    """
    asked = {
        name: value
        for name in command.__struct_fields__
        if name not in ("if_match", "log_unchanged")
        and (value := getattr(command, name)) is not UNSET
        and value is not None
    }
    return hashlib.sha256(canonical([type(command).__name__, asked])).hexdigest()
