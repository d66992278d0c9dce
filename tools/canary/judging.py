"""What of a message its receiver should not have been sent."""

from __future__ import annotations

from typing import Any

from questlog.campaign.visibility import Viewer
from questlog.document import encode
from tools.canary.canaries import numbers_in
from tools.canary.ledger import Ledger

SNAPSHOTS = ("campaign_active", "campaign_loaded")


def leaks(ledger: Ledger, eye: Viewer, message: dict[str, Any], text: str) -> set[int]:
    """Return the canaries in a socket's message that this eye may not see in it.

    A view may hold what is visible at its version. A delta's values may, too; its paths also name
    what was visible at its base, and goes. An event is named to those whose view it changed. No
    other message says anything of a document.

    Args:
        text: the message as it came.
    """
    numbers = numbers_in(text)
    if not numbers:
        return numbers
    if message["type"] in SNAPSHOTS:
        return ledger.hidden(eye, numbers, message["version"])
    if message["type"] == "campaign_updated":
        return _in_update(ledger, eye, message, numbers)
    return ledger.never((eye,), numbers) if eye.role == "dm" else numbers


def _in_update(ledger: Ledger, eye: Viewer, message: dict[str, Any], numbers: set[int]) -> set[int]:
    version, patch = message["version"], message.get("patch", [])
    whole = message.get("structured_data")
    values = numbers_in(encode([whole, *(operation.get("value") for operation in patch)]))
    paths = numbers_in(encode([(op["path"], op.get("from")) for op in patch]))
    events = numbers_in(encode(message["events"]))
    found = ledger.hidden(eye, values, version)
    gone = ledger.hidden(eye, paths, version)
    if gone:
        found |= ledger.hidden(eye, gone, message["base"])
    found |= ledger.untold(eye, events)
    return found | (numbers - values - paths - events)
