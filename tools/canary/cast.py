"""The cast: who looks at a campaign, and how."""

from __future__ import annotations

import random
from typing import Any, Literal

from msgspec import Struct

from questlog.campaign.errors import Invalid
from questlog.campaign.events import Role
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Rules, Viewer
from questlog.document import parse
from tools.canary.ledger import DM
from tools.canary.lines import LineKind
from tools.canary.oracle import eye_of
from tools.canary.planting import places

STANDINS = ("mira", "tobin", "oda")
FEWEST, MOST = 3, 9
ROLES = ("dm", "player", "spectator")
LINES: tuple[LineKind, ...] = ("socket", "stream", "poll")

Door = Literal["header", "subprotocol", "query", "message"]


class Part(Struct, frozen=True, kw_only=True):
    """Who a viewer is, and how it follows.

    Attributes:
        table: the table it follows, None where it follows the campaign.
        lines: by what it follows, one after the other each time it comes.
        restless: it comes and goes, and claims to hold what it does not.
        climbs: its member is given other roles on the way.
        turns: it shows the tokens of others on the way.
        dozes: at times it reads nothing for a while.
    """

    name: str
    role: Role
    player_id: str | None = None
    full: bool = False
    deflates: bool = False
    endpoint: Literal["player", "dm"] = "player"
    table: str | None = None
    door: Door = "header"
    lines: tuple[LineKind, ...] = ("socket",)
    restless: bool = False
    climbs: bool = False
    turns: bool = False
    dozes: bool = False


class Claim(Struct, frozen=True):
    """What a viewer says it holds.

    Attributes:
        held: whether that is true.
        trap: the version of a position that is not of this view: no delta may come from there.
    """

    position: str | None = None
    held: bool = False
    trap: int | None = None


NOTHING = Claim()


def players_of(document: dict[str, Any], rules: Rules, rng: random.Random) -> tuple[str, ...]:
    """Return the players that rules name or capture; at least three, such as have characters."""
    named = [name[7:] for rule in rules.rules for name in rule.to if name.startswith("player:")]
    for rule in rules.rules:
        pattern = parse(rule.path)
        if "{player}" in pattern:
            depth = pattern.index("{player}")
            named += [tokens[depth] for tokens, _ in places(document, pattern[: depth + 1], rng)]
    named = [name for name in dict.fromkeys(named) if _is_id(name)][:MOST]
    characters = document.get("characters")
    others = [*(characters if isinstance(characters, dict) else ()), *STANDINS]
    for name in others:
        if len(named) < FEWEST and name not in named and _is_id(name):
            named.append(name)
    return tuple(named)


def whole_cast(players: tuple[str, ...], hidden: str, table: str) -> list[Part]:
    """Return everybody that a recording is played to; the third of the players climbs.

    Who follows a table does so by a socket, and so does who shows other tokens; a poll that goes on
    as somebody else is another poll.

    Args:
        players: three or more; of those past the third there is one viewer each.
        hidden: the id of the player whom rules hide.
    """
    one, two, climber, *more = players
    player = {"role": "player", "player_id": one}
    other = {"role": "player", "player_id": two}
    climbing = {"role": "player", "player_id": climber, "climbs": True}
    unseen = {"role": "player", "player_id": hidden}
    rest = {"restless": True}
    forms: list[dict[str, Any]] = [
        {"role": "dm", "endpoint": "dm"},
        {"role": "dm", "full": True, "deflates": True, "door": "query", "lines": LINES, **rest},
        {"role": "spectator", "lines": ("poll", "socket", "stream"), **rest},
        {"role": "spectator", "full": True, "deflates": True, "table": table},
        {**player, "lines": ("poll",)},
        {**player, "deflates": True, "door": "subprotocol", "lines": LINES, **rest},
        {**player, "full": True, "table": table},
        {**other, "door": "message", "lines": ("stream", "poll", "socket"), **rest},
        {**other, "full": True, "deflates": True, "lines": ("poll", "stream"), **rest},
        {**climbing, "lines": ("stream",)},
        {**climbing, "full": True, "deflates": True, "dozes": True},
        {**climbing, "deflates": True, "table": table},
        {**unseen, "deflates": True, "lines": ("socket", "poll"), **rest},
        {**unseen, "full": True, "dozes": True},
        {**player, "dozes": True, "lines": ("stream",)},
        {"role": "player", "table": table, **rest},
        {"role": "player", "deflates": True},
        {"role": "player", "turns": True},
        {"role": "spectator", "full": True, "deflates": True, "turns": True},
    ]
    forms += [{"role": "player", "player_id": name, "lines": LINES, **rest} for name in more]
    return [Part(name=f"{number} {_form(form)}", **form) for number, form in enumerate(forms, 1)]


def small_cast(rng: random.Random, hidden: str, table: str) -> list[Part]:
    """Return a handful, as different as chance makes them."""
    names = [*rng.sample(("mira", "tom", "a", "0"), 2), None, hidden]
    forms: list[dict[str, Any]] = [
        {"role": "player", "player_id": names[0], "restless": True},
        {"role": "player", "player_id": names[1], "climbs": rng.random() < 0.3},
        {"role": "player", "player_id": rng.choice(names[2:]), "restless": True},
        {"role": "spectator", "turns": rng.random() < 0.3},
    ]
    forms[1]["restless"] = not forms[1]["climbs"]
    for form in forms:
        form["full"] = rng.random() < 0.25
        form["deflates"] = rng.random() < 0.4
        steady = not form.get("turns")
        form["table"] = table if steady and rng.random() < 0.25 else None
        form["door"] = rng.choice(("header", "subprotocol", "query", "message"))
        form["lines"] = tuple(rng.sample(LINES, 3)) if form.get("restless") else ("socket",)
    return [Part(name=f"{number} {_form(form)}", **form) for number, form in enumerate(forms, 1)]


def speakers_of(parts: list[Part]) -> tuple[str | None, ...]:
    """Return the players who say something: those who are the same all evening."""
    steady = [part for part in parts if not (part.climbs or part.turns)]
    return tuple(dict.fromkeys(part.player_id for part in steady if part.role == "player"))


def eyes_of(parts: list[Part]) -> list[Viewer]:
    """Return every eye there may be at some time: a member that climbs, or turns, is several."""
    found = [DM, Viewer("spectator"), *(Viewer(part.role, part.player_id) for part in parts)]
    return list(dict.fromkeys(eye_of(viewer) for viewer in found))


def _form(form: dict[str, Any]) -> str:
    words = [form.get("player_id") or form["role"], "full" if form.get("full") else "delta"]
    words += [name for name in ("deflates", "restless", "climbs", "turns") if form.get(name)]
    return " ".join([*words, *(["at the table"] if form.get("table") else [])])


def _is_id(name: str) -> bool:
    try:
        return check_name(name, "player id") not in ROLES
    except Invalid:
        return False
