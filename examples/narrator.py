"""A narrator that needs no model: it knows three verbs, and says the same to the same."""

from __future__ import annotations

from typing import Any

START_HP = 20
GOBLIN_HP = 100


def narrate(document: dict[str, Any], message_id: str, player_id: str, text: str) -> str:
    """Answer a player, and change the campaign's document in place; returns the answer.

    Knows `attack`, `look` and `rest`; anything else is said aloud.
    """
    goblin = document.setdefault("goblin", {"hp": GOBLIN_HP})
    characters = document.setdefault("characters", {})
    new = {"name": player_id, "hp": {"current": START_HP, "max": START_HP}}
    hp = characters.setdefault(player_id, new)["hp"]
    verb = text.strip().lower()
    if verb == "attack":
        goblin["hp"] -= 3
        hp["current"] -= 1
        answer = f"{player_id} strikes the goblin (it has {goblin['hp']} left) and is scratched."
    elif verb == "look":
        answer = f"The goblin has {goblin['hp']} hit points left, and looks back."
    elif verb == "rest":
        hp["current"] = min(hp["current"] + 2, hp["max"])
        answer = f"{player_id} rests, and has {hp['current']} hit points."
    else:
        answer = f"{player_id} says: {text}"
    document["turn"] = document.get("turn", 0) + 1
    document["narrative"] = answer
    told = {"id": message_id, "speaker": player_id, "text": answer}
    document.setdefault("all_narratives", []).append(told)
    return answer
