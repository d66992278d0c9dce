"""Visibility: which paths of a document which viewers may see.

Rules are compiled into a trie of path segments and the document is walked along it, so a
projection visits only what some rule can touch: everything else is shared with the document, by
identity, which is what lets a diff of two views skip it.

The order of precedence is the contract's: the longest matching path decides; of equally long ones
the one that denies; and what a `when` rule hides is not reopened from below.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from operator import is_, is_not
from typing import Any, Final, Literal

from msgspec import Struct

from questlog.campaign.errors import Invalid
from questlog.document import DocumentError, equal, parse

MAX_RULES = 200
WILDCARD = "*"
CAPTURE = "{player}"


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who sees what stands at `path` and below it.

    Attributes:
        path: an RFC 6901 pointer in which `*` matches one segment and `{player}` captures one.
        to: `dm`, `players`, `spectators`, `all`, `player:ID` or `{player}`, the captured one.
        when: members the matched object must have for the rule to apply; None applies always.
    """

    path: str
    to: tuple[str, ...]
    when: dict[str, Any] | None = None


class Rules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A campaign's visibility: what holds where no rule does, and the rules.

    `rules` must be given, if only as an empty list: an empty object would open everything.
    """

    default: Literal["visible", "hidden"] = "visible"
    rules: tuple[Rule, ...]


class Viewer(Struct, frozen=True):
    """Who is looking: a role, the player's id where there is one, and the member's opaque id."""

    role: Literal["dm", "player", "spectator"]
    player_id: str | None = None

    @property
    def member(self) -> str:
        """The opaque id events name this viewer by: the player's, else the role."""
        return self.player_id or self.role


def view_key(viewer: Viewer, distinct: frozenset[str]) -> str:
    """Return the name of the view `viewer` has: equal names of one version mean equal views.

    Args:
        distinct: the players whose view may differ from any other's (`distinct_players`).
    """
    if viewer.role != "player":
        return viewer.role
    return f"player:{viewer.player_id}" if viewer.player_id in distinct else "player"


def viewer_of(key: str) -> Viewer:
    """Return a viewer whose view has this key: the same for everyone who shares the view."""
    role, _, player_id = key.partition(":")
    if role == "dm":
        return Viewer("dm")
    return Viewer("player", player_id or None) if role == "player" else Viewer("spectator")


class _Node:
    """A step of the compiled rules: what may follow, and the rules whose path ends here."""

    __slots__ = ("capture", "children", "rules", "wildcard")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.wildcard: _Node | None = None
        self.capture: _Node | None = None
        self.rules: list[Rule] = []

    def step(self, segment: str) -> _Node:
        if segment == WILDCARD:
            self.wildcard = self.wildcard or _Node()
            return self.wildcard
        if segment == CAPTURE:
            self.capture = self.capture or _Node()
            return self.capture
        return self.children.setdefault(segment, _Node())


_HIDDEN: Final = object()


class Seen:
    """What one viewer sees of a value, and of what is in it as far as rules reach. Never changed.

    Attributes:
        value: what was looked at.
        inherited: whether it is visible where no rule says.
        shown: what is seen of it, _HIDDEN where nothing is.
        parts: the same for each member a rule reaches, or for each element.
    """

    __slots__ = ("inherited", "parts", "shown", "value")

    def __init__(
        self,
        value: Any,
        inherited: bool,
        shown: Any,
        parts: dict[str, Seen] | list[Seen] | None = None,
    ) -> None:
        self.value = value
        self.inherited = inherited
        self.shown = shown
        self.parts = parts

    @property
    def view(self) -> dict[str, Any]:
        """What is seen of a whole document: an object at least."""
        return self.shown if type(self.shown) is dict else {}


_Active = list[tuple[_Node, str | None]]


def default_rules() -> Rules:
    """Return what holds where a campaign gives no rules: `/dm` and `/private/{player}`."""
    return Rules(
        default="visible",
        rules=(
            Rule(path="/dm", to=("dm",)),
            Rule(path="/private/{player}", to=("dm", "{player}")),
        ),
    )


