"""Commands: what a caller may ask of a campaign. Each is answered with an event or a rejection."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from questlog.campaign.events import DEFAULT_KIND, Actor, Origin
from questlog.campaign.narration import DEFAULT_PATH, Ending
from questlog.campaign.suggestions import Outcome
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
    """Take a seat at a table, for a session that may be called something."""

    table: str
    title: str | None = None


class Deactivate(Struct, frozen=True):
    """Leave the table."""


class Rewind(Struct, frozen=True):
    """Bring the document of an earlier version back, or what was at one place in it.

    Attributes:
        target: the document of `to_version`.
        only: a JSON Pointer; None: the whole document.
        expected_version, lease, if_match: as for a commit.
    """

    to_version: int
    target: dict[str, Any]
    only: str | None = None
    expected_version: int | None = None
    lease: int | None = None
    if_match: int | None = None


class Fork(Struct, frozen=True):
    """Go on from here under another id; decided against the state of the version forked at."""

    origin: Origin


class Suggest(Struct, frozen=True):
    """Propose something to the DM.

    Attributes:
        id: the suggestion's, which is the request's as well.
        player_id: whose it is; None: somebody who gave no name.
    """

    id: str
    player_id: str | None
    content: str
    suggestion_type: str | None = None
    metadata: dict[str, Any] | None = None


class Decide(Struct, frozen=True):
    """Dispose of the suggestion `id` of `player_id`; accepting may change the document.

    Attributes:
        answer: a word to its author.
        patch: what comes of it; only where it is accepted.
    """

    id: str
    player_id: str | None
    outcome: Outcome
    answer: str | None = None
    patch: Operations | UnsetType = UNSET


class TakeLease(Struct, frozen=True):
    """Take the wheel, from whoever has it."""

    name: str | None = None


class ReleaseLease(Struct, frozen=True):
    """Let go of the wheel: of the lease that is the version `lease`, and of no other."""

    lease: int


class BeginNarration(Struct, frozen=True):
    """Begin to stream text into a new entry of the list at `path`."""

    id: str
    path: str = DEFAULT_PATH
    speaker: str | None = None


class AddNarration(Struct, frozen=True):
    """Add a part to a stream."""

    id: str
    text: str


class EndNarration(Struct, frozen=True):
    """End a stream, with a last part or none (empty text)."""

    id: str
    text: str = ""
    how: Ending = "complete"


Command = (
    Create
    | Commit
    | SetVisibility
    | Activate
    | Deactivate
    | Rewind
    | Fork
    | Suggest
    | Decide
    | TakeLease
    | ReleaseLease
    | BeginNarration
    | AddNarration
    | EndNarration
)


class Request(Struct, frozen=True):
    """A command, who gives it, and the id by which a retry of it is known (None: none given)."""

    actor: Actor
    command: Command
    id: str | None = None


def digest(command: Command) -> str:
    """Return the hex SHA-256 of what a command asks, by which a retry is told from a new request.

    Conditions (`if_match`) are left out: a retry may state a newer one and is still a retry; and so
    is the part of a narration that the server had in hand when it ended, and the document that a
    version to go back to stands for. Key order does not count,
    and neither does the way the request came (HTTP or socket).
    """
    asked = {
        name: value
        for name in command.__struct_fields__
        if name not in ("if_match", "log_unchanged", "text", "target")
        and (value := getattr(command, name)) is not UNSET
        and value is not None
    }
    return hashlib.sha256(canonical([type(command).__name__, asked])).hexdigest()
