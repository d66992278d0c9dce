"""Talk: what is said at the table of a script, full of canaries: suggestions and their answers, the
lease, narrations, signals and statuses.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from questlog.campaign.visibility import Rule, Rules, Viewer
from questlog.document import apply, encode, join
from tools.canary.canaries import numbers_in
from tools.canary.planting import Operation, Planter, Tokens
from tools.canary.scenes import Scene, Word
from tools.canary.strokes import Desk, sow, wander

if TYPE_CHECKING:
    from tools.canary.script import Script

# What stands in place of a time that only the server knows; see `dated`.
LATER: Final = "later"


class Talk:
    """What is said in one script.

    Args:
        speakers: the players who say something; None: one without a name.
        hidden: the id of the player whom rules hide, None where there is none.

    Attributes:
        narrating: whether a narration is being streamed.
    """

    def __init__(
        self, script: Script, speakers: tuple[str | None, ...], hidden: str | None
    ) -> None:
        self.hidden = hidden
        self.narrating = False
        self._script = script
        self._rng: random.Random = script.rng
        self._planter: Planter = script.planter
        self._speakers = speakers
        self._pending: list[tuple[str | None, str]] = []
        self._lease: int | None = None
        self._dating = ""

    def something(self) -> Iterator[Scene]:
        """Yield a scene or some, in which something is said."""
        choice = self._rng.random()
        if choice < 0.35 and self._speakers:
            yield self.suggestion(self._rng.choice(self._speakers))
        elif choice < 0.6 and self._pending:
            yield self.decision()
        elif choice < 0.7:
            yield self._wheel()
        else:
            yield from self.narration(self._path())

    def overture(self, *, short: bool) -> Iterator[Scene]:
        """Yield some of everything, for a beginning; if that is to be short, a suggestion."""
        for speaker in self._speakers[: 1 if short else None]:
            yield self.suggestion(speaker)
        if short:
            return
        yield self.decision()
        yield self._wheel()
        yield from self.narration(self._path(hidden=True))
        yield from self.narration(self._path(hidden=False))

    def words(self) -> tuple[Word, ...]:
        """Return what is said with a scene, if anything."""
        words = []
        if self._rng.random() < 0.35:
            words.append(self._signal())
        if self.hidden is not None and self._rng.random() < 0.3:
            status = self._planter.hatch("status", self.hidden)
            message = {"type": "player_status", "status": status}
            words.append(Word(self.hidden, message, None, frozenset(numbers_in(status))))
        return tuple(words)

    def rules(self, rules: Rules) -> Rules:
        """Return rules with some more, that speak of who is there."""
        if self.hidden is None or self._rng.random() < 0.15:
            return rules
        place = f"/presence/player/{self.hidden}"
        friends = [f"player:{name}" for name in self._speakers if name not in (None, self.hidden)]
        forms = [
            [Rule(place, ("dm",))],
            [Rule(place, ("dm",))],
            [Rule("/presence/player/{player}", ("dm", "{player}"))],
            [Rule("/presence/player", ("dm",)), Rule("/presence/player/*", ("dm", "spectators"))],
            [Rule("/presence", ("all",)), Rule("/presence/*/*", ("dm",), {})],
            [Rule(place, ("dm", *friends[:1])), Rule("/presence/spectator", ("dm",))],
        ]
        more = self._rng.choice(forms)
        # Before the others: none of them is any longer for it, and the last stays the last.
        return Rules(default=rules.default, rules=(*more, *rules.rules))

    def suggestion(self, speaker: str | None) -> Scene:
        """Return a scene in which a player proposes something."""
        hatch, place = self._planter.hatch, f"suggestion of {speaker}"
        identifier = hatch("suggestion", f"id of a {place}")
        body = {
            "id": identifier,
            "content": f"I wedge the door. {hatch('suggestion', place)}",
            "suggestion_type": hatch("suggestion", f"type of a {place}"),
            "metadata": {
                hatch("suggestion", place): [hatch("suggestion", f"metadata of a {place}")]
            },
        }
        self._pending.append((speaker, identifier))
        said = numbers_in(encode(body))
        return self._script.scene(
            "suggest",
            body,
            identifier=identifier,
            # The actor's id is in it too.
            event=numbers_in(f"{identifier} {speaker}"),
            author=None if speaker is None else Viewer("player", speaker),
            said=said,
        )

    def decision(self) -> Scene:
        """Return a scene in which the DM answers a suggestion, or disposes of it."""
        waiting = self._rng.choice(self._pending)
        speaker, identifier = waiting
        choice = self._rng.choice(("accept", "dismiss", "answer", "answer"))
        body: dict[str, Any] = {"id": identifier, "player_id": speaker, "decision": choice}
        answer = self._planter.hatch("answer", f"answer to {speaker}")
        body["answer"] = f"For you alone: {answer}"
        if choice != "answer":
            self._pending.remove(waiting)
        if choice == "accept" and self._rng.random() < 0.5:
            body["patch"] = self._sow()
        author = None if speaker is None else Viewer("player", speaker)
        said = numbers_in(f"{identifier} {answer}")
        return self._script.scene("decide", body, event=(), author=author, said=said)

    def narration(self, path: Tokens) -> Iterator[Scene]:
        """Yield the scenes of a narration: it begins, goes on, and ends.

        Each chunk is a part of its own, so that it is known how many versions there will be.
        Meanwhile nothing is moved about that the narration is in.
        """
        rng, script, place = self._rng, self._script, join(path)
        identifier = self._planter.hatch("narration", f"id at {place}")
        speaker = self._planter.hatch("narration", f"speaker at {place}")
        entry: dict[str, Any] = {"id": identifier, "speaker": speaker, "at": LATER}
        entry |= {"parts": [], "state": "streaming"}
        spot = self._add(path, entry)
        self._dating, self.narrating = f"{spot}/at", True
        body: dict[str, Any] = {"id": identifier, "path": place, "speaker": speaker}
        yield script.scene("begin", body, event=())
        if rng.random() < 0.4:
            yield from self._interruption()
        if rng.random() < 0.8:
            text = f"It tolls. {self._planter.hatch('narration', f'chunk at {place}')} "
            self._change([{"op": "add", "path": f"{spot}/parts/-", "value": text}])
            said = numbers_in(f"{identifier} {text}")
            body = {"id": identifier, "offset": 0, "text": text}
            yield script.scene("chunk", body, event=(), said=said, spoken=script.document)
            length = len(text)
        else:
            length = 0
        if rng.random() < 0.3:
            yield from self._interruption()
        last = f"Then silence. {self._planter.hatch('narration', f'last words at {place}')}"
        self._change([{"op": "add", "path": f"{spot}/parts/-", "value": last}])
        spoken = script.document
        self._change([{"op": "replace", "path": f"{spot}/state", "value": "complete"}])
        self.narrating = False
        said = numbers_in(f"{identifier} {last}")
        body = {"id": identifier, "offset": length, "text": last}
        yield script.scene("end", body, event=(), said=said, spoken=spoken)

    def dated(self, at: str) -> None:
        """Take the time at which the narration began that has just begun."""
        self._change([{"op": "replace", "path": self._dating, "value": at}])

    def _interruption(self) -> Iterator[Scene]:
        if self._script.given is None and self._rng.random() < 0.6:
            yield from self._script.new_rules()
        else:
            yield self._script.commit(self._sow(change=False))

    def _wheel(self) -> Scene:
        """Return a scene in which the DM takes the lease, or lets go of it."""
        identifier = self._planter.hatch("event id", "lease")
        if self._lease is not None and self._rng.random() < 0.5:
            body: dict[str, Any] = {"type": "release_lease", "lease": self._lease}
            self._lease = None
        else:
            body = {"type": "take_lease", "name": self._planter.hatch("lease", "lease")}
            self._lease = self._script.version + 1
        body["id"] = identifier
        return self._script.scene("lease", body, identifier=identifier, event=())

    def _signal(self) -> Word:
        """Return a signal of the DM's or a player's, for some or for all."""
        rng, names = self._rng, [name for name in self._speakers if name is not None]
        speaker = rng.choice([None, *names])
        groups = ["dm", "players", "spectators", "all", *names, *(f"player:{n}" for n in names)]
        to: tuple[str, ...] | None = tuple(rng.sample(groups, rng.choice((1, 1, 2))))
        if rng.random() < 0.1:
            to = None
        place = "everyone" if to is None else ", ".join(to)
        name, data = (self._planter.hatch("signal", f"to {place}") for _ in range(2))
        message: dict[str, Any] = {"type": "signal", "name": name, "data": {data: [data]}}
        if to is not None:
            message["to"] = to[0] if len(to) == 1 else list(to)
        return Word(speaker, message, to, frozenset(numbers_in(f"{name} {data}")))

    def _path(self, *, hidden: bool | None = None) -> Tokens:
        """Return where a narration can go: to a list, or to where one can be made."""
        players = [name for name in self._speakers if name is not None]
        secret: list[Tokens] = [("dm", "notes"), ("dm", self._planter.name(("dm",)))]
        secret += [("private", name, "whispers") for name in players]
        spot = wander(self._rng, self._script.document)
        open_ones: list[Tokens] = [("all_narratives",), ("tales",), (*spot, "tale")]
        wanted = self._rng.random() < 0.6 if hidden is None else hidden
        for choice in (secret, open_ones) if wanted else (open_ones, secret):
            found = [path for path in choice if _can_be_list(self._script.document, path)]
            if found:
                return self._rng.choice(found)
        return (self._planter.name(()),)

    def _add(self, path: Tokens, entry: dict[str, Any]) -> str:
        """Put an entry at the end of the list at `path`; returns where it is."""
        node: Any = self._script.document
        for token in path:
            node = node.get(token)
        place = join(path)
        if node is None:
            self._change([{"op": "add", "path": place, "value": [entry]}])
        else:
            self._change([{"op": "add", "path": f"{place}/-", "value": entry}])
        return f"{place}/{0 if node is None else len(node)}"

    def _sow(self, *, change: bool = True) -> list[Operation]:
        script = self._script
        patch = sow(Desk(self._rng, self._planter, script.document, script.rules, script.free))
        if change:
            self._change(patch)
        return patch

    def _change(self, patch: list[Operation]) -> None:
        self._script.document = apply(self._script.document, patch)


def _can_be_list(document: Any, path: Tokens) -> bool:
    node: Any = document
    for token in path[:-1]:
        node = node.get(token) if isinstance(node, dict) else None
    return isinstance(node, dict) and isinstance(node.get(path[-1], []), list)
