"""Hindsight: what a viewer may be told today of earlier versions of a campaign. Pure.

A replica that stays is sent what its rules show at the time, and keeps knowing it. Whoever asks
later is told of the past for the first time, and what was open then may be a secret by now. So an
earlier version is seen by the rules of its time and by those in force, and nothing is named in it
that has no place in what the viewer sees now, or is known to have been shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from questlog.campaign.visibility import Projector, Seen, Viewer
from questlog.document import canonical, diff
from questlog.sync.entries import Entry
from questlog.sync.feed import is_own

# How many parts of documents are remembered that names have been left out of.
REMEMBERED = 50_000
NAMELESS = "="

Trust = Literal["proven", "acknowledged", "none"]


class Names:
    """The names in values, place by place: of an object's members, and of a list's elements."""

    __slots__ = ("below",)

    def __init__(self, value: Any = None) -> None:
        self.below: dict[Any, Names] = {}
        self.add(value)

    def add(self, value: Any, unless: Names | None = None) -> None:
        """Take in the names in a value, but for those that `unless` has and this has not.

        Where `unless` has more elements of a list, what has no name of its own may be one of them
        as it was, and is passed over too.
        """
        there: Names | None
        more = unless is not None and not unless.below.keys() <= self.below.keys()
        for name, part in _parts(value):
            there = None if unless is None else unless.below.get(name)
            known = self.below.get(name)
            if known is None:
                nameless = type(name) is tuple and name[0] == NAMELESS
                if there is not None or (more and nameless):
                    continue
                known = self.below[name] = Names()
            known.add(part, there)


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return the parts of a value, each with its name."""
    if type(value) is dict:
        return value.items()
    return ((_name(part), part) for part in value) if type(value) is list else ()


def _name(element: Any) -> tuple[str, Any]:
    """Return what tells an element of a list from others, wherever in it it stands.

    An object has an `id` or a `name`, as everything has that the pages know; else an element is
    what it holds, and one that changes is another.
    """
    if type(element) is dict:
        for mark in ("id", "name"):
            if type(element.get(mark)) in (str, int):
                return mark, element[mark]
    if type(element) is str:
        # Whole tales are told in lists of text: encoding each again would take long.
        return NAMELESS, element
    return NAMELESS, canonical(element)


class _Keeper:
    """Leaves out of values what has no name among `names`; parts that are alike stay one object."""

    def __init__(self, names: Names) -> None:
        self._names = names
        # The values are kept too, so that no other comes to have the id of one of them.
        self._kept: dict[tuple[int, int], tuple[Any, Any]] = {}

    def keep(self, value: Any) -> Any:
        """Return a value without the members that have no name here."""
        if len(self._kept) > REMEMBERED:
            self._kept.clear()
        return self._keep(value, self._names)

    def _keep(self, value: Any, names: Names) -> Any:
        if type(value) is not dict and type(value) is not list:
            return value
        key = (id(value), id(names))
        known = self._kept.get(key)
        if known is not None:
            return known[1]
        parts = [
            (name, part, self._keep(part, names.below[name]))
            for name, part in _parts(value)
            if name in names.below
        ]
        kept: Any = value
        if len(parts) < len(value) or any(part is not old for _, old, part in parts):
            if type(value) is dict:
                kept = {name: part for name, _, part in parts}
            else:
                kept = [part for _, _, part in parts]
        self._kept[key] = (value, kept)
        return kept


class Hindsight:
    """What one viewer may be told of the versions from `base` to `head`.

    Args:
        trust: why they may know of `base`. `proven`: by a position, that they held what they saw
            of it; they are told of all that has become of that. `acknowledged`: they are known to
            have followed as far; they are told of what is gone too, but not of what is hidden by
            now. `none`: they are told of what they see now, and how that came about.

    Attributes:
        before: what they may be told they saw of `base`.
    """

    def __init__(self, base: Entry, head: Entry, viewer: Viewer, trust: Trust) -> None:
        self._viewer = viewer
        self._proven = trust == "proven"
        self._projector = head.projector
        self._seen: Seen | None = None
        self._again: tuple[Projector, Seen] | None = None
        self._last: tuple[Entry, dict[str, Any]] | None = None
        shown = base.view(viewer)
        self._held = _Keeper(Names(shown))
        names = Names(head.view(viewer))
        if self._proven:
            names.add(shown)
        elif trust == "acknowledged":
            names.add(self._held.keep(self._common(base)), Names(head.state.document))
        self._keeper = _Keeper(names)
        exact = self._proven or viewer.role == "dm"
        self.before: dict[str, Any] = shown if exact else self.view(base)

    def view(self, entry: Entry) -> dict[str, Any]:
        """Return what the viewer may be told they saw of a version."""
        if self._viewer.role == "dm":
            return entry.state.document
        if self._last is None or self._last[0] is not entry:
            kept: dict[str, Any] = self._keeper.keep(self._common(entry))
            self._last = (entry, kept)
        return self._last[1]

    def tells(self, before: Entry, after: Entry) -> bool:
        """Return whether they may know of the event that led from one version to the next."""
        viewer = self._viewer
        if viewer.role == "dm" or is_own(after.header, viewer):
            return True
        then, since = before.view(viewer), after.view(viewer)
        if not diff(then, since):
            return False
        if diff(self.view(before), self.view(after)):
            return True
        # What they held and rules have hidden, they are told is gone: this is what took it.
        hid = self._proven and before.state.rules != after.state.rules
        return hid and bool(diff(self._held.keep(then), self._held.keep(since)))

    def _common(self, entry: Entry) -> dict[str, Any]:
        """Return what is seen of a version by the rules of its time as well as by those in force.

        Those in force come first, so that what they hide is hidden whatever the others make of the
        rest of it.
        """
        viewer, then = self._viewer, entry.projector
        self._seen = self._projector.look(entry.state.document, viewer, self._seen)
        if then.rules == self._projector.rules:
            return self._seen.view
        known = None
        if self._again is not None and self._again[0] is then:
            known = self._again[1]
        again = then.look(self._seen.view, viewer, known)
        self._again = (then, again)
        return again.view
