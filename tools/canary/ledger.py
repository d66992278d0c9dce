"""Who may see which canary of one campaign, and at which versions: the oracle's word on it."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from questlog.campaign.visibility import Rules, Viewer
from questlog.document import canonical, encode, equal
from tools.canary import oracle
from tools.canary.canaries import Aviary, numbers_in

DM = Viewer("dm")


class Ledger:
    """What each eye may see, version by version.

    A version is entered before it is sent, so that whatever comes back can be judged at once.

    Attributes:
        version: the last one entered.
        views: what each eye sees of it.
    """

    def __init__(self, aviary: Aviary, campaign_id: str, eyes: Sequence[Viewer]) -> None:
        """Begin with nothing.

        Args:
            eyes: the viewers to answer for, each as `oracle.eye_of` gives it.
        """
        self.campaign_id = campaign_id
        self.version = 0
        self.views: dict[Viewer, Any] = {}
        self._aviary = aviary
        self._visible: dict[Viewer, set[int]] = {eye: set() for eye in eyes}
        # The versions at which each canary came into sight or left it, by turns.
        self._turns: dict[Viewer, dict[int, list[int]]] = {eye: {} for eye in eyes}
        self._told: dict[Viewer, set[int]] = {eye: set() for eye in eyes}
        # What is said beside the document: to whom, and what of it not even to every DM.
        self._said: dict[Viewer, set[int]] = {eye: set() for eye in eyes}
        self._addressed: set[int] = set()
        # Of the member that rules hide: what tells of it, and when who came to know or not.
        self._secret: Viewer | None = None
        self._secrets: set[int] = set()
        self._knowing: dict[Viewer, list[int]] = {eye: [] for eye in eyes}
        self._last: tuple[Any, Rules | None] = (None, None)

    @property
    def eyes(self) -> list[Viewer]:
        """Every eye it answers for."""
        return list(self._visible)

    def enter(self, document: dict[str, Any], rules: Rules, event: Iterable[int]) -> None:
        """Enter the next version.

        Args:
            event: the canaries in its event's header: they are told to those whose view changes.
        """
        self.version += 1
        same, known = document is self._last[0], rules is self._last[1]
        self._last = (document, rules)
        if not known and self._secret is not None:
            self._learn(rules, self._secret)
        if same and known:
            return
        for eye, visible in self._visible.items():
            view = oracle.view(document, rules, eye)
            changed = self.version > 1 and not equal(self.views[eye], view)
            self.views[eye] = view
            if changed:
                self._told[eye].update(event)
            if eye != DM and (changed or self.version == 1):
                now = numbers_in(encode(view))
                for number in now ^ visible:
                    self._turns[eye].setdefault(number, []).append(self.version)
                self._visible[eye] = now

    def amend(self, document: dict[str, Any]) -> None:
        """Enter what only the server knew of the last version and that tells nothing: a time."""
        rules = self._last[1]
        assert rules is not None, "there is a version"
        self._last = (document, rules)
        self.views = {eye: oracle.view(document, rules, eye) for eye in self._visible}

    def hide(self, member: Viewer, numbers: Iterable[int]) -> None:
        """Enter whom rules may hide, and canaries that tell of them."""
        self._secret = member
        self._secrets.update(numbers)

    def confide(self, author: Viewer, said: Iterable[int], event: Iterable[int]) -> None:
        """Enter what is told of a suggestion to its author: itself, and its event's header."""
        self._said[author].update(said)
        self._told[author].update(event)

    def speak(self, document: dict[str, Any], numbers: frozenset[int]) -> None:
        """Enter what is heard of a narration by those who would see it in this document."""
        rules = self._last[1]
        assert rules is not None, "there is a version"
        for eye, said in self._said.items():
            if document is self._last[0]:
                said.update(numbers & self._visible[eye])
            elif eye != DM:
                said.update(numbers & numbers_in(encode(oracle.view(document, rules, eye))))

    def pass_on(self, to: tuple[str, ...] | None, numbers: frozenset[int]) -> None:
        """Enter what is in a signal, and whom it is for."""
        self._addressed.update(numbers)
        for eye, said in self._said.items():
            if oracle.addressed(eye, to):
                said.update(numbers)

    def tell_all(self, numbers: Iterable[int]) -> None:
        """Enter what every member of the campaign may know, like its title."""
        for told in self._told.values():
            told.update(numbers)

    def hidden(self, eye: Viewer, numbers: set[int], version: int) -> set[int]:
        """Return those of `numbers` that are not in this eye's view of a version."""
        if eye == DM:
            return self._aviary.strangers(numbers, self.campaign_id)
        if version == self.version:
            return numbers - self._visible[eye]
        turns = self._turns[eye]
        return {n for n in numbers if bisect_right(turns.get(n, ()), version) % 2 == 0}

    def untold(self, eye: Viewer, numbers: set[int]) -> set[int]:
        """Return those of `numbers` that are of no event this eye may know of."""
        if eye == DM:
            return self._aviary.strangers(numbers, self.campaign_id)
        return numbers - self._told[eye]

    def unsaid(self, eye: Viewer, numbers: set[int], version: int) -> set[int]:
        """Return those of `numbers` that are not for this eye beside the document.

        Args:
            version: whose rules say who may know of whom.
        """
        if eye == DM:
            kept = (numbers & self._addressed) - self._said[eye]
            return self._aviary.strangers(numbers, self.campaign_id) | kept
        if bisect_right(self._knowing[eye], version) % 2:
            numbers = numbers - self._secrets
        return numbers - self._said[eye]

    def never(self, eyes: Iterable[Viewer], numbers: set[int]) -> set[int]:
        """Return those of `numbers` that none of these eyes might see at any version so far."""
        for eye in eyes:
            if eye == DM:
                numbers = self._aviary.strangers(numbers, self.campaign_id)
            else:
                numbers = numbers - self._turns[eye].keys() - self._told[eye] - self._said[eye]
                numbers = numbers - (self._secrets if self._knowing[eye] else set())
        return numbers

    def alike(self, eye: Viewer) -> frozenset[Viewer]:
        """Return the eyes that see just what this one sees at the last version."""
        return frozenset(e for e in self.eyes if equal(self.views[e], self.views[eye]))

    def digests(self) -> dict[Viewer, bytes]:
        """Return a digest of what each eye sees at the last version, to be compared later."""
        return {eye: digest(view) for eye, view in self.views.items()}

    def _learn(self, rules: Rules, member: Viewer) -> None:
        """Note who may know of a member from this version on, and who no more."""
        for eye, turns in self._knowing.items():
            if oracle.knows(rules, eye, member) != len(turns) % 2:
                turns.append(self.version)


def digest(view: Any) -> bytes:
    """Return the SHA-256 of a view, whatever the order of its keys."""
    return hashlib.sha256(canonical(view)).digest()
