"""The script: version by version, what the DM does to a campaign full of canaries."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from questlog.campaign.visibility import Rules
from questlog.document import apply, diff, encode, merge
from tools.canary import chance
from tools.canary.canaries import numbers_in
from tools.canary.inventing import rules_for
from tools.canary.oracle import where_none_are_given
from tools.canary.planting import Operation, Planter
from tools.canary.strokes import Desk, stroke, wander
from tools.recording import Recording, Step, count_steps

Way = Literal[
    "create", "commit", "post", "patch", "whole", "put", "merge", "rules", "activate", "deactivate"
]
# Documents over this many bytes are seldom sent whole.
LARGE = 100_000
# Until this version the rules change with every step.
EARLY = 8


class Scene(Struct, frozen=True, kw_only=True):
    """One version: how the DM makes it, and what is true after it.

    Attributes:
        way: the call or message that makes it.
        body: what is sent.
        kind: the event's, where a client names one.
        event: the canaries in the event's header.
        table: whether the campaign sits at its table.
    """

    version: int
    way: Way
    body: Any
    id: str
    kind: str
    meta: dict[str, Any]
    event: frozenset[int]
    document: dict[str, Any]
    rules: Rules
    table: bool


class Excerpt(Recording):
    """A recording of which some steps are read, spread over it, and the last."""

    def __init__(self, path: Path, most: int) -> None:
        """Open the recording at `path`.

        Args:
            most: how many steps; 0: all of them.

        Raises:
            RecordingError: it cannot be read, or does not begin with a header.
        """
        self.total = count_steps(path)
        self.length = min(most, self.total) if most else self.total
        super().__init__(path)

    def __iter__(self) -> Iterator[Step]:
        """Yield each step chosen; the others are not decoded."""
        taken = 0
        for number, (line, text) in enumerate(self._lines, start=1):
            if number * self.length >= (taken + 1) * self.total:
                taken += 1
                yield self._convert(line, text, Step)


class Script:
    """The state a campaign is in, and what is done to it next. Subclasses say what is played.

    Attributes:
        document, rules, table: as after the last scene.
    """

    free = False

    def __init__(self, rng: random.Random, planter: Planter, rules: Rules | None) -> None:
        """Prepare.

        Args:
            rules: the ones in force all the time; None: the default ones, and then others.
        """
        self.rng = rng
        self.planter = planter
        self.given = rules
        self.rules = rules or where_none_are_given()
        self.document: dict[str, Any] = {}
        self.table = False
        self._version = 0

    def scenes(self) -> Iterator[Scene]:
        """Yield every scene in order, the creation of the campaign first."""
        raise NotImplementedError

    def create(self, document: dict[str, Any]) -> Scene:
        """Return the scene that creates the campaign."""
        self.document = self.planter.value(document, ())
        self._graft()
        body: dict[str, Any] = {"structured_data": self.document}
        body["title"] = self.planter.hatch("title", "title")
        if self.rules != where_none_are_given():
            body["visibility"] = msgspec.to_builtins(self.rules)
        return self._scene("create", body)

    def commit(self, patch: list[Operation]) -> Scene:
        """Return the scene that changes the document by a patch, in one of the ways there are."""
        self.document = apply(self.document, patch)
        large = len(encode(self.document)) > LARGE
        weights = (6, 2, 2, 0.2, 0.2) if large else (4, 2, 2, 1, 1)
        ways: tuple[Way, ...] = ("commit", "post", "patch", "whole", "put")
        (way,) = self.rng.choices(ways, weights)
        body = patch if way in ("commit", "post", "patch") else self.document
        return self._scene(way, body)

    def interlude(self) -> Iterator[Scene]:
        """Yield a scene or two of the canary's own."""
        choice = self.rng.random()
        if choice < 0.15 and self.given is None:
            yield from self.new_rules()
        elif choice < 0.22:
            self.table = not self.table
            yield self._scene("activate" if self.table else "deactivate", None)
        elif choice < 0.3:
            yield self._merge()
        else:
            desk = Desk(self.rng, self.planter, self.document, self.rules, self.free)
            yield self.commit(stroke(desk))

    def new_rules(self) -> Iterator[Scene]:
        """Yield a change of the rules, and the planting of canaries where they point to."""
        yield self._change_rules()
        grafts = self.planter.grafts(self.document, self.rules)
        if grafts:
            yield self.commit(grafts)

    def _change_rules(self) -> Scene:
        if self.rng.random() < 0.25:
            self.rules = where_none_are_given()
        else:
            self.rules = rules_for(self.rng, self.document, self.planter)
        return self._scene("rules", msgspec.to_builtins(self.rules))

    def _merge(self) -> Scene:
        """Put something new somewhere, by a merge patch."""
        spot = wander(self.rng, self.document)
        node: Any = self.document
        for length, token in enumerate(spot):
            if not isinstance(node, dict):
                # A merge patch does not lead into lists.
                spot = spot[: length - 1]
                break
            node = node[token]
        name = (*spot, self.planter.name(spot))
        change: Any = self.planter.thing(name)
        for token in reversed(name):
            change = {token: change}
        self.document = merge(self.document, change)
        return self._scene("merge", change)

    def _graft(self) -> None:
        self.document = apply(self.document, self.planter.grafts(self.document, self.rules))

    def _scene(self, way: Way, body: Any) -> Scene:
        self._version += 1
        identifier = self.planter.hatch("event id", f"version {self._version}")
        kind = self.planter.hatch("event kind", f"version {self._version}")
        return Scene(
            version=self._version,
            way=way,
            body=body,
            id=identifier,
            kind=kind,
            meta={"note": self.planter.hatch("meta", f"version {self._version}")},
            event=frozenset(numbers_in(f"{identifier} {kind}")),
            document=self.document,
            rules=self.rules,
            table=self.table,
        )