def check_rules(rules: Rules) -> None:
    """Refuse rules that could not mean what their author thinks.

    Raises:
        Invalid: a path is no pointer, `to` names nobody known, `{player}` is used without being
            captured or captured twice, or there are over 200 rules.
    """
    if len(rules.rules) > MAX_RULES:
        raise Invalid(f"A campaign has at most {MAX_RULES} visibility rules.")
    for number, rule in enumerate(rules.rules):
        try:
            segments = parse(rule.path)
        except DocumentError as error:
            raise Invalid(f"Visibility rule {number}: {error}") from error
        captures = segments.count(CAPTURE)
        if captures > 1:
            raise Invalid(f"Visibility rule {number} captures {CAPTURE} more than once.")
        for name in rule.to:
            if name == CAPTURE and captures == 0:
                raise Invalid(f"Visibility rule {number} names {CAPTURE} but does not capture it.")
            if name not in ("dm", "players", "spectators", "all", CAPTURE) and not (
                name.startswith("player:") and len(name) > len("player:")
            ):
                raise Invalid(f"Visibility rule {number} names an unknown viewer.")


class Projector:
    """Compiled rules: what any viewer sees of a document. Immutable once made; safe to share."""

    def __init__(self, rules: Rules | None) -> None:
        self.by_default = rules is None
        self.rules = default_rules() if rules is None else rules
        self._root = _Node()
        self._named: set[str] = set()
        self._capturing: list[tuple[str, ...]] = []
        for rule in self.rules.rules:
            self._compile(rule)

    def _compile(self, rule: Rule) -> None:
        node = self._root
        segments = parse(rule.path)
        for segment in segments:
            node = node.step(segment)
        node.rules.append(rule)
        self._named.update(name[7:] for name in rule.to if name.startswith("player:"))
        if CAPTURE in segments:
            self._capturing.append(segments[: segments.index(CAPTURE)])

    def distinct_players(self, document: Any) -> frozenset[str]:
        """Return the ids of the players whose view may differ from any other player's.

        They are those a rule names and those a `{player}` captures in this document. All other
        players see the same, so that one view, one encoding and one frame serve them.
        """
        found = set(self._named)
        for prefix in self._capturing:
            for place in _matches(document, prefix):
                if type(place) is dict:
                    found.update(place)
                elif type(place) is list:
                    found.update(map(str, range(len(place))))
        return frozenset(found)

    def project(self, document: dict[str, Any], viewer: Viewer) -> dict[str, Any]:
        """Return `document` as `viewer` may see it, sharing whatever no rule touches.

        A DM gets the document itself. What is hidden is absent; a list closes up; an object on
        the way to something visible is shown, holding only that.
        """
        return self.look(document, viewer).view

    def look(self, document: dict[str, Any], viewer: Viewer, last: Seen | None = None) -> Seen:
        """Return what `project` does, with what it takes to look again at the next version.

        Args:
            last: what this viewer saw of any other document under these rules. Parts that both
                documents share are not walked again, and look the same object in both views.
        """
        visible = self.rules.default == "visible"
        if viewer.role == "dm":
            return Seen(document, visible, document)
        return self._walk(document, [(self._root, None)], visible, viewer, last)

    def _walk(
        self, value: Any, active: _Active, inherited: bool, viewer: Viewer, last: Seen | None
    ) -> Seen:
        """Look at `value`, reached by the rules' steps `active`.

        A part is seen alike at every version where it is the same object, as values never change,
        and what it inherits is the same: the way to it, and with that the rules, always is.
        """
        if last is not None and last.value is value and last.inherited is inherited:
            return last
        visible, sealed = _decide(value, active, inherited, viewer)
        if sealed:
            return Seen(value, inherited, _HIDDEN)
        kind = type(value)
        if (kind is dict or kind is list) and any(
            node.children or node.wildcard or node.capture for node, _ in active
        ):
            walk = self._walk_object if kind is dict else self._walk_list
            shown, parts = walk(value, active, visible, viewer, last)
            if last is not None and shown is not value and _same_parts(shown, last.shown):
                # Only what is hidden has changed.
                shown = last.shown
            return Seen(value, inherited, shown, parts)
        return Seen(value, inherited, value if visible else _HIDDEN)

    def _walk_object(
        self,
        value: dict[str, Any],
        active: _Active,
        visible: bool,
        viewer: Viewer,
        last: Seen | None,
    ) -> tuple[Any, dict[str, Seen]]:
        """Visit only the members a rule can reach; the rest is taken or left as a whole."""
        if any(node.wildcard or node.capture for node, _ in active):
            reachable = list(value)
        else:
            reachable = [k for node, _ in active for k in node.children if k in value]
        known = last.parts if last is not None and type(last.parts) is dict else {}
        parts: dict[str, Seen] = {}
        seen = dict(value) if visible else {}
        changed = False
        for key in dict.fromkeys(reachable):
            member = value[key]
            below = known.get(key)
            # Asked before stepping down: most members are what they were.
            if below is None or below.value is not member or below.inherited is not visible:
                below = self._walk(member, _follow(active, key), visible, viewer, below)
            parts[key] = below
            if below.shown is member and visible:
                continue
            changed = True
            if below.shown is _HIDDEN:
                seen.pop(key, None)
            else:
                seen[key] = below.shown
        if visible:
            return (seen if changed else value), parts
        return (seen or _HIDDEN), parts

    def _walk_list(
        self, value: list[Any], active: _Active, visible: bool, viewer: Viewer, last: Seen | None
    ) -> tuple[Any, list[Seen]]:
        """Visit every element but those known from `last`; what is seen of them closes up."""
        known = last.parts if last is not None and type(last.parts) is list else []
        if known and known[0].inherited is not visible:
            known = []
        differ = map(is_not, value, [part.value for part in known])
        both = min(len(value), len(known))
        head = next(compress(range(both), differ), both)
        parts = known[:head]
        # Where no rule speaks of an index, an element is seen alike wherever in the list it is.
        movable = not any(node.children or node.capture for node, _ in active)
        moved = {id(part.value): part for part in known[head:]} if movable else {}
        for index in range(head, len(value)):
            member = value[index]
            below = moved.get(id(member))
            if below is None:
                before = known[index] if index < len(known) else None
                step = _follow(active, str(index))
                below = self._walk(member, step, visible, viewer, before)
            parts.append(below)
        seen = [part.shown for part in parts if part.shown is not _HIDDEN]
        if visible:
            whole = len(seen) == len(value) and all(map(is_, seen, value))
            return (value if whole else seen), parts
        return (seen or _HIDDEN), parts


