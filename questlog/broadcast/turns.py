"""A turn: one piece of play, from the question whether it happened to the proof that it has."""

from __future__ import annotations

from typing import Any

from questlog.broadcast.branch import Branch, Sent
from questlog.broadcast.port import Logged
from questlog.broadcast.work import Work, private, private_meta
from questlog.document import decode, encode


class Turn:
    """What `CampaignBroadcaster.turn` gives: a document to change, and whether it was done before.

    Attributes:
        id: the turn's; a second turn with it is done already.
        done: the log had this turn when it began. Nothing that is set here has any effect then.
        version: of the turn's event; 0 until it is committed.
        kind: of its event; None: `state.updated`.
        meta: the event's own object: what the log holds, where the turn is done or once it has
            been committed; until then, what the application puts there (up to 64 KiB).
    """

    def __init__(self, branch: Branch, identifier: str, kind: str | None) -> None:
        self.id = identifier
        self.kind = kind
        self.meta: dict[str, Any] = {}
        self.done = False
        self.version = 0
        self._branch = branch
        self._start: dict[str, Any] = {}
        self._base: dict[str, Any] | None = None
        self._document: dict[str, Any] | None = None

    @property
    def campaign_id(self) -> str:
        """The campaign it is played at."""
        return self._branch.campaign_id

    @property
    def structured_data(self) -> dict[str, Any]:
        """The document as it stood when the turn began, to be changed in place or replaced.

        Whoever looks at it works from it. A document that is set without a look is taken for the
        application's own, and compared with what that last sent.
        """
        if self._document is None:
            self._document = self.peek()
            self._base = self._branch.sent = self._start
        return self._document

    @structured_data.setter
    def structured_data(self, document: dict[str, Any]) -> None:
        self._document = document

    def peek(self) -> dict[str, Any]:
        """Return a copy of the document as it stood when the turn began, not to work from it."""
        copy: dict[str, Any] = decode(encode(self._start))
        return copy

    async def begin(self) -> None:
        """Find out whether it is done, and what the document is."""
        self._found(await self._branch.find(self.id))
        held = await self._branch.look()
        if held is not None:
            self._start = held.document

    def work(self) -> Work:
        """Return what is to be committed.

        Raises:
            Invalid, TooLarge: the document or `meta` is not one.
        """
        document, base = self._document, self._base
        if document is None:
            # Nothing was looked at or set: it is in the log, and the document stays as it is.
            document = base = self._start if self._branch.sent is None else self._branch.sent
        return Work(
            event="campaign_updated",
            campaign_id=self.campaign_id,
            id=self.id,
            document=private(document, "structured_data"),
            base=base,
            kind=self.kind,
            meta=private_meta(self.meta) or None,
            own=True,
        )

    async def end(self, sent: Sent) -> None:
        """Take note of what came of it: where it was in the log already, what that says stands."""
        self.version = sent.version
        if sent.duplicate:
            self._found(await self._branch.find(self.id))

    def _found(self, event: Logged | None) -> None:
        if event is not None:
            self.done, self.version, self.meta = True, event.version, event.meta