class Recorded(Script):
    """A recorded campaign, with scenes of the canary's own between its steps.

    Attributes:
        length: how many versions there will be, about.
    """

    def __init__(
        self,
        rng: random.Random,
        planter: Planter,
        rules: Rules | None,
        excerpt: Excerpt,
        own: int,
    ) -> None:
        """Prepare to play a recording.

        Args:
            own: how many scenes of the canary's own there are; half as many as steps, if that is
                more.
        """
        super().__init__(rng, planter, rules)
        self._excerpt = excerpt
        self._share = max(0.5, own / max(1, excerpt.length))
        self.length = int(excerpt.length * (1 + self._share))

    def scenes(self) -> Iterator[Scene]:
        """Yield the recording's steps, each made with the patch that a performer would send."""
        before = self._excerpt.header.initial_state
        yield self.create(before)
        self.table = True
        yield self._scene("activate", None)
        for step in self._excerpt:
            patch = self.planter.operations(diff(before, step.state))
            before = step.state
            yield self.commit(patch)
            if self._version < EARLY and self.given is None:
                yield from self.new_rules()
            for _ in range(int(self._share + self.rng.random())):
                yield from self.interlude()


class Invented(Script):
    """A small campaign made up as it goes, in which everything is moved about."""

    free = True

    def __init__(self, rng: random.Random, planter: Planter, length: int) -> None:
        """Prepare to make up so many scenes after the first, or a few more."""
        super().__init__(rng, planter, None)
        self._length = length
        self.rules = chance.any_rules(rng) if rng.random() < 0.5 else where_none_are_given()

    def scenes(self) -> Iterator[Scene]:
        """Yield the scenes."""
        yield self.create(chance.any_document(self.rng))
        while self._version <= self._length:
            if self.rng.random() < 0.3:
                new = chance.changed(self.rng, self.document)
                changed = {key: self._planted(key, value) for key, value in new.items()}
                yield self.commit(diff(self.document, changed))
            else:
                yield from self.interlude()

    def _planted(self, key: str, value: Any) -> Any:
        kept = value is self.document.get(key)
        return value if kept else self.planter.value(value, (key,))

    def _change_rules(self) -> Scene:
        if self.rng.random() < 0.5:
            return super()._change_rules()
        self.rules = chance.any_rules(self.rng)
        return self._scene("rules", msgspec.to_builtins(self.rules))
