"""Narration: text that is streamed into the document part by part, and never twice.

An entry `{"id", "speaker", "at", "parts", "state"}` joins a list of the document when a stream
begins; each event of the stream adds one string to `parts`, so that the log holds every character
once. `state` is `streaming`, then `complete`, or `interrupted` where the stream broke off.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from questlog.campaign.errors import Invalid, TooLarge
from questlog.document import DocumentError, parse

DEFAULT_PATH = "/all_narratives"
MAX_ID = 64
MAX_SPEAKER = 200
MAX_OPEN = 8
MAX_LENGTH = 1_000_000

Ending = Literal["complete", "interrupted"]


class Narration(Struct, frozen=True):
    """A stream that has begun and not ended.

    Attributes:
        id: of the entry it fills.
        path: the list the entry is in, a JSON Pointer.
        length: characters (Unicode code points) that are in the log.
    """

    id: str
    path: str
    length: int = 0


Narrations = tuple[Narration, ...]
Operations = list[dict[str, Any]]


def find(there: Narrations, identifier: str) -> Narration:
    """Return the open stream of this id.

    Raises:
        Invalid: there is none.
    """
    for each in there:
        if each.id == identifier:
            return each
    raise Invalid("No narration of this id is being streamed.")


def beginning(
    there: Narrations,
    document: dict[str, Any],
    narration: Narration,
    speaker: str | None,
    at: str,
) -> Operations:
    """Return the operations that begin a stream: an entry at the end of its list.

    Raises:
        Invalid: its id or path cannot be used, or as many are open as may be.
    """
    if not 1 <= len(narration.id) <= MAX_ID or not narration.id.isprintable():
        raise Invalid(f"A narration's id has 1 to {MAX_ID} printable characters.")
    if speaker is not None and not (1 <= len(speaker) <= MAX_SPEAKER and speaker.isprintable()):
        raise Invalid(f"A speaker has 1 to {MAX_SPEAKER} printable characters.")
    if len(there) >= MAX_OPEN:
        raise Invalid(f"{MAX_OPEN} narrations are being streamed already: end one first.")
    entry = {"id": narration.id, "at": at, "parts": [], "state": "streaming"}
    if speaker is not None:
        entry["speaker"] = speaker
    entries = _list_at(document, narration.path)
    if entries is None:
        return [{"op": "add", "path": narration.path, "value": [entry]}]
    if any(type(each) is dict and each.get("id") == narration.id for each in entries):
        raise Invalid("There is an entry of this id already: a narration has one of its own.")
    return [{"op": "add", "path": f"{narration.path}/-", "value": entry}]


def adding(document: dict[str, Any], narration: Narration, text: str) -> Operations:
    """Return the operations that add a part to a stream's entry, none for no text.

    Raises:
        Invalid: the entry is not in the document any more, or is no narration's.
        TooLarge: the narration would be longer than a book.
    """
    if not text:
        return []
    if narration.length + len(text) > MAX_LENGTH:
        raise TooLarge(f"A narration has at most {MAX_LENGTH} characters.")
    return [{"op": "add", "path": f"{entry_path(document, narration)}/parts/-", "value": text}]


def ending(document: dict[str, Any], narration: Narration, text: str, how: Ending) -> Operations:
    """Return the operations that end a stream with a last part.

    A stream whose entry has been taken out of the document ends all the same, with none.
    """
    try:
        added = adding(document, narration, text)
        path = entry_path(document, narration)
    except Invalid:
        return []
    return [*added, {"op": "replace", "path": f"{path}/state", "value": how}]


def entry_path(document: dict[str, Any], narration: Narration) -> str:
    """Return the pointer of a stream's entry: others may have moved it.

    Raises:
        Invalid: it is gone, or is not what a stream fills.
    """
    entries = _list_at(document, narration.path) or []
    for index in range(len(entries) - 1, -1, -1):
        entry = entries[index]
        if type(entry) is dict and entry.get("id") == narration.id:
            if type(entry.get("parts")) is list and "state" in entry:
                return f"{narration.path}/{index}"
            break
    raise Invalid("The entry of this narration is not in the document any more.")


def _list_at(document: dict[str, Any], path: str) -> list[Any] | None:
    """Return the list at `path`, None where one can be put there.

    Raises:
        Invalid: something else is there, or there is no way to it.
    """
    refusal = Invalid("A narration's path leads, by members of objects, to a list or to nothing.")
    try:
        *parents, name = parse(path)
    except (DocumentError, ValueError) as error:
        raise refusal from error
    value: Any = document
    for parent in parents:
        # Through no list: an entry's place in one is another in every view.
        value = value.get(parent) if type(value) is dict else None
    if type(value) is not dict:
        raise refusal
    found = value.get(name)
    if name in value and type(found) is not list:
        raise refusal
    return found
