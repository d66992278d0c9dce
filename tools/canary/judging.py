"""What of a message its receiver should not have been sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from questlog.campaign.visibility import Viewer
from questlog.document import encode
from tools.canary.canaries import numbers_in
from tools.canary.ledger import Ledger

SNAPSHOTS = ("campaign_active", "campaign_loaded")


def leaks(
    ledger: Ledger, eyes: Sequence[Viewer], message: dict[str, Any], text: str, version: int
) -> set[int]:
    """Return the canaries in a message that whoever looks may not see in it.

    A view may hold what is visible at its version. A delta's values may, too; its paths also name
    what was visible at its base, and goes. An event is named to those whose view it changed, and to
    its author. No other message says anything of a document: what is said beside it was said to
    somebody.

    Args:
        eyes: who looks, and whom the server may take them for already: that a viewer is somebody
            else, others are told of first, and they among them.
        text: the message as it came.
        version: the version that the viewer was last told of.
    """
    eye = eyes[0]
    numbers = numbers_in(text)
    if not numbers:
        return numbers
    kind = message.get("type")
    if kind in SNAPSHOTS:
        return ledger.hidden(eye, numbers, message["version"])
    if kind == "campaign_updated":
        return _in_update(ledger, eye, message, numbers)
    return set.intersection(*(ledger.unsaid(each, numbers, version) for each in eyes))


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
