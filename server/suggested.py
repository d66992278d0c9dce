"""What is told of suggestions, and to whom: each DM, its author, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from questlog.campaign.state import CampaignState
from questlog.campaign.suggestions import Suggestion
from questlog.campaign.visibility import Viewer
from questlog.sync.messages import Encoded
from questlog.sync.talk import suggestion_told
from server.connection import Connection

# How many suggestions a connection is remembered to have made, whose peer has no name.
OWN = 50


class Suggested:
    """Who has been told of which suggestions of one campaign.

    Args:
        now: the time as messages give it.
    """

    def __init__(self, now: Callable[[], str]) -> None:
        self._now = now
        # Those that were disposed of, and whose authors have shown that they know.
        self._settled: set[tuple[str | None, str]] = set()

    def introduce(self, connection: Connection, state: CampaignState) -> None:
        """Tell a peer what waits, and what was decided while it was not there."""
        for suggestion in state.suggestions:
            if self._is_news(suggestion, connection):
                connection.send(self._told(suggestion, connection))

    def remind(self, connection: Connection, state: CampaignState) -> None:
        """Tell a peer that is back what has become of suggestions since the version it holds."""
        for suggestion in state.suggestions:
            since = connection.session.came_with
            if suggestion.version > since and concerns(suggestion, connection):
                connection.send(self._told(suggestion, connection))

    def changed(
        self, old: CampaignState, new: CampaignState
    ) -> list[Callable[[Connection], Encoded | None]]:
        """Return, for each suggestion that has changed, what is to be told to each peer of it."""
        if new.suggestions is old.suggestions:
            return []
        self._settled &= {(each.player_id, each.id) for each in new.suggestions}
        return [self._choice(each) for each in new.suggestions if each.version > old.version]

    def own(self, connection: Connection, identifier: str, state: CampaignState) -> None:
        """Note that a peer without a name has made a suggestion, and tell it how that stands.

        Not before it is in the log: whoever only asks for an id that is taken made nothing.
        """
        if connection.present is None:
            # A call, which is over with its answer.
            return
        connection.own = (*connection.own, identifier)[-OWN:]
        for suggestion in state.suggestions if connection.introduced else ():
            if suggestion.id == identifier and concerns(suggestion, connection):
                connection.send(self._told(suggestion, connection))

    def known(self, viewer: Viewer, version: int, state: CampaignState) -> None:
        """Note that a peer has what it was told up to a version: it said so, or its pong did."""
        for suggestion in state.suggestions:
            mine = suggestion.player_id == viewer.player_id and viewer.role == "player"
            if mine and suggestion.state != "pending" and suggestion.version <= version:
                self._settled.add((suggestion.player_id, suggestion.id))

    def _choice(self, suggestion: Suggestion) -> Callable[[Connection], Encoded | None]:
        return lambda each: (
            self._told(suggestion, each) if each.introduced and concerns(suggestion, each) else None
        )

    def _is_news(self, suggestion: Suggestion, connection: Connection) -> bool:
        """Return whether a peer that comes is to be told of a suggestion.

        What waits, always; what was decided while its author was not there, once; and what was
        decided while a peer that is back heard nothing, as it may hold that it waits.
        """
        if not concerns(suggestion, connection):
            return False
        if suggestion.state == "pending":
            return True
        if connection.introduced_at:
            return suggestion.version > connection.introduced_at
        if connection.session.viewer.role == "dm":
            return False
        if connection.session.came_with:
            return connection.session.came_with < suggestion.version
        return (suggestion.player_id, suggestion.id) not in self._settled

    def _told(self, suggestion: Suggestion, connection: Connection) -> Encoded:
        if suggestion.state != "pending" and connection.session.viewer.role != "dm":
            # Its pong will show that this has arrived; that it was written does not.
            ask = partial(connection.ask, b"%d" % suggestion.version)
            asyncio.get_running_loop().call_soon(ask)
        return Encoded(suggestion_told(suggestion, self._now()))


def concerns(suggestion: Suggestion, connection: Connection) -> bool:
    """Return whether whoever looks through a connection may know of a suggestion."""
    viewer = connection.session.viewer
    if viewer.role == "dm":
        return True
    if suggestion.player_id is None:
        # Many may share a link that names nobody; this one made it.
        return viewer.player_id is None and suggestion.id in connection.own
    return viewer.role == "player" and viewer.player_id == suggestion.player_id
