"""The port: what the broadcaster asks of a Questlog server, wherever it runs.

Two adapters: `http.HttpServer` over the network, `server.embedding.LocalServer` in process. Each
call either has an answer or raises a Rejection. One of the codes in `TEMPORARY` means: ask again,
with the same id. What was asked may have happened, and then the answer says `duplicate`.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from questlog.campaign.commands import Operations

TEMPORARY = frozenset({"store_unavailable", "rate_limited"})


class Held(Struct, frozen=True):
    """A campaign's document at a version, the whole of it. Never mutated.

    Attributes:
        position: what proves the version, by which a server can say that nothing has changed.
    """

    version: int
    document: dict[str, Any]
    position: str | None = None


class Change(Struct, frozen=True):
    """A commit: `patch` takes the document at `expected_version` further."""

    id: str
    kind: str
    patch: Operations
    expected_version: int
    meta: dict[str, Any] | None = None


class Made(Struct, frozen=True):
    """Something that is in the log, as `version`."""

    version: int
    duplicate: bool = False
    position: str | None = None


class Logged(Struct, frozen=True):
    """An event, as far as the broadcaster looks at it."""

    version: int
    id: str
    kind: str
    meta: dict[str, Any]


class CampaignServer(Protocol):
    """A Questlog server, to which the broadcaster is a DM."""

    async def state(
        self, campaign_id: str, held: Held | None = None, version: int | None = None
    ) -> Held:
        """Return the campaign's document at its head, or at `version`.

        Args:
            held: what the caller holds; returned as it is where nothing has changed since.

        Raises:
            UnknownCampaign: there is no such campaign.
        """
        ...

    async def create(self, campaign_id: str, document: dict[str, Any], key: str) -> Made:
        """Create a campaign.

        Raises:
            CampaignExists: there is one already, and it was not this `key` that made it.
        """
        ...

    async def commit(self, campaign_id: str, change: Change) -> Made:
        """Commit a change; the answer comes when it is durable.

        Raises:
            VersionConflict: the log is not at `expected_version`; the id is free.
            IdReused: there is another commit with this id.
        """
        ...

    async def activate(self, campaign_id: str, table: str, key: str) -> Made:
        """Seat the campaign at a table."""
        ...

    async def deactivate(self, campaign_id: str, key: str) -> Made:
        """Take the campaign from its table."""
        ...

    async def find(self, campaign_id: str, identifier: str) -> Logged | None:
        """Return the event this caller has committed under this id, None where there is none."""
        ...

    async def events(self, campaign_id: str, after: int, limit: int) -> list[Logged]:
        """Return the events of versions after `after`, in order, at most `limit`."""
        ...

    def authenticate(self, token: str) -> None:
        """Go on with another token."""
        ...

    async def open(self) -> None:
        """Get ready; called once, in the event loop, before anything else."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...
