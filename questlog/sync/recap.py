"""A recap: what has become of a viewer's view while they were gone. Pure.

It is the delta between two views, and the headers of the events that changed theirs. What was open
in between and is hidden now is left out of both (`hindsight`): so it spoils nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from questlog.campaign.events import Event, EventHeader
from questlog.campaign.evolve import DamagedLogError, evolve_with
from questlog.document import DocumentError, Sized, apply, canonical
from questlog.sync.feed import Feed
from questlog.sync.hindsight import Hindsight

NARRATIVES = "all_narratives"


class Recount:
    """Goes through the log again from a version on, as one viewer may look back on it.

    Args:
        feed: stands at that version, and is this recount's alone: it is moved on.
    """

    def __init__(self, feed: Feed, hindsight: Hindsight) -> None:
        self._feed = feed
        self._hindsight = hindsight

    def take(self, events: Iterable[Event]) -> list[EventHeader]:
        """Return which of the next events the viewer may know of.

        Raises:
            DamagedLogError: an event does not follow the one before it.
        """
        return [header for event in events for header in self._step(event)]

    def _step(self, event: Event) -> list[EventHeader]:
        state = self._feed.head.state
        if event.version != state.version + 1:
            raise DamagedLogError(f"version {event.version} follows version {state.version}")
        try:
            document = apply(state.document, event.operations())
        except DocumentError as error:
            raise DamagedLogError(f"the patch of version {event.version} fails: {error}") from error
        # How large it is, no view depends on.
        step = evolve_with(state, Sized(document, state.size), at=event.at, fact=event.fact())
        header = EventHeader(event.version, event.id, event.kind, event.actor, event.at)
        before = self._feed.advance([(step, event.hash, header, len(bytes(event.patch)))])
        return [header] if self._hindsight.tells(before, self._feed.head) else []


def narratives(before: dict[str, Any], after: dict[str, Any]) -> list[Any]:
    """Return the entries of `all_narratives` in one view that an earlier one does not have.

    One that has grown since, as a stream of text does, is among them.
    """
    told, now = before.get(NARRATIVES), after.get(NARRATIVES)
    if type(now) is not list:
        return []
    known = Counter(map(canonical, told if type(told) is list else []))
    new = []
    for entry in now:
        name = canonical(entry)
        if known[name]:
            known[name] -= 1
        else:
            new.append(entry)
    return new


def changed(patch: Iterable[dict[str, Any]]) -> list[str]:
    """Return the pointers at which a patch takes or puts something, each once, in order."""
    found: dict[str, None] = {}
    for operation in patch:
        if operation["op"] == "move":
            found[operation["from"]] = None
        found[operation["path"]] = None
    return list(found)