def _same_parts(new: Any, old: Any) -> bool:
    """Return whether two containers hold the same objects in the same order."""
    if type(new) is not type(old) or new is _HIDDEN or len(new) != len(old):
        return False
    if type(new) is dict:
        return all(map(is_, new.values(), old.values())) and list(new) == list(old)
    return all(map(is_, new, old))


def _decide(value: Any, active: _Active, inherited: bool, viewer: Viewer) -> tuple[bool, bool]:
    """Return whether `value` is visible, and whether a `when` rule shut it for good."""
    verdict: bool | None = None
    for node, captured in active:
        for rule in node.rules:
            if rule.when is not None and not _holds(rule.when, value):
                continue
            allowed = _allows(rule, viewer, captured)
            if not allowed and rule.when is not None:
                return False, True
            verdict = allowed if verdict is None else verdict and allowed
    return (inherited if verdict is None else verdict), False


def _follow(active: _Active, segment: str) -> _Active:
    found: _Active = []
    for node, captured in active:
        literal = node.children.get(segment)
        if literal is not None:
            found.append((literal, captured))
        if node.wildcard is not None:
            found.append((node.wildcard, captured))
        if node.capture is not None:
            found.append((node.capture, segment))
    return found


def _holds(when: dict[str, Any], value: Any) -> bool:
    return type(value) is dict and all(
        name in value and equal(value[name], wanted) for name, wanted in when.items()
    )


def _allows(rule: Rule, viewer: Viewer, captured: str | None) -> bool:
    if viewer.role == "spectator":
        return "spectators" in rule.to or "all" in rule.to
    if "players" in rule.to or "all" in rule.to:
        return True
    if viewer.player_id is None:
        return False
    if CAPTURE in rule.to and captured == viewer.player_id:
        return True
    return f"player:{viewer.player_id}" in rule.to


def _matches(value: Any, prefix: tuple[str, ...]) -> Iterator[Any]:
    """Yield what stands at each place of `value` that the pattern `prefix` matches."""
    if not prefix:
        yield value
        return
    head, rest = prefix[0], prefix[1:]
    if type(value) is dict:
        members = value.values() if head == WILDCARD else [value[head]] if head in value else []
        for member in members:
            yield from _matches(member, rest)
    elif type(value) is list:
        if head == WILDCARD:
            for member in value:
                yield from _matches(member, rest)
        elif head in map(str, range(len(value))):
            yield from _matches(value[int(head)], rest)
