"""Visibility said once more, plainly and slowly, to hold the compiled rules against.

It reads docs/protocol.md, "Visibility" and "At the table", line by line, and shares no code with
the projector, nor with whatever passes on what is said.
"""

from __future__ import annotations

from typing import Any, Final

from questlog.campaign.visibility import Rule, Rules, Viewer
from questlog.document import equal, parse

HIDDEN: Final = object()

# The rules, each with its path as segments, by how many there are.
Lines = dict[int, list[tuple[tuple[str, ...], Rule]]]


def where_none_are_given() -> Rules:
    """Return the rules of a campaign that gives none."""
    return Rules(
        default="visible",
        rules=(Rule("/dm", ("dm",)), Rule("/private/{player}", ("dm", "{player}"))),
    )


def view(document: dict[str, Any], rules: Rules, viewer: Viewer) -> dict[str, Any]:
    """Return the document as `viewer` may see it; nothing of `document` is changed."""
    if viewer.role == "dm":
        return document
    lines: Lines = {}
    for rule in rules.rules:
        pattern = parse(rule.path)
        lines.setdefault(len(pattern), []).append((pattern, rule))
    shown = _seen(document, lines, viewer, (), rules.default == "visible")
    return shown if isinstance(shown, dict) else {}


def eye_of(viewer: Viewer) -> Viewer:
    """Return the viewer that stands for all who see the same by definition.

    Players are told apart by their id; a DM or spectator sees the same whoever it is.
    """
    return viewer if viewer.role == "player" else Viewer(viewer.role)


def knows(rules: Rules, viewer: Viewer, member: Viewer) -> bool:
    """Return whether `viewer` may know that `member` is there."""
    if viewer == member:
        return True
    spoken = tuple(rule for rule in rules.rules if parse(rule.path)[:1] == ("presence",))
    there: dict[str, Any] = {"presence": {member.role: {member.player_id or member.role: {}}}}
    seen = view(there, Rules(default="visible", rules=spoken), viewer)
    return (member.player_id or member.role) in seen.get("presence", {}).get(member.role, {})


def addressed(viewer: Viewer, to: tuple[str, ...] | None) -> bool:
    """Return whether a signal is for `viewer`; no player here is called as a group is."""
    group = "dm" if viewer.role == "dm" else f"{viewer.role}s"
    names = {"all", group, viewer.player_id, f"player:{viewer.player_id}"}
    return to is None or not names.isdisjoint(to)


def matches(pattern: tuple[str, ...], tokens: tuple[str, ...]) -> tuple[bool, str | None]:
    """Return whether a path as long as `tokens` is this place, and which segment it captured."""
    captured = None
    for wanted, token in zip(pattern, tokens, strict=True):
        if wanted == "{player}":
            captured = token
        elif wanted not in ("*", token):
            return False, None
    return True, captured


def applies(rule: Rule, value: Any) -> bool:
    """Return whether the object at the rule's place has the members that `when` asks for."""
    if rule.when is None:
        return True
    return isinstance(value, dict) and all(
        name in value and equal(value[name], wanted) for name, wanted in rule.when.items()
    )


def allows(rule: Rule, viewer: Viewer, captured: str | None) -> bool:
    """Return whether the rule lists this viewer."""
    named = {"all"}
    if viewer.role == "spectator":
        named.add("spectators")
    else:
        named.add("players")
        if viewer.player_id is not None:
            named.add(f"player:{viewer.player_id}")
            if captured == viewer.player_id:
                named.add("{player}")
    return not named.isdisjoint(rule.to)


def decided(
    value: Any, lines: Lines, viewer: Viewer, tokens: tuple[str, ...], inherited: bool
) -> bool | None:
    """Return whether `viewer` sees what stands at `tokens`; None: no, nor anything below it.

    Args:
        inherited: whether they see what holds it: a rule covers everything below its path, until a
            longer one decides.
    """
    votes = []
    for pattern, rule in lines.get(len(tokens), ()):
        fits, captured = matches(pattern, tokens)
        if not fits or not applies(rule, value):
            continue
        allowed = allows(rule, viewer, captured)
        if rule.when is not None and not allowed:
            return None
        votes.append(allowed)
    return all(votes) if votes else inherited


def _seen(
    value: Any, lines: Lines, viewer: Viewer, tokens: tuple[str, ...], inherited: bool
) -> Any:
    """Return what `viewer` sees of the value at `tokens`, HIDDEN where that is nothing."""
    visible = decided(value, lines, viewer, tokens, inherited)
    if visible is None:
        return HIDDEN
    if not isinstance(value, dict | list) or len(tokens) >= max(lines, default=0):
        # No rule speaks of anything below.
        return value if visible else HIDDEN
    if isinstance(value, dict):
        members = {k: _seen(v, lines, viewer, (*tokens, k), visible) for k, v in value.items()}
        shown: Any = {k: v for k, v in members.items() if v is not HIDDEN}
    else:
        elements = [
            _seen(v, lines, viewer, (*tokens, str(i)), visible) for i, v in enumerate(value)
        ]
        shown = [v for v in elements if v is not HIDDEN]
    return shown if visible or shown else HIDDEN
