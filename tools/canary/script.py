"""The script: version by version, what the DM does to a campaign full of canaries."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from questlog.campaign.visibility import Rules, Viewer
from questlog.document import apply, diff, encode, join, merge
from tools.canary import chance
from tools.canary.canaries import numbers_in
from tools.canary.inventing import rules_for
from tools.canary.oracle import where_none_are_given
from tools.canary.planting import Operation, Planter
from tools.canary.scenes import Scene, Way
from tools.canary.strokes import Desk, stroke, wander
from tools.canary.talk import Talk
from tools.recording import Recording, Step, count_steps

# Documents over this many bytes are seldom sent whole.
LARGE = 100_000
# With so many of the recording's first steps the rules change.
EARLY = 3
# With fewer scenes of the canary's own than that, the beginning is short: each costs too much.
OVERTURE = 10
# The share of the canary's own scenes in which somebody says something.
TALKATIVE = 0.3
# How far back a rewind goes.
PAST = 12


class Company(Struct, frozen=True):
    """Of the cast, whom a script has to know.

    Attributes:
        speakers: the players who say something; None: one without a name.
        hidden: the id of the player whom rules hide, None where there is none.
    """

    speakers: tuple[str | None, ...]
    hidden: str | None


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
        document, rules, table, version: as after the last scene.
        talk: what is said.
    """

    free = False

    def __init__(
        self, rng: random.Random, planter: Planter, rules: Rules | None, company: Company
    ) -> None:
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
        self.version = 0
        self._past: deque[tuple[int, dict[str, Any]]] = deque(maxlen=PAST)
        self.talk = Talk(self, company.speakers, company.hidden)

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
        return self.scene("create", body)

    def commit(self, patch: list[Operation]) -> Scene:
        """Return the scene that changes the document by a patch, in one of the ways there are."""
        self.document = apply(self.document, patch)
        large = len(encode(self.document)) > LARGE
        weights = (6, 2, 2, 0.2, 0.2) if large else (4, 2, 2, 1, 1)
        ways: tuple[Way, ...] = ("commit", "post", "patch", "whole", "put")
        (way,) = self.rng.choices(ways, weights)
        body = patch if way in ("commit", "post", "patch") else self.document
        return self.scene(way, body)

    def interlude(self) -> Iterator[Scene]:
        """Yield a scene or two of the canary's own."""
        choice = self.rng.random()
        if self.rng.random() < TALKATIVE:
            yield from self.talk.something()
        elif choice < 0.15 and self.given is None:
            yield from self.new_rules()
        elif choice < 0.22:
            self.table = not self.table
            yield self.scene("activate" if self.table else "deactivate", None)
        elif choice < 0.3:
            yield self._merge()
        elif choice < 0.38 and self._past:
            yield from self._rewind()
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
            self.rules = self.talk.rules(rules_for(self.rng, self.document, self.planter))
        return self.scene("rules", msgspec.to_builtins(self.rules))

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
        return self.scene("merge", change)

    def _rewind(self) -> Iterator[Scene]:
        """Bring a document back, or one member of it, which the rules may have come to hide.

        A recording's next step is about the document that it left: there that comes back at once.
        """
        version, then = self.rng.choice(self._past)
        left, now = self.version, self.document
        names = sorted(then.keys() | self.document.keys())
        body: dict[str, Any] = {"to_version": version}
        if names and self.rng.random() < 0.5:
            name = self.rng.choice(names)
            body["only"] = join((name,))
            rest = {key: value for key, value in self.document.items() if key != name}
            then = {**rest, name: then[name]} if name in then else rest
        self.document = then
        yield self.scene("rewind", body)
        if not self.free:
            self.document = now
            yield self.scene("rewind", {"to_version": left})

    def _graft(self) -> None:
        self.document = apply(self.document, self.planter.grafts(self.document, self.rules))

    def scene(
        self,
        way: Way,
        body: Any,
        *,
        identifier: str = "",
        event: Iterable[int] | None = None,
        author: Viewer | None = None,
        said: Iterable[int] = (),
        spoken: dict[str, Any] | None = None,
    ) -> Scene:
        """Return the next scene, after which all is as it is now.

        Args:
            identifier: the event's; a new one where none is given.
            event: the canaries in the event's header, where a client names neither id nor kind.
            author, said, spoken: as in a scene.
        """
        self.version += 1
        if not self.talk.narrating:
            # Of a narration under way, and of when it began, only the server knows all.
            self._past.append((self.version, self.document))
        place = f"version {self.version}"
        kind = meta = ""
        if event is None:
            identifier = identifier or self.planter.hatch("event id", place)
            kind = self.planter.hatch("event kind", place)
            meta = self.planter.hatch("meta", place)
            event = numbers_in(f"{identifier} {kind}")
        return Scene(
            version=self.version,
            way=way,
            body=body,
            id=identifier,
            kind=kind,
            meta={"note": meta},
            event=frozenset(event),
            document=self.document,
            rules=self.rules,
            table=self.table,
            author=author,
            said=frozenset(said),
            spoken=spoken,
            words=() if way == "create" else self.talk.words(),
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
        company: Company,
        excerpt: Excerpt,
        own: int,
    ) -> None:
        """Prepare to play a recording.

        Args:
            own: how many scenes of the canary's own there are; half as many as steps, if that is
                more.
        """
        super().__init__(rng, planter, rules, company)
        self._excerpt = excerpt
        self._own = own
        self._share = max(0.5, own / max(1, excerpt.length))
        self.length = int(excerpt.length * (1 + self._share))

    def scenes(self) -> Iterator[Scene]:
        """Yield the recording's steps, each made with the patch that a performer would send."""
        before = self._excerpt.header.initial_state
        yield self.create(before)
        self.table = True
        yield self.scene("activate", None)
        yield from self._overture()
        for number, step in enumerate(self._excerpt):
            patch = self.planter.operations(diff(before, step.state))
            before = step.state
            yield self.commit(patch)
            if number < EARLY and self.given is None:
                yield from self.new_rules()
            for _ in range(int(self._share + self.rng.random())):
                yield from self.interlude()

    def _overture(self) -> Iterator[Scene]:
        """Yield a change of the rules, by which somebody is hidden, and some talk."""
        if self.given is None:
            self.rules = self.talk.rules(self.rules)
            yield self.scene("rules", msgspec.to_builtins(self.rules))
        yield from self.talk.overture(short=self._own < OVERTURE)


class Invented(Script):
    """A small campaign made up as it goes, in which everything is moved about."""

    free = True

    def __init__(self, rng: random.Random, planter: Planter, company: Company, length: int) -> None:
        """Prepare to make up so many scenes after the first, or a few more."""
        super().__init__(rng, planter, None, company)
        self._length = length
        if rng.random() < 0.5:
            self.rules = self.talk.rules(chance.any_rules(rng))

    def scenes(self) -> Iterator[Scene]:
        """Yield the scenes."""
        yield self.create(chance.any_document(self.rng))
        while self.version <= self._length:
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
        self.rules = self.talk.rules(chance.any_rules(self.rng))
        return self.scene("rules", msgspec.to_builtins(self.rules))
