"""What a client knows of the company at its campaign: who is there, and what was said.

None of it is a matter of versions: a message that was lost is made up for by the next `presence`,
by what is told on connecting, or by the document itself.
"""

from __future__ import annotations

from typing import Any

from questlog.campaign.events import Role
from questlog.sync.talk import (
    LeaseTold,
    Member,
    NarrationTold,
    PlayerJoined,
    PlayerLeft,
    PlayerStatus,
    Presence,
    SuggestionTold,
    TalkTold,
)

Key = tuple[Role, str | None]
# Of narrations that are over, the document has every word.
SPOKEN = 32


class Company:
    """Who is there, and what was said.

    Attributes:
        members: by role and player id; empty where they are only counted.
        counts: how many there are of each role, where there are too many to name.
        suggestions: those told of, as they stand, by player id and id.
        lease: who is at the wheel, as DMs are told; None before that.
        spoken: the latest narrations heard of, by id: where a piece begins, and the piece.
    """

    def __init__(self) -> None:
        self.members: dict[Key, Member] = {}
        self.counts: dict[str, int] = {}
        self.suggestions: dict[tuple[str | None, str], SuggestionTold] = {}
        self.lease: LeaseTold | None = None
        self.spoken: dict[str, tuple[int, str]] = {}

    def disconnected(self) -> None:
        """Let go of what may change unheard, and is told again on connecting."""
        self.lease = None
        for key, suggestion in list(self.suggestions.items()):
            if suggestion.state == "pending":
                del self.suggestions[key]

    def hear(self, message: TalkTold) -> None:
        """Take what was said."""
        match message:
            case Presence(members=members):
                self.members = {(each.role, each.player_id): each for each in members}
                self.counts = message.counts or {}
            case PlayerJoined():
                self.members[message.role, message.player_id] = Member(
                    message.player_id,
                    message.role,
                    message.status,
                    message.connections,
                    message.version,
                )
            case PlayerLeft(role=role, player_id=player_id):
                self.members.pop((role, player_id), None)
            case PlayerStatus(role=role, player_id=player_id, status=status):
                known = self.members.get((role, player_id))
                if known is not None:
                    self.members[role, player_id] = Member(
                        player_id, role, status, known.connections, known.version
                    )
            case SuggestionTold(player_id=player_id, id=identifier):
                self.suggestions[player_id, identifier] = message
            case LeaseTold():
                self.lease = message
            case NarrationTold():
                self._speak(message)

    def text_of(self, entry: dict[str, Any]) -> str:
        """Return the text of a narration's entry in the document, with what was heard since.

        An entry of another kind has its `text`, or none. Once the narration is over, what is in the
        document is all there is: of one that broke off, the last words may have been lost.
        """
        parts = entry.get("parts")
        if type(parts) is not list:
            return str(entry.get("text", ""))
        text = "".join(part for part in parts if type(part) is str)
        if entry.get("state") != "streaming":
            return text
        start, spoken = self.spoken.get(str(entry.get("id")), (0, ""))
        # What comes after a gap waits for the document to fill it.
        return text + spoken[len(text) - start :] if start <= len(text) else text

    def _speak(self, piece: NarrationTold) -> None:
        start, spoken = self.spoken.pop(piece.id, (piece.offset, ""))
        known = piece.offset - start
        if 0 <= known <= len(spoken):
            spoken = spoken[:known] + piece.text
        else:
            # A gap, or the beginning anew: what was heard before it is in the document soon.
            start, spoken = piece.offset, piece.text
        self.spoken[piece.id] = (start, spoken)
        if len(self.spoken) > SPOKEN:
            del self.spoken[next(iter(self.spoken))]
